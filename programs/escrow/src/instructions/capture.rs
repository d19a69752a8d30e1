use anchor_lang::{address_eq, prelude::*};
use x402_escrow_interface::message;

use crate::{
    error::EscrowError,
    events::Captured,
    instructions::close_hold::close_if_finished,
    intent::maximum_fee,
    signature::{require_authorizer, verify},
    state::{Escrow, Hold, Session},
    token::Payout,
};

/// What becomes of the part of a hold that a capture leaves.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy)]
pub enum Rest {
    /// It stays held.
    Held,
    /// The capture is the last and releases it. Only where one key is both authorizers.
    Released,
    /// The receiver authorizer releases it, by this signature over the release at the captured amount.
    ReleasedBySignature([u8; 64]),
}

#[derive(Accounts)]
pub struct Capture {
    #[account(mut)]
    pub escrow: Account<Escrow>,
    #[account(mut, constraint(address_eq(&session.escrow, escrow.address()) @ EscrowError::WrongSession))]
    pub session: Account<Session>,
    #[account(mut, constraint(address_eq(&hold.session, session.address()) @ EscrowError::WrongHold))]
    pub hold: Account<Hold>,
    #[account(mut, address = escrow.vault @ EscrowError::WrongVault)]
    pub vault: UncheckedAccount,
    #[account(mut, address = hold.receiver_token_account @ EscrowError::WrongReceiverTokenAccount)]
    pub receiver_token_account: UncheckedAccount,
    /// Gets the hold's rent back when this capture ends it.
    #[account(mut, unsafe(dup), address = hold.rent_payer @ EscrowError::WrongRentPayer)]
    pub rent_payer: UncheckedAccount,
    #[account(address = escrow.mint @ EscrowError::WrongMint)]
    pub mint: UncheckedAccount,
    #[account(address = escrow.token_program @ EscrowError::WrongTokenProgram)]
    pub token_program: UncheckedAccount,
}

impl Capture {
    pub(crate) fn capture(
        &mut self,
        amount: u64,
        fee: u64,
        rest: Rest,
        signature: Option<&[u8; 64]>,
        remaining: &[AccountView],
    ) -> Result<()> {
        let now = Clock::get()?.unix_timestamp;
        let hold = &*self.hold;
        require!(now <= hold.capture_deadline, EscrowError::CaptureDeadlinePassed);
        let intent_digest = hold.intent_digest;
        let last = matches!(rest, Rest::Released);
        let remaining = require_authorizer(
            &hold.capture_authorizer,
            signature,
            &message::Capture::TAG,
            || message::Capture { intent_digest, amount, fee, last }.digest(),
            remaining,
        )?;

        require!(amount <= hold.amount, EscrowError::CaptureAboveHold);
        match rest {
            Rest::Held => {}
            Rest::Released => {
                let one_key = address_eq(&hold.capture_authorizer, &hold.receiver_authorizer);
                require!(one_key, EscrowError::LastCaptureNotAllowed);
            }
            Rest::ReleasedBySignature(signature) => {
                let digest = message::Release { intent_digest, amount }.digest();
                verify(&hold.receiver_authorizer, &signature, &message::Release::TAG, &digest)?;
            }
        }
        // A capture that pays nothing more may still release the rest.
        let releases = !matches!(rest, Rest::Held) && amount < hold.amount;
        require!(
            amount > hold.captured || (releases && amount == hold.captured),
            EscrowError::NothingToCapture
        );
        let paid = amount.checked_sub(hold.captured).ok_or(EscrowError::NothingToCapture)?;
        require!(fee <= maximum_fee(amount, hold.maximum_fee_bps), EscrowError::FeeTooHigh);
        let paid_fee = fee.checked_sub(hold.fee).ok_or(EscrowError::FeeBelowTaken)?;
        let paid_receiver = paid.checked_sub(paid_fee).ok_or(EscrowError::FeeTooHigh)?;

        self.escrow.pay_held(paid)?;
        self.hold.captured = amount;
        self.hold.fee = fee;
        let mut released = 0;
        if releases {
            released = self.hold.release_above(amount, &mut self.escrow, &mut self.session)?;
        }

        let payout = Payout {
            escrow: &self.escrow,
            vault: &self.vault,
            mint: &self.mint,
            token_program: self.token_program.address(),
        };
        payout.pay(self.receiver_token_account.account(), paid_receiver);
        payout.pay_fee(&self.hold.fee_recipient, remaining, paid_fee)?;

        emit!(Captured {
            escrow: *self.escrow.address(),
            receiver: self.hold.receiver,
            intent_digest: self.hold.intent_digest,
            amount: paid,
            fee: paid_fee,
            captured: amount,
            released,
        });
        close_if_finished(&mut self.hold, &mut self.session, &self.rent_payer, now)
    }
}
