//! What is told about payments: the answers of `/settle` and `/payments/{id}`. No I/O.

use serde::Serialize;
use serde_json::{Map, Value, json};
use x402_escrow_wire::{
    auth_capture::Level,
    error_code::ErrorCode,
    facilitator::SettleResponse,
    text::{Base58, Decimal, Hex32, Key},
};

use crate::{
    assurance::{Assurance, Observed},
    payment::{Action, Attempt, History, Operation, OperationState, Problem, RestsOn, Tracked},
    settle::Settled,
    stream::Vouched,
    verify::Rejection,
};

/// The answer to a request that was accepted, now or before.
pub fn settled(network: &str, settled: &Settled) -> SettleResponse {
    let Settled { history, tracked, required, .. } = settled;
    let operation = &tracked.operation;
    let attempt = tracked.decisive_attempt();
    let problem = unsettled_because(operation, attempt, *required);
    SettleResponse {
        success: problem.is_none(),
        error_reason: problem.as_ref().map(|problem| problem.code.to_string()),
        error_message: problem.map(|problem| problem.message),
        payer: Some(history.payment.payer.into()),
        transaction: attempt.map(|attempt| Base58(attempt.signature).to_string()).unwrap_or_default(),
        network: network.to_owned(),
        amount: Some(Decimal(moved(history, operation))),
        extra: Some(extra(settled)),
    }
}

/// The answer to a voucher that was accepted. No transaction: it is captured later.
pub fn vouched(network: &str, vouched: &Vouched) -> SettleResponse {
    let Vouched { before, voucher, increment, assurance, repeated } = vouched;
    let members = json!({
        "paymentId": Hex32(before.payment.id),
        "hold": Key::from(before.payment.hold()),
        "state": before.state().as_str(),
        "status": status(before.authorization()),
        "vouched": Decimal(voucher.amount),
        "captured": Decimal(before.settled_sums().captured),
        "alreadySettled": repeated,
    });
    SettleResponse {
        success: true,
        error_reason: None,
        error_message: None,
        payer: Some(before.payment.payer.into()),
        transaction: String::new(),
        network: network.to_owned(),
        amount: Some(Decimal(*increment)),
        extra: Some(object(members).into_iter().chain(object(json!(assurance))).collect()),
    }
}

/// The answer to a request that was not accepted.
pub fn rejected(network: &str, rejection: Rejection) -> SettleResponse {
    SettleResponse {
        success: false,
        error_reason: Some(rejection.code.to_string()),
        error_message: Some(rejection.message),
        payer: None,
        transaction: String::new(),
        network: network.to_owned(),
        amount: None,
        extra: None,
    }
}

/// Why the answer is not yes.
fn unsettled_because(operation: &Operation, attempt: Option<&Attempt>, required: Level) -> Option<Problem> {
    if operation.has_reached(required) {
        return None;
    }
    let problem = |code, message: String| Some(Problem { code, message });
    if operation.state.is_negative() {
        return operation
            .problem
            .clone()
            .or_else(|| problem(ErrorCode::InvalidTransactionState, "the transaction failed".to_owned()));
    }
    match (&operation.problem, attempt) {
        (Some(known), _) if operation.state == OperationState::Queued => problem(
            known.code,
            format!("{}; it is stored, and tried again until it can't succeed any more", known.message),
        ),
        (_, Some(_)) => problem(
            ErrorCode::SettlementPending,
            format!(
                "the transaction was sent and is {}, but must be {}; settle again to learn what became of it",
                status(operation.state),
                required.as_str()
            ),
        ),
        (_, None) => problem(
            ErrorCode::UnexpectedSettleError,
            "it is stored, but could not be sent yet; settle again to learn what became of it".to_owned(),
        ),
    }
}

/// What the operation holds or moves by itself, in base units.
fn moved(history: &History, operation: &Operation) -> u64 {
    match operation.action {
        Action::Authorize => history.payment.intent.amount,
        Action::Capture { amount, .. } | Action::Close { amount, .. } => {
            let before =
                history.operations.iter().map(|tracked| &tracked.operation).filter_map(
                    |earlier| match earlier.action {
                        Action::Capture { amount, .. } | Action::Close { amount, .. }
                            if earlier.id < operation.id && !earlier.state.is_negative() =>
                        {
                            Some(amount)
                        }
                        _ => None,
                    },
                );
            amount.saturating_sub(before.max().unwrap_or(0))
        }
        Action::Refund { amount } => {
            let refunds = history.operations.iter().map(|tracked| &tracked.operation);
            let before = refunds.filter_map(|earlier| match earlier.action {
                Action::Refund { amount } if earlier.id < operation.id && !earlier.state.is_negative() => {
                    Some(amount)
                }
                _ => None,
            });
            amount.saturating_sub(before.max().unwrap_or(0))
        }
        Action::Void { .. } | Action::Reclaim | Action::CloseHold => 0,
    }
}

/// How far an operation is, as merchants are told: not on chain is `unsettled`, whatever the reason.
fn status(state: OperationState) -> &'static str {
    match state {
        OperationState::Queued | OperationState::Sent => "unsettled",
        other => other.as_str(),
    }
}

fn extra(settled: &Settled) -> Map<String, Value> {
    let Settled { history, tracked, asked, required, repeated } = settled;
    let operation = &tracked.operation;
    let landing = tracked.decisive_attempt().and_then(|attempt| attempt.state.landing());
    let sums = history.settled_sums();
    let members = json!({
        "paymentId": Hex32(history.payment.id),
        "hold": Key::from(history.payment.hold()),
        "state": history.state().as_str(),
        "status": status(operation.state),
        "slot": landing.map(|landing| landing.slot),
        "blockHash": landing.and_then(|landing| landing.block_hash).map(Base58),
        "confirmations": landing.map_or(0, |landing| landing.confirmations),
        "captured": Decimal(sums.captured),
        "refunded": Decimal(sums.refunded),
        "released": Decimal(history.payment.intent.amount.saturating_sub(sums.ends_at)),
        "alreadySettled": repeated,
    });
    let assurance = Assurance {
        rests_on: history.rests_on(&operation.action),
        commitment_asked: *asked,
        commitment_required: *required,
        observed: Observed::of(history, operation),
    };
    object(members).into_iter().chain(object(json!(assurance))).collect()
}

fn object(members: Value) -> Map<String, Value> {
    match members {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// All that is known of a payment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentReport {
    payment_id: Hex32,
    state: &'static str,
    network: String,
    program: Key,
    payer: Key,
    escrow: Key,
    session_key: Key,
    hold: Key,
    receiver: Key,
    capture_authorizer: Key,
    receiver_authorizer: Key,
    fee_recipient: Key,
    asset: Key,
    /// What was authorized, in base units.
    amount: Decimal,
    /// What was captured, the fee included, as far as it is on chain.
    captured: Decimal,
    fee: Decimal,
    /// What the receiver returned of it, as far as it is on chain.
    refunded: Decimal,
    /// The last voucher's amount, if the hold is streamed: what it will come to.
    #[serde(skip_serializing_if = "Option::is_none")]
    vouched: Option<Decimal>,
    /// What went back to the escrow, as far as it is on chain.
    released: Decimal,
    nonce: Decimal,
    authorize_by: i64,
    capture_deadline: i64,
    refund_deadline: i64,
    resource_hash: Hex32,
    accepted_at: i64,
    operations: Vec<OperationReport>,
    transactions: Vec<TransactionReport>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OperationReport {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fee: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<bool>,
    accepted_at: i64,
    rests_on: RestsOn,
    commitment_required: Level,
    #[serde(flatten)]
    observed: Observed,
    status: &'static str,
    error: Option<ProblemReport>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TransactionReport {
    kind: &'static str,
    signature: Base58<64>,
    status: &'static str,
    slot: Option<u64>,
    block_hash: Option<Key>,
    confirmations: u64,
    error: Option<ProblemReport>,
}

#[derive(Clone, Debug, Serialize)]
struct ProblemReport {
    code: &'static str,
    message: String,
}

impl From<&Problem> for ProblemReport {
    fn from(problem: &Problem) -> Self {
        Self { code: problem.code.as_str(), message: problem.message.clone() }
    }
}

/// Reports a payment.
pub fn payment(network: &str, history: &History) -> PaymentReport {
    let payment = &history.payment;
    let intent = &payment.intent;
    let sums = history.settled_sums();
    PaymentReport {
        payment_id: Hex32(payment.id),
        state: history.state().as_str(),
        network: network.to_owned(),
        program: intent.program.into(),
        payer: payment.payer.into(),
        escrow: intent.escrow.into(),
        session_key: intent.session_key.into(),
        hold: payment.hold().into(),
        receiver: intent.receiver.into(),
        capture_authorizer: intent.capture_authorizer.into(),
        receiver_authorizer: intent.receiver_authorizer.into(),
        fee_recipient: intent.fee_recipient.into(),
        asset: payment.mint.into(),
        amount: Decimal(intent.amount),
        captured: Decimal(sums.captured),
        fee: Decimal(sums.fee),
        refunded: Decimal(sums.refunded),
        vouched: history.voucher.map(|voucher| Decimal(voucher.amount)),
        released: Decimal(intent.amount.saturating_sub(sums.ends_at)),
        nonce: Decimal(intent.nonce),
        authorize_by: intent.authorize_by,
        capture_deadline: intent.capture_deadline,
        refund_deadline: intent.refund_deadline,
        resource_hash: Hex32(intent.resource_hash),
        accepted_at: payment.accepted_at,
        operations: history.operations.iter().map(|tracked| operation(history, &tracked.operation)).collect(),
        transactions: history.operations.iter().flat_map(transactions).collect(),
    }
}

fn operation(history: &History, operation: &Operation) -> OperationReport {
    let (amount, fee, last) = match operation.action {
        Action::Authorize => (Some(history.payment.intent.amount), None, None),
        Action::Capture { amount, fee, last, .. } => (Some(amount), Some(Decimal(fee)), Some(last)),
        Action::Close { amount, fee, .. } => (Some(amount), Some(Decimal(fee)), Some(true)),
        Action::Void { amount, .. } | Action::Refund { amount } => (Some(amount), None, None),
        Action::Reclaim | Action::CloseHold => (None, None, None),
    };
    OperationReport {
        kind: operation.action.kind(),
        amount: amount.map(Decimal),
        fee,
        last,
        accepted_at: operation.accepted_at,
        rests_on: history.rests_on(&operation.action),
        commitment_required: operation.commitment,
        observed: Observed::of(history, operation),
        status: status(operation.state),
        error: operation.problem.as_ref().map(ProblemReport::from),
    }
}

fn transactions(tracked: &Tracked) -> impl Iterator<Item = TransactionReport> {
    tracked.attempts.iter().map(|attempt| {
        let landing = attempt.state.landing();
        TransactionReport {
            kind: tracked.operation.action.kind(),
            signature: Base58(attempt.signature),
            status: attempt.state.as_str(),
            slot: landing.map(|landing| landing.slot),
            block_hash: landing.and_then(|landing| landing.block_hash).map(Base58),
            confirmations: landing.map_or(0, |landing| landing.confirmations),
            error: landing.and_then(|landing| landing.error.as_ref()).map(ProblemReport::from),
        }
    })
}
