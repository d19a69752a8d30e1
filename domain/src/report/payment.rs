//! All that is known of a payment that is held first or charged, for `GET /payments/{id}`, its events and the webhook.

use serde::Serialize;
use x402_escrow_interface::message::PaymentFlow;
use x402_escrow_wire::{
    auth_capture::{AUTHORIZATION_FLOW, ESCROW_FLOW, Level},
    text::{Base58, Decimal, Hex32, Key},
};

use crate::{
    assurance::Observed,
    payment::{Action, History, HoldTerms, Operation, Problem, RestsOn, Tracked},
};

/// All that is known of a payment that is held first or charged.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldReport {
    payment_id: Hex32,
    state: &'static str,
    network: String,
    program: Key,
    payer: Key,
    escrow: Key,
    session_key: Key,
    payment_flow: &'static str,
    /// Where it is held, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<Key>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    returns: Option<Decimal>,
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
    /// Whether somebody else sent it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    by_others: bool,
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

/// Reports a payment that is held first or charged.
pub(super) fn report(network: &str, history: &History, signed: &HoldTerms) -> HoldReport {
    let payment = &history.payment;
    let intent = &signed.intent;
    let sums = history.settled_sums();
    HoldReport {
        payment_id: Hex32(payment.id),
        state: history.state().as_str(),
        network: network.to_owned(),
        program: intent.program.into(),
        payer: payment.payer.into(),
        escrow: intent.escrow.into(),
        session_key: intent.session_key.into(),
        payment_flow: match intent.flow {
            PaymentFlow::Escrow => ESCROW_FLOW,
            PaymentFlow::Authorization => AUTHORIZATION_FLOW,
        },
        hold: history.hold().map(|hold| hold.address().into()),
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
        Action::Authorize | Action::Transfer => (Some(history.payment.amount), None, None),
        Action::Charge { amount, fee, .. } => (Some(amount), Some(Decimal(fee)), None),
        Action::Capture { amount, fee, last, .. } => (Some(amount), Some(Decimal(fee)), Some(last)),
        Action::Close { amount, fee, .. } => (Some(amount), Some(Decimal(fee)), Some(true)),
        Action::Void { amount, .. } | Action::Refund { amount, .. } => (Some(amount), None, None),
        Action::Reclaim => (None, None, None),
    };
    OperationReport {
        kind: operation.action.kind(),
        amount: amount.map(Decimal),
        fee,
        last,
        returns: match operation.action {
            Action::Refund { returns, .. } => Some(Decimal(returns)),
            _ => None,
        },
        accepted_at: operation.accepted_at,
        rests_on: history.rests_on(&operation.action),
        commitment_required: operation.commitment,
        observed: Observed::of(history, operation),
        status: operation.status(),
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
            by_others: attempt.is_by_others(),
            error: landing.and_then(|landing| landing.error.as_ref()).map(ProblemReport::from),
        }
    })
}
