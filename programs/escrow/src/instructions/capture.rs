use anchor_lang::{address_eq, prelude::*};
use x402_escrow_interface::message;

use crate::{
    error::EscrowError,
    events::Captured,
    instructions::close_hold::close_if_finished,
    signature::require_authorizer,
    state::{Escrow, Hold, Session},
    token::{Transfer, associated_token_address},
};

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
        last: bool,
        signature: Option<&[u8; 64]>,
        remaining: &[AccountView],
    ) -> Result<()> {
        let now = Clock::get()?.unix_timestamp;
        let hold = &*self.hold;
        require!(now <= hold.capture_deadline, EscrowError::CaptureDeadlinePassed);
        let digest = || message::Capture { intent_digest: hold.intent_digest, amount, fee, last }.digest();
        let remaining = require_authorizer(
            &hold.capture_authorizer,
            signature,
            &message::Capture::TAG,
            digest,
            remaining,
        )?;

        require!(amount <= hold.amount, EscrowError::CaptureAboveHold);
        require!(
            !last || address_eq(&hold.capture_authorizer, &hold.receiver_authorizer),
            EscrowError::LastCaptureNotAllowed
        );
        // A last capture of nothing more is a release: the same key could void.
        let releases = last && amount == hold.captured && hold.remaining()? > 0;
        require!(amount > hold.captured || releases, EscrowError::NothingToCapture);
        let paid = amount.checked_sub(hold.captured).ok_or(EscrowError::NothingToCapture)?;
        require!(fee <= hold.maximum_fee(amount), EscrowError::FeeTooHigh);
        let paid_fee = fee.checked_sub(hold.fee).ok_or(EscrowError::FeeBelowTaken)?;
        let paid_receiver = paid.checked_sub(paid_fee).ok_or(EscrowError::FeeTooHigh)?;

        self.escrow.pay_held(paid)?;
        self.hold.captured = amount;
        self.hold.fee = fee;
        let mut released = 0;
        if last && self.hold.remaining()? > 0 {
            released = self.hold.release_above(amount, &mut self.escrow, &mut self.session)?;
        }

        if paid_receiver > 0 {
            let mut receiver = *self.receiver_token_account.account();
            self.pay_out(&mut receiver, paid_receiver);
        }
        if paid_fee > 0 {
            let mut fee_account = *remaining.first().ok_or(EscrowError::WrongFeeTokenAccount)?;
            let expected = associated_token_address(
                &self.hold.fee_recipient,
                &self.escrow.token_program,
                &self.escrow.mint,
            );
            require!(address_eq(fee_account.address(), &expected), EscrowError::WrongFeeTokenAccount);
            self.pay_out(&mut fee_account, paid_fee);
        }

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

    /// Moves `amount` from the vault to `to`, signed by the escrow.
    fn pay_out(&mut self, to: &mut AccountView, amount: u64) {
        let Escrow { payer, mint, bump, decimals, .. } = *self.escrow;
        let seeds: [&[u8]; 4] = [b"escrow", payer.as_ref(), mint.as_ref(), &[bump]];
        Transfer {
            from: self.vault.cpi_handle_mut().into(),
            mint: self.mint.cpi_handle(),
            to: CpiHandleMut::writable(to).into(),
            authority: self.escrow.cpi_handle(),
            token_program: self.token_program.address(),
            decimals,
        }
        .invoke(amount, &[&seeds]);
    }
}
