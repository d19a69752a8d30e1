//! One payment in the books.

use serde::Serialize;
use x402_escrow_interface::{Address, instruction::Signature, message::Digest};
use x402_escrow_wire::text::{Base58, Decimal, Hex32, Key};

use super::Total;
use crate::payment::{Action, History, Outcome, Resource, Tracked};

/// A payment, as books have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The payment.
    pub id: Digest,
    /// The scheme's name.
    pub scheme: &'static str,
    /// When it was accepted, unix seconds.
    pub accepted_at: i64,
    /// Whose money it was.
    pub payer: Address,
    /// Who is paid.
    pub receiver: Address,
    /// Who may sign for the receiver; in the scheme `exact` the receiver itself.
    pub receiver_authorizer: Address,
    /// The token.
    pub mint: Address,
    /// The most that it authorizes, in base units.
    pub amount: u64,
    /// Its outcome and sums.
    pub booked: Booked,
    /// The resource that the payer signed for.
    pub resource_hash: Option<Digest>,
    /// The resource that the client names; nobody signed it.
    pub resource: Resource,
}

/// The outcome and sums of a payment, as its operations give them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booked {
    /// In one word.
    pub outcome: Outcome,
    /// What was captured, the fee included, in base units.
    pub captured: u64,
    /// The fee recipient's part of that.
    pub fee: u64,
    /// What the receiver returned.
    pub refunded: u64,
    /// What the chain holds of it: neither captured nor released.
    pub held: u64,
    /// The transaction that paid, else the newest in a block.
    pub transaction: Option<Signature>,
}

impl Booked {
    /// What `history` comes to.
    pub fn of(history: &History) -> Self {
        let sums = history.settled_sums();
        let landed = || {
            let landed = |tracked: &&Tracked| tracked.operation.state.has_landed();
            history.operations.iter().rev().filter(landed)
        };
        let pays = |tracked: &&Tracked| {
            matches!(
                tracked.operation.action,
                Action::Charge { .. } | Action::Transfer | Action::Capture { .. } | Action::Close { .. }
            )
        };
        let decisive = landed().find(pays).or_else(|| landed().next());
        Self {
            outcome: history.outcome(),
            captured: sums.captured,
            fee: sums.fee,
            refunded: sums.refunded,
            held: if history.authorization().has_landed() { sums.left() } else { 0 },
            transaction: decisive.and_then(Tracked::decisive_attempt).map(|attempt| attempt.signature),
        }
    }

    /// What it adds to its day.
    pub fn total(&self) -> Total {
        Total {
            payments: i64::from(self.captured > 0),
            captured: self.captured.into(),
            fee: self.fee.into(),
            refunded: self.refunded.into(),
        }
    }
}

/// An entry, as it is answered.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryReport {
    payment_id: Hex32,
    scheme: &'static str,
    accepted_at: i64,
    outcome: &'static str,
    payer: Key,
    asset: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
    amount: Decimal,
    captured: Decimal,
    fee: Decimal,
    refunded: Decimal,
    transaction: Option<Base58<64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_hash: Option<Hex32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<String>,
}

impl Entry {
    /// The entry as it is answered. `symbol` is the token's, where that is known.
    pub fn report(&self, symbol: Option<&str>) -> EntryReport {
        EntryReport {
            payment_id: Hex32(self.id),
            scheme: self.scheme,
            accepted_at: self.accepted_at,
            outcome: self.booked.outcome.as_str(),
            payer: self.payer.into(),
            asset: self.mint.into(),
            symbol: symbol.map(str::to_owned),
            amount: Decimal(self.amount),
            captured: Decimal(self.booked.captured),
            fee: Decimal(self.booked.fee),
            refunded: Decimal(self.booked.refunded),
            transaction: self.booked.transaction.map(Base58),
            resource_hash: self.resource_hash.map(Hex32),
            url: self.resource.url.clone(),
            product: self.resource.product.clone(),
        }
    }
}
