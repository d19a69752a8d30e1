//! What is told about payments: the answers of `/settle` and `/payments/{id}`. No I/O.

mod payment;

use serde_json::{Map, Value, json};
use x402_escrow_wire::{
    auth_capture::Level,
    error_code::ErrorCode,
    facilitator::SettleResponse,
    text::{Base58, Decimal, Hex32, Key},
};

pub use payment::{PaymentReport, payment};

use crate::{
    assurance::{Assurance, Observed},
    payment::{Action, Attempt, History, Operation, OperationState, Problem, Tracked, Voucher},
    verify::Rejection,
};

/// An operation as far as it got in the time that a caller waits.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The payment and all that was done with it.
    pub history: History,
    /// The operation that was asked for.
    pub tracked: Tracked,
    /// What the merchant asked for.
    pub asked: Option<Level>,
    /// How sure it must be for this caller.
    pub required: Level,
    /// Whether an equal request came before.
    pub repeated: bool,
}

/// A voucher that was accepted.
#[derive(Clone, Debug)]
pub struct Vouched {
    /// The payment, as it was before.
    pub before: History,
    /// The voucher.
    pub voucher: Voucher,
    /// How sure its hold is.
    pub assurance: Assurance,
    /// What it added to those before it, in base units.
    pub increment: u64,
    /// Whether it was accepted before.
    pub repeated: bool,
}

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
        Action::Refund { returns, .. } => returns,
        Action::Void { .. } | Action::Reclaim => 0,
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
