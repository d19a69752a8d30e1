//! What is told about payments: the answers of `/settle` and `/payments/{id}`. No I/O.

use serde::Serialize;
use serde_json::{Map, Value, json};
use x402_escrow_wire::{
    auth_capture::{Commitment, Level},
    exact::SCHEME,
    facilitator::SettleResponse,
    text::{Base58, Decimal, Hex32, Key},
};

use crate::exact::payment::Payment;
use crate::{
    assurance::{Assurance, Observed},
    payment::{AttemptState, RestsOn},
    verify::Rejection,
};

/// A payment as far as it got in the time that a caller waits.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The payment.
    pub payment: Payment,
    /// What the merchant asked for.
    pub asked: Option<Level>,
    /// How final it must be for this caller.
    pub commitment: Commitment,
    /// Whether an equal request came before; of a yes, whether one was told yes.
    pub repeated: bool,
    /// Why the answer is not yes.
    pub problem: Option<Rejection>,
}

/// The answer to a request whose transaction was signed, now or before.
pub fn settled(network: &str, settled: Settled) -> SettleResponse {
    let extra = extra(&settled);
    let Settled { payment, problem, .. } = settled;
    let (code, message) = problem.map(|problem| (problem.code.to_string(), problem.message)).unzip();
    SettleResponse {
        success: code.is_none(),
        error_reason: code,
        error_message: message,
        payer: Some(payment.payer.into()),
        transaction: Base58(payment.signature).to_string(),
        network: network.to_owned(),
        amount: Some(Decimal(payment.amount)),
        extra: Some(extra),
    }
}

fn extra(settled: &Settled) -> Map<String, Value> {
    let payment = &settled.payment;
    let landing = payment.state.landing();
    let members = json!({
        "paymentId": Hex32(payment.id),
        "status": status(&payment.state),
        "slot": landing.map(|landing| landing.slot),
        "blockHash": landing.and_then(|landing| landing.block_hash).map(Base58),
        "confirmations": landing.map_or(0, |landing| landing.confirmations),
        "alreadySettled": settled.repeated,
    });
    let assurance = Assurance {
        rests_on: RestsOn::Balance,
        commitment_asked: settled.asked,
        commitment_required: settled.commitment.into(),
        observed: observed(&payment.state),
    };
    let members = [members, json!(assurance)].into_iter();
    members.filter_map(|members| members.as_object().cloned()).flatten().collect()
}

fn observed(state: &AttemptState) -> Observed {
    let landing = state.landing().filter(|landing| landing.error.is_none());
    landing.map_or(Observed::default(), |landing| Observed::at(landing.commitment, landing.slot))
}

/// How far a transaction is: not on chain is `unsettled`, or `expired` once it can't be any more.
fn status(state: &AttemptState) -> &'static str {
    match state {
        AttemptState::Sent => "unsettled",
        other => other.as_str(),
    }
}

/// All that is known of a payment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentReport {
    payment_id: Hex32,
    scheme: &'static str,
    network: String,
    payer: Key,
    receiver: Key,
    asset: Key,
    amount: Decimal,
    accepted_at: i64,
    signature: Base58<64>,
    rests_on: RestsOn,
    #[serde(flatten)]
    observed: Observed,
    status: &'static str,
    slot: Option<u64>,
    block_hash: Option<Key>,
    confirmations: u64,
    /// Whether somebody was told that it is paid.
    claimed: bool,
    error: Option<String>,
}

/// Reports a payment.
pub fn payment(network: &str, payment: &Payment) -> PaymentReport {
    let landing = payment.state.landing();
    PaymentReport {
        payment_id: Hex32(payment.id),
        scheme: SCHEME,
        network: network.to_owned(),
        payer: payment.payer.into(),
        receiver: payment.receiver.into(),
        asset: payment.mint.into(),
        amount: Decimal(payment.amount),
        accepted_at: payment.accepted_at,
        signature: Base58(payment.signature),
        rests_on: RestsOn::Balance,
        observed: observed(&payment.state),
        status: status(&payment.state),
        slot: landing.map(|landing| landing.slot),
        block_hash: landing.and_then(|landing| landing.block_hash).map(Base58),
        confirmations: landing.map_or(0, |landing| landing.confirmations),
        claimed: payment.claimed,
        error: landing.and_then(|landing| landing.error.as_ref()).map(|problem| problem.message.clone()),
    }
}
