use anchor_lang::{address_eq, prelude::*};
use x402_escrow_interface::{
    fee::fee_due,
    message::{Capture, PaymentFlow, Release},
};

use crate::{
    consent::Consent,
    error::EscrowError,
    events::{Charged, log},
    instructions::CaptureBound,
    intent::{IntentTerms, Parties},
    payout::Payout,
    remaining::RemainingAccounts,
    state::{Escrow, Payee, Session},
    token::associated_token_address,
};

#[derive(Accounts)]
pub struct Charge {
    #[account(mut, constraint(escrow.has_known_version() @ EscrowError::UnknownVersion))]
    pub escrow: Account<Escrow>,
    #[account(
        mut,
        constraint(session.has_known_version() @ EscrowError::UnknownVersion),
        constraint(address_eq(&session.escrow, escrow.address()) @ EscrowError::WrongSession)
    )]
    pub session: Account<Session>,
    #[account(mut, address = escrow.vault @ EscrowError::WrongVault)]
    pub vault: UncheckedAccount,
    #[account(
        mut,
        address = associated_token_address(receiver.address(), &escrow.token_program, &escrow.mint)
            @ EscrowError::WrongReceiverTokenAccount
    )]
    pub receiver_token_account: UncheckedAccount,
    /// The intent's parties, proven by the signature over the intent.
    pub receiver: UncheckedAccount,
    pub capture_authorizer: UncheckedAccount,
    pub receiver_authorizer: UncheckedAccount,
    pub fee_recipient: UncheckedAccount,
    #[account(address = escrow.mint @ EscrowError::WrongMint)]
    pub mint: UncheckedAccount,
    #[account(address = escrow.token_program @ EscrowError::WrongTokenProgram)]
    pub token_program: UncheckedAccount,
}

/// The capture under which a charge pays.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy)]
pub struct ChargeCapture<'a> {
    /// What the capture authorizer agreed to; `None` is the charged amount without a fee.
    pub bound: Option<CaptureBound>,
    /// Whether the capture is the last, and so ends the payment at its bound. Only where one key is both authorizers.
    pub last: bool,
    /// The capture authorizer's.
    pub consent: Consent<'a>,
}

impl Charge {
    pub(crate) fn charge(
        &mut self,
        terms: &IntentTerms<'_>,
        amount: u64,
        capture: Option<&ChargeCapture<'_>>,
        release: Option<&Consent<'_>>,
        remaining: RemainingAccounts<'_>,
    ) -> Result<()> {
        let now = Clock::get()?.unix_timestamp;
        require!(amount > 0, EscrowError::ZeroAmount);
        require!(amount <= terms.amount, EscrowError::ChargeAboveIntent);
        let parties = Parties {
            escrow: self.escrow.address(),
            receiver: self.receiver.address(),
            capture_authorizer: self.capture_authorizer.address(),
            receiver_authorizer: self.receiver_authorizer.address(),
            fee_recipient: self.fee_recipient.address(),
        };
        let intent_digest = terms.digest(&self.session, &parties, PaymentFlow::Authorization);
        terms.require_valid(&self.session, &parties, &intent_digest, now)?;
        let signed_fee = self.require_capture(amount, capture, intent_digest, remaining)?;
        if amount < terms.amount && !capture.is_some_and(|capture| capture.last) {
            let release = release.ok_or(EscrowError::MissingRelease)?;
            let message = || Release { intent_digest, amount }.digest();
            release.require(
                parties.receiver_authorizer,
                &intent_digest,
                &Release::TAG,
                message,
                remaining,
            )?;
        }

        require!(!self.escrow.has_revoked(&self.session), EscrowError::SessionRevoked);
        let payee = Payee { receiver: self.receiver.address(), terms: &terms.receiver_terms };
        self.session.spend(amount, terms.nonce, &payee, now)?;
        self.escrow.take_free(amount)?;
        let maximum_fee_bps = terms.receiver_terms.maximum_fee_bps();
        let payout = Payout {
            escrow: &self.escrow,
            vault: &self.vault,
            mint: &self.mint,
            token_program: self.token_program.address(),
        };
        let fee = payout.pay_split(
            &self.receiver_token_account,
            self.fee_recipient.address(),
            remaining,
            amount,
            fee_due(signed_fee, 0, amount, maximum_fee_bps, amount),
        )?;

        log(&Charged {
            escrow: *self.escrow.address(),
            session: *self.session.address(),
            receiver: *self.receiver.address(),
            capture_authorizer: *self.capture_authorizer.address(),
            receiver_authorizer: *self.receiver_authorizer.address(),
            fee_recipient: *self.fee_recipient.address(),
            intent_digest,
            resource_hash: *terms.resource_hash,
            amount,
            fee,
            nonce: terms.nonce,
            refund_deadline: terms.refund_deadline,
            balance: self.escrow.balance,
            held: self.escrow.held,
            spent: self.session.spent,
        });
        Ok(())
    }

    /// The capture authorizer consents to what is paid: by its capture, or by the intent where it is the session key and
    /// there is no fee. Returns the fee that it consents to.
    fn require_capture(
        &self,
        amount: u64,
        capture: Option<&ChargeCapture<'_>>,
        intent_digest: [u8; 32],
        remaining: RemainingAccounts<'_>,
    ) -> Result<u64> {
        let authorizer = self.capture_authorizer.address();
        let Some(&ChargeCapture { bound, last, consent }) = capture else {
            require!(address_eq(authorizer, &self.session.session_key), EscrowError::MissingCapture);
            return Ok(0);
        };
        let CaptureBound { amount: bound, fee } = CaptureBound::or_amount(bound, amount);
        require!(amount <= bound, EscrowError::CaptureAboveBound);
        if last {
            let one_key = address_eq(authorizer, self.receiver_authorizer.address());
            require!(one_key, EscrowError::LastCaptureNotAllowed);
            require!(amount == bound, EscrowError::LastCaptureNotInFull);
        }
        let message = || Capture { intent_digest, amount: bound, fee, last }.digest();
        consent.require(authorizer, &intent_digest, &Capture::TAG, message, remaining)?;
        Ok(fee)
    }
}
