//! All that is known of a payment that is paid at once, for `GET /payments/{id}`, its events and the webhook.

use serde::Serialize;
use x402_escrow_wire::{
    exact::SCHEME,
    text::{Base58, Decimal, Hex32, Key},
};

use crate::{
    assurance::Observed,
    payment::{History, RestsOn, Tracked, TransferTerms},
};

/// All that is known of a payment that is paid at once.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferReport {
    payment_id: Hex32,
    scheme: &'static str,
    network: String,
    payer: Key,
    receiver: Key,
    asset: Key,
    amount: Decimal,
    accepted_at: i64,
    signature: Option<Base58<64>>,
    rests_on: RestsOn,
    #[serde(flatten)]
    observed: Observed,
    status: &'static str,
    slot: Option<u64>,
    block_hash: Option<Key>,
    /// Whether somebody was told that it is paid.
    claimed: bool,
    error: Option<String>,
}

/// Reports a payment that is paid at once.
pub(super) fn report(network: &str, history: &History, transfer: &TransferTerms) -> TransferReport {
    let payment = &history.payment;
    let tracked = history.operations.first();
    let attempt = tracked.and_then(Tracked::decisive_attempt);
    let landing = attempt.and_then(|attempt| attempt.state.landing());
    let problem = landing.and_then(|landing| landing.error.as_ref());
    TransferReport {
        payment_id: Hex32(payment.id),
        scheme: SCHEME,
        network: network.to_owned(),
        payer: payment.payer.into(),
        receiver: payment.receiver.into(),
        asset: payment.mint.into(),
        amount: Decimal(payment.amount),
        accepted_at: payment.accepted_at,
        signature: attempt.map(|attempt| Base58(attempt.signature)),
        rests_on: RestsOn::Balance,
        observed: Observed::of_hold(history),
        status: tracked.map_or("unsettled", |tracked| tracked.operation.status()),
        slot: landing.map(|landing| landing.slot),
        block_hash: landing.and_then(|landing| landing.block_hash).map(Base58),
        claimed: transfer.is_told,
        error: problem.map(|problem| problem.message.clone()),
    }
}
