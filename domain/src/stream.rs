//! What a voucher is judged by: a hold as far as it was accepted and seen. It stays the same until something else is done
//! with the payment. Uses `assurance`, `payment`, `signature`.

use x402_escrow_interface::{
    Address,
    message::{Digest, Intent},
};
use x402_escrow_wire::claim::Claim;

use crate::{
    assurance::Observed,
    payment::{History, OperationState, PaymentState, RestsOn, Sums},
    signature::Key,
};

/// A payment that is held first, of which vouchers may be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The payment.
    pub id: Digest,
    /// Whose money it is.
    pub payer: Address,
    /// The token.
    pub mint: Address,
    /// What the payer signed.
    pub intent: Intent,
    /// The hold's address.
    pub hold: Address,
    /// The capture authorizer, if anything can be signed by it.
    pub capture_key: Option<Key>,
    /// How far the hold is.
    pub authorization: OperationState,
    /// The name of that in answers.
    pub status: &'static str,
    /// Where the payment stands.
    pub state: PaymentState,
    /// The sums as they will be once all that was accepted is on chain.
    pub accepted: Sums,
    /// What was captured as far as it is on chain, in base units.
    pub captured: u64,
    /// What a voucher rests on.
    pub rests_on: RestsOn,
    /// What is known of the hold.
    pub observed: Observed,
    /// Whether nothing but the hold was accepted, or only what came to nothing.
    pub is_untouched: bool,
}

impl Stream {
    /// What of `history` a voucher is judged by; `None` if nothing is held first.
    pub fn of(history: &History) -> Option<Self> {
        let hold = history.hold()?;
        Some(Self {
            id: history.payment.id,
            payer: history.payment.payer,
            mint: history.payment.mint,
            intent: hold.intent,
            hold: hold.address(),
            capture_key: Key::new(&hold.intent.capture_authorizer),
            authorization: history.authorization(),
            status: history.operations.first().map_or("", |first| first.operation.status()),
            state: history.state(),
            accepted: history.accepted_sums(),
            captured: history.settled_sums().captured,
            rests_on: history.rests_on_hold(),
            observed: Observed::of_hold(history),
            is_untouched: history.is_untouched(),
        })
    }

    /// How much was bought or captured before a voucher, in base units. `last` is the amount of the last voucher.
    pub fn before(&self, last: Option<u64>) -> u64 {
        last.unwrap_or(0).max(self.accepted.captured)
    }

    /// What a voucher of `amount` base units adds to those before it, of which the last is of `last`.
    pub fn increment(&self, last: Option<u64>, amount: u64) -> u64 {
        amount.saturating_sub(self.before(last))
    }

    /// Whether a voucher that `first` claimed is told again to `asked` at `now`, unix seconds.
    pub fn tells_again(&self, first: Claim, asked: Option<Claim>, now: i64) -> bool {
        asked == Some(first) && now <= self.intent.capture_deadline && self.is_untouched
    }
}
