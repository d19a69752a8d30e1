use anchor_lang::prelude::*;

use super::{Escrow, Session, VERSION};
use crate::error::EscrowError;

/// One authorized payment. Seeds: `"hold"`, session, nonce (`u64`, little-endian).
///
/// `fee <= captured < amount` after every instruction: the account is closed as soon as nothing is held.
#[account]
pub struct Hold {
    pub version: u8,
    pub padding: [u8; 5],
    pub maximum_fee_bps: u16,
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
    /// Where the payment ends, in base units: the intent's amount, or what it was lowered to.
    pub amount: u64,
    /// All that left the vault, the fee included.
    pub captured: u64,
    /// The part of `captured` that went to the fee recipient.
    pub fee: u64,
    /// Last second for captures.
    pub capture_deadline: i64,
    /// The session's period that the payment counts in.
    pub period_index: u64,
    pub spare: [u8; 16],
}

impl Hold {
    pub(crate) fn has_known_version(&self) -> bool {
        self.version == VERSION
    }

    /// What is still held.
    pub(crate) fn held(&self) -> u64 {
        self.amount.saturating_sub(self.captured)
    }

    /// Ends the payment at `end`, or at what is captured where that is more, and gives what is above back to the escrow and
    /// the session. Returns that: 0 where the payment ended there before.
    pub(crate) fn end_at(&mut self, end: u64, escrow: &mut Escrow, session: &mut Session) -> Result<u64> {
        let end = end.max(self.captured);
        let released = self.amount.saturating_sub(end);
        if released > 0 {
            escrow.release(released)?;
            session.give_back(released, self.period_index)?;
            self.amount = end;
        }
        Ok(released)
    }

    /// Closes the hold's account if nothing is held any more; its rent goes back to whoever paid it.
    pub(crate) fn close_when_done(
        hold: &mut Account<Self>,
        session: &mut Session,
        rent_payer: &UncheckedAccount,
    ) -> Result<()> {
        if hold.held() > 0 {
            return Ok(());
        }
        session.open_holds = session.open_holds.checked_sub(1).ok_or(EscrowError::AmountOverflow)?;
        hold.close(*rent_payer.account())
    }
}
