use anchor_lang::{address_eq, prelude::*};
use x402_escrow_interface::{
    fee::fee_due,
    message::{self, Release},
};

use crate::{
    consent::{self, Consent},
    error::EscrowError,
    events::{Captured, log},
    payout::Payout,
    remaining::RemainingAccounts,
    state::{Escrow, Hold, Session},
};

/// What the capture authorizer agreed to, where that is more than the amount that the instruction names.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy)]
pub struct CaptureBound {
    /// The most that may be captured so far, the fee included.
    pub amount: u64,
    /// The most that may have gone to the fee recipient so far.
    pub fee: u64,
}

impl CaptureBound {
    /// The bound that was given, or `amount` without a fee.
    pub(crate) fn or_amount(bound: Option<Self>, amount: u64) -> Self {
        bound.unwrap_or(Self { amount, fee: 0 })
    }
}

/// Where the payment ends after a capture.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy)]
pub enum End<'a> {
    /// Where it ended before.
    Unchanged,
    /// At the capture's bound: it is the last. Only where one key is both authorizers.
    AtBound,
    /// At the amount that the instruction names, by the receiver authorizer's signature over that release.
    AtAmount(&'a [u8; 64]),
}

#[derive(Accounts)]
pub struct Capture {
    #[account(mut, constraint(escrow.has_known_version() @ EscrowError::UnknownVersion))]
    pub escrow: Account<Escrow>,
    #[account(
        mut,
        constraint(session.has_known_version() @ EscrowError::UnknownVersion),
        constraint(address_eq(&session.escrow, escrow.address()) @ EscrowError::WrongSession)
    )]
    pub session: Account<Session>,
    #[account(
        mut,
        constraint(hold.has_known_version() @ EscrowError::UnknownVersion),
        constraint(address_eq(&hold.session, session.address()) @ EscrowError::WrongHold)
    )]
    pub hold: Account<Hold>,
    #[account(mut, address = escrow.vault @ EscrowError::WrongVault)]
    pub vault: UncheckedAccount,
    #[account(mut, address = hold.receiver_token_account @ EscrowError::WrongReceiverTokenAccount)]
    pub receiver_token_account: UncheckedAccount,
    /// Gets the hold's rent back when nothing is held any more. `unsafe(dup)`: it may be another of the accounts too, and
    /// only its lamports change.
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
        end: &End<'_>,
        bound: Option<CaptureBound>,
        consent: &Consent<'_>,
        remaining: RemainingAccounts<'_>,
    ) -> Result<()> {
        let bound = CaptureBound::or_amount(bound, amount);
        require!(amount <= bound.amount, EscrowError::CaptureAboveBound);
        let hold = &*self.hold;
        // Where the payment ends before the signed bound, all up to there is paid.
        let captured = amount.min(hold.amount).max(hold.captured);
        let paid = captured.saturating_sub(hold.captured);
        let ends = match end {
            End::Unchanged => false,
            End::AtBound | End::AtAmount(_) => captured < hold.amount,
        };
        if paid == 0 && !ends {
            return Ok(());
        }
        if paid > 0 {
            let now = Clock::get()?.unix_timestamp;
            require!(now <= hold.capture_deadline, EscrowError::CaptureDeadlinePassed);
        }
        self.require_consent(amount, end, bound, consent, remaining)?;

        self.escrow.pay_held(paid)?;
        self.hold.captured = captured;
        let released = if ends { self.hold.end_at(amount, &mut self.escrow, &mut self.session)? } else { 0 };
        let hold = &*self.hold;
        let fee_due = fee_due(bound.fee, hold.fee, captured, hold.maximum_fee_bps, paid);
        let payout = Payout {
            escrow: &self.escrow,
            vault: &self.vault,
            mint: &self.mint,
            token_program: self.token_program.address(),
        };
        let fee =
            payout.pay_split(&self.receiver_token_account, &hold.fee_recipient, remaining, paid, fee_due)?;
        self.hold.fee = self.hold.fee.checked_add(fee).ok_or(EscrowError::AmountOverflow)?;

        log(&Captured {
            escrow: *self.escrow.address(),
            session: *self.session.address(),
            hold: *self.hold.address(),
            receiver: self.hold.receiver,
            intent_digest: self.hold.intent_digest,
            amount: paid,
            fee,
            captured,
            released,
            left: self.hold.held(),
            balance: self.escrow.balance,
            held: self.escrow.held,
        });
        Hold::close_when_done(&mut self.hold, &mut self.session, &self.rent_payer)
    }

    /// The capture authorizer consents to what is paid, the receiver authorizer to where the payment ends.
    fn require_consent(
        &self,
        amount: u64,
        end: &End<'_>,
        bound: CaptureBound,
        consent: &Consent<'_>,
        remaining: RemainingAccounts<'_>,
    ) -> Result<()> {
        let hold = &*self.hold;
        let intent_digest = hold.intent_digest;
        let last = matches!(end, End::AtBound);
        let CaptureBound { amount: bound, fee } = bound;
        let capture = || message::Capture { intent_digest, amount: bound, fee, last }.digest();
        consent.require(
            &hold.capture_authorizer,
            &intent_digest,
            &message::Capture::TAG,
            capture,
            remaining,
        )?;
        match end {
            End::Unchanged => Ok(()),
            End::AtBound => {
                let one_key = address_eq(&hold.capture_authorizer, &hold.receiver_authorizer);
                require!(one_key, EscrowError::LastCaptureNotAllowed);
                require!(amount == bound, EscrowError::LastCaptureNotInFull);
                Ok(())
            }
            End::AtAmount(signature) => {
                let release = Release { intent_digest, amount }.digest();
                consent::verify(&hold.receiver_authorizer, signature, &Release::TAG, &release)
            }
        }
    }
}
