use anchor_lang::prelude::*;

use super::{Escrow, Session};
use crate::error::EscrowError;

/// One authorized payment. Seeds: `"hold"`, session, nonce (`u64`, little-endian).
#[account]
pub struct Hold {
    pub session: Address,
    pub receiver: Address,
    /// The receiver's associated token account: the only one a capture pays to.
    pub receiver_token_account: Address,
    pub capture_authorizer: Address,
    pub receiver_authorizer: Address,
    pub fee_recipient: Address,
    /// Gets the rent back.
    pub rent_payer: Address,
    /// The payment's identity, which captures and releases sign.
    pub intent_digest: [u8; 32],
    /// What the payment can come to, in base units; lowered to `captured` when the rest is released.
    pub amount: u64,
    /// All that left the vault, the fee included.
    pub captured: u64,
    /// The part of `captured` that went to the fee recipient.
    pub fee: u64,
    /// The part of `captured` that came back.
    pub refunded: u64,
    /// Last second for captures.
    pub capture_deadline: i64,
    /// Last second for refunds; 0 for none.
    pub refund_deadline: i64,
    /// The session's period that the payment counts in.
    pub period_index: u64,
    pub maximum_fee_bps: u16,
    pub reserved: [u8; 6],
}

impl Hold {
    /// Whether nothing is held and nothing can be refunded at `now`, so that the account can go.
    pub(crate) fn is_finished(&self, now: i64) -> bool {
        self.amount == self.captured && (self.refunded == self.captured || now > self.refund_deadline)
    }

    /// Lowers the payment to `amount` and gives what is above it back to the escrow and the session. Returns that.
    pub(crate) fn release_above(
        &mut self,
        amount: u64,
        escrow: &mut Escrow,
        session: &mut Session,
    ) -> Result<u64> {
        require!(amount >= self.captured, EscrowError::ReleaseBelowCaptured);
        let released = self.amount.checked_sub(amount).ok_or(EscrowError::NothingToRelease)?;
        require!(released > 0, EscrowError::NothingToRelease);
        escrow.release(released)?;
        session.give_back(released, self.period_index)?;
        self.amount = amount;
        Ok(released)
    }
}
