use anchor_lang::{address_eq, prelude::*};
use x402_escrow_interface::message::{Capture, PaymentFlow, Release};

use crate::{
    error::EscrowError,
    events::Charged,
    intent::{IntentTerms, Parties, maximum_fee},
    signature::require_authorizer,
    state::{Escrow, Session},
    token::{Payout, associated_token_address},
};

#[derive(Accounts)]
pub struct Charge {
    #[account(mut)]
    pub escrow: Account<Escrow>,
    #[account(mut, constraint(address_eq(&session.escrow, escrow.address()) @ EscrowError::WrongSession))]
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

/// How much of an intent is charged, and who allows that.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy)]
pub struct ChargeTerms {
    /// What is paid, the fee included; at most the intent's amount.
    pub amount: u64,
    /// The part of `amount` that goes to the fee recipient.
    pub fee: u64,
    /// By the receiver authorizer over the release at `amount`; asked for below the intent's amount.
    pub release_signature: Option<[u8; 64]>,
    /// By the capture authorizer over the last capture of `amount` and `fee`; asked for where there is a fee, which
    /// the receiver pays.
    pub capture_signature: Option<[u8; 64]>,
}

impl Charge {
    pub(crate) fn charge(
        &mut self,
        terms: &IntentTerms,
        charge: &ChargeTerms,
        remaining: &[AccountView],
    ) -> Result<()> {
        let ChargeTerms { amount, fee, .. } = *charge;
        let now = Clock::get()?.unix_timestamp;
        terms.check(now)?;
        require!(amount > 0, EscrowError::ZeroAmount);
        require!(amount <= terms.amount, EscrowError::ChargeAboveIntent);
        require!(fee <= maximum_fee(amount, terms.maximum_fee_bps), EscrowError::FeeTooHigh);
        let parties = Parties {
            escrow: self.escrow.address(),
            receiver: self.receiver.address(),
            capture_authorizer: self.capture_authorizer.address(),
            receiver_authorizer: self.receiver_authorizer.address(),
            fee_recipient: self.fee_recipient.address(),
        };
        let intent_digest = terms.verify(&self.session, &parties, PaymentFlow::Authorization)?;
        let remaining = self.require_consent(terms, charge, &intent_digest, remaining)?;

        self.session.spend(amount, terms.nonce, self.receiver.address(), terms.maximum_fee_bps, now)?;
        self.escrow.hold(amount)?;
        self.escrow.pay_held(amount)?;
        let payout = Payout {
            escrow: &self.escrow,
            vault: &self.vault,
            mint: &self.mint,
            token_program: self.token_program.address(),
        };
        payout.pay(self.receiver_token_account.account(), amount.saturating_sub(fee));
        payout.pay_fee(self.fee_recipient.address(), remaining, fee)?;

        emit!(Charged {
            escrow: *self.escrow.address(),
            session: *self.session.address(),
            receiver: *self.receiver.address(),
            intent_digest,
            resource_hash: terms.resource_hash,
            amount,
            fee,
            nonce: terms.nonce,
        });
        Ok(())
    }

    /// The receiver's side consents to less than the intent's amount, and to a fee. Returns the accounts left over.
    fn require_consent<'a>(
        &self,
        terms: &IntentTerms,
        charge: &ChargeTerms,
        intent_digest: &[u8; 32],
        mut remaining: &'a [AccountView],
    ) -> Result<&'a [AccountView]> {
        let ChargeTerms { amount, fee, .. } = *charge;
        let intent_digest = *intent_digest;
        if amount < terms.amount {
            remaining = require_authorizer(
                self.receiver_authorizer.address(),
                charge.release_signature.as_ref(),
                &Release::TAG,
                || Release { intent_digest, amount }.digest(),
                remaining,
            )?;
        }
        if fee > 0 {
            remaining = require_authorizer(
                self.capture_authorizer.address(),
                charge.capture_signature.as_ref(),
                &Capture::TAG,
                || Capture { intent_digest, amount, fee, last: true }.digest(),
                remaining,
            )?;
        }
        Ok(remaining)
    }
}
