//! What is told about payments: the answers of `/settle` and `/payments/{id}`. Uses `assurance`, `payment`, `stream`,
//! `verify`.

mod payment;
mod transfer;

use std::sync::Arc;

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
    payment::{Action, Attempt, History, Operation, OperationState, Problem, Terms, Tracked},
    stream::Stream,
    verify::Rejection,
};
use payment::HoldReport;
use transfer::TransferReport;

/// All that is known of a payment.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum PaymentReport {
    /// One that is held first, or charged by an intent.
    Hold(Box<HoldReport>),
    /// One that is paid at once.
    Transfer(Box<TransferReport>),
}

/// Reports a payment.
pub fn payment(network: &str, history: &History) -> PaymentReport {
    match &history.payment.terms {
        Terms::Hold(signed) | Terms::Charge(signed) => {
            PaymentReport::Hold(Box::new(payment::report(network, history, signed)))
        }
        Terms::Transfer(transfer) => {
            PaymentReport::Transfer(Box::new(transfer::report(network, history, transfer)))
        }
    }
}

/// An operation as far as it got in the time that a caller waits.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The payment and all that was done with it.
    pub history: History,
    /// The operation that was asked for.
    pub tracked: Tracked,
    /// What the merchant asked for.
    pub commitment_asked: Option<Level>,
    /// How sure it must be for this caller.
    pub commitment_required: Level,
    /// Whether an equal request came before; of a transfer that is paid, whether one was told so.
    pub repeated: bool,
    /// Whether that was for who asks now.
    pub claimed: bool,
    /// Why the answer is no although it is as sure as it must be.
    pub objection: Option<Rejection>,
}

impl Progress {
    /// Whether it is as sure as it must be for this caller.
    pub fn is_sure_enough(&self) -> bool {
        self.tracked.operation.has_reached(self.commitment_required)
    }
}

/// A voucher that was accepted.
#[derive(Clone, Debug)]
pub struct Vouched {
    /// The hold, as it was before.
    pub stream: Arc<Stream>,
    /// All that was bought with it, in base units.
    pub amount: u64,
    /// How sure its hold is.
    pub assurance: Assurance,
    /// What it added to those before it, in base units.
    pub increment: u64,
    /// Whether it was accepted before.
    pub repeated: bool,
    /// Whether that was for who asks now.
    pub claimed: bool,
}

/// The answer to a request that was accepted, now or before.
pub fn settled(network: &str, progress: &Progress) -> SettleResponse {
    let Progress { history, tracked, commitment_required, objection, .. } = progress;
    let operation = &tracked.operation;
    let attempt = tracked.decisive_attempt();
    let problem = objection
        .clone()
        .map(Problem::from)
        .or_else(|| unsettled_because(operation, attempt, *commitment_required));
    SettleResponse {
        success: problem.is_none(),
        error_reason: problem.as_ref().map(|problem| problem.code.to_string()),
        error_message: problem.map(|problem| problem.message),
        payer: Some(history.payment.payer.into()),
        transaction: attempt.map(|attempt| Base58(attempt.signature).to_string()).unwrap_or_default(),
        network: network.to_owned(),
        amount: Some(Decimal(moved(history, operation))),
        extra: Some(extra(progress)),
    }
}

/// The answer to a voucher that was accepted. No transaction: it is captured later.
pub fn vouched(network: &str, vouched: &Vouched) -> SettleResponse {
    let Vouched { stream, amount, increment, assurance, repeated, claimed } = vouched;
    let members = json!({
        "paymentId": Hex32(stream.id),
        "hold": Key::from(stream.hold),
        "state": stream.state.as_str(),
        "status": stream.status,
        "vouched": Decimal(*amount),
        "captured": Decimal(stream.captured),
        "alreadySettled": repeated,
    });
    SettleResponse {
        success: true,
        error_reason: None,
        error_message: None,
        payer: Some(stream.payer.into()),
        transaction: String::new(),
        network: network.to_owned(),
        amount: Some(Decimal(*increment)),
        extra: Some(
            [members, claimed_member(*claimed), json!(assurance)].into_iter().flat_map(object).collect(),
        ),
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
    if let Some(failure) = operation.failure() {
        return Some(failure);
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
                operation.status(),
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
        Action::Authorize | Action::Transfer => history.payment.amount,
        Action::Charge { amount, .. } => amount,
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

fn extra(progress: &Progress) -> Map<String, Value> {
    let Progress { history, tracked, commitment_asked, commitment_required, repeated, claimed, .. } =
        progress;
    let operation = &tracked.operation;
    let landing = tracked.decisive_attempt().and_then(|attempt| attempt.state.landing());
    let members = json!({
        "paymentId": Hex32(history.payment.id),
        "status": operation.status(),
        "slot": landing.map(|landing| landing.slot),
        "blockHash": landing.and_then(|landing| landing.block_hash).map(Base58),
        "alreadySettled": repeated,
    });
    let of_intent = history.intent().map(|_| {
        let sums = history.settled_sums();
        json!({
            "state": history.state().as_str(),
            "captured": Decimal(sums.captured),
            "refunded": Decimal(sums.refunded),
            "released": Decimal(history.payment.amount.saturating_sub(sums.ends_at)),
        })
    });
    let hold = history.hold().map(|hold| json!({ "hold": Key::from(hold.address()) }));
    let assurance = Assurance {
        rests_on: history.rests_on(&operation.action),
        commitment_asked: *commitment_asked,
        commitment_required: *commitment_required,
        observed: Observed::of(history, operation),
    };
    [
        members,
        claimed_member(*claimed),
        hold.unwrap_or_default(),
        of_intent.unwrap_or_default(),
        json!(assurance),
    ]
    .into_iter()
    .flat_map(object)
    .collect()
}

/// Says so only where it is so.
fn claimed_member(claimed: bool) -> Value {
    if claimed { json!({ "claimed": true }) } else { Value::Null }
}

fn object(members: Value) -> Map<String, Value> {
    match members {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
