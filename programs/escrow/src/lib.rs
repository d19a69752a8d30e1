//! Escrow for x402 on Solana: one prefunded token balance per payer, from which any number of receivers are paid
//! against messages signed by the payer's session keys.
//!
//! `held <= balance <= vault amount` holds after every instruction: money is counted in the escrow account and never
//! read off the vault. There is no admin and no global account.

#![cfg_attr(not(any(test, feature = "idl-build")), no_std)]

extern crate alloc;

use anchor_lang::prelude::*;

mod consent;
mod error;
mod events;
mod incarnation;
mod instructions;
mod intent;
mod mint;
mod payout;
mod receiver_terms;
mod remaining;
mod state;
mod token;

use consent::Consent;
use instructions::*;
use intent::IntentTerms;
use remaining::RemainingAccounts;
use state::SessionLimits;

declare_id!(env!("X402_ESCROW_PROGRAM_ID"));

// Not where the program is compiled into another one, which has a security.txt of its own.
#[cfg(not(feature = "no-entrypoint"))]
solana_security_txt::security_txt! {
    name: "x402-escrow",
    project_url: env!("X402_ESCROW_PROJECT_URL"),
    contacts: env!("X402_ESCROW_SECURITY_CONTACT"),
    policy: "SECURITY.md in the source"
}

/// What is already true is no error: an instruction whose effect is there succeeds and changes nothing, so that a relay
/// that comes second learns that the work is done, and fails no transaction that carries others.
///
/// `remaining.rs` says which accounts follow an instruction's own.
#[program]
pub mod x402_escrow {
    use super::*;

    /// Creates the payer's escrow of one mint.
    #[discrim = 0]
    pub fn open_escrow(ctx: &mut Context<OpenEscrow>) -> Result<()> {
        let bump = ctx.bumps.escrow;
        ctx.accounts.open_escrow(bump)
    }

    /// Names who may revoke sessions besides the payer; all zero bytes for nobody.
    #[discrim = 1]
    pub fn set_guardian(ctx: &mut Context<SetGuardian>, guardian: Address) -> Result<()> {
        ctx.accounts.set_guardian(guardian)
    }

    /// Moves tokens into an escrow; anyone may.
    ///
    /// A receiver refunds a payment by a deposit that names the digest of its intent. The event repeats it; nothing else
    /// is made of it.
    #[discrim = 2]
    pub fn deposit(
        ctx: &mut Context<Deposit>,
        amount: u64,
        refunded_payment: Option<[u8; 32]>,
    ) -> Result<()> {
        ctx.accounts.deposit(amount, refunded_payment)
    }

    /// Credits the escrow with tokens that reached its vault by plain transfer; anyone may.
    #[discrim = 3]
    pub fn sync(ctx: &mut Context<Sync>) -> Result<()> {
        ctx.accounts.sync()
    }

    /// Pays free balance out at once: `amount`, or all of it.
    #[discrim = 4]
    pub fn withdraw(ctx: &mut Context<Withdraw>, amount: Option<u64>) -> Result<()> {
        ctx.accounts.withdraw(amount)
    }

    /// Closes an escrow without sessions, and its vault. All that the vault has goes to the payer's destination, the rent
    /// back to whoever paid it.
    #[discrim = 5]
    pub fn close_escrow(ctx: &mut Context<CloseEscrow>) -> Result<()> {
        ctx.accounts.close_escrow()
    }

    /// Gives an agent's key a bounded right to sign intents.
    #[discrim = 6]
    pub fn open_session(ctx: &mut Context<OpenSession>, limits: SessionLimits) -> Result<()> {
        ctx.accounts.open_session(limits)
    }

    /// Changes a session's limits; what is spent stays spent, and a revoked session stays revoked.
    #[discrim = 7]
    pub fn update_session(ctx: &mut Context<UpdateSession>, limits: SessionLimits) -> Result<()> {
        ctx.accounts.update_session(limits)
    }

    /// Stops a session at once: nothing more can be authorized. What is held stays held.
    #[discrim = 8]
    pub fn revoke_session(ctx: &mut Context<RevokeSession>, consent: Consent<'_>) -> Result<()> {
        ctx.accounts.revoke_session(&consent)
    }

    /// Stops every session that was opened in this slot or before.
    #[discrim = 9]
    pub fn revoke_sessions(
        ctx: &mut Context<RevokeSessions>,
        opened_through_slot: u64,
        consent: Consent<'_>,
    ) -> Result<()> {
        ctx.accounts.revoke_sessions(opened_through_slot, &consent)
    }

    /// Closes a session without open holds; its rent goes back to whoever paid it.
    #[discrim = 10]
    pub fn close_session(ctx: &mut Context<CloseSession>) -> Result<()> {
        ctx.accounts.close_session()
    }

    /// Holds an amount for a receiver against a signed intent; anyone may relay it.
    #[discrim = 11]
    pub fn authorize(ctx: &mut Context<Authorize>, intent: IntentTerms<'_>) -> Result<()> {
        ctx.accounts.authorize(&intent)
    }

    /// Pays the receiver up to a cumulative `amount` out of a hold, within what the capture authorizer agreed to; `bound`
    /// says what that is where it is not `amount` without a fee.
    #[discrim = 12]
    pub fn capture(
        ctx: &mut Context<Capture>,
        amount: u64,
        end: End<'_>,
        bound: Option<CaptureBound>,
        consent: Consent<'_>,
    ) -> Result<()> {
        let remaining = ctx.remaining_accounts()?;
        ctx.accounts.capture(amount, &end, bound, &consent, RemainingAccounts(&remaining))
    }

    /// Ends a hold at `amount`, or at what is captured where that is more; the rest goes back to the escrow's free balance.
    #[discrim = 13]
    pub fn void(ctx: &mut Context<Void>, amount: u64, consent: Consent<'_>) -> Result<()> {
        let remaining = ctx.remaining_accounts()?;
        ctx.accounts.void(amount, &consent, RemainingAccounts(&remaining))
    }

    /// Releases what is left of a hold after its capture deadline; anyone may.
    #[discrim = 14]
    pub fn reclaim(ctx: &mut Context<Reclaim>) -> Result<()> {
        ctx.accounts.reclaim()
    }

    /// Pays a receiver at once, without a hold, against an intent of the flow `authorization`.
    ///
    /// `capture` is needed unless the session key is the capture authorizer; below the intent's amount either it is the
    /// last or `release` is needed.
    #[discrim = 15]
    pub fn charge(
        ctx: &mut Context<Charge>,
        intent: IntentTerms<'_>,
        amount: u64,
        capture: Option<ChargeCapture<'_>>,
        release: Option<Consent<'_>>,
    ) -> Result<()> {
        let remaining = ctx.remaining_accounts()?;
        let remaining = RemainingAccounts(&remaining);
        ctx.accounts.charge(&intent, amount, capture.as_ref(), release.as_ref(), remaining)
    }
}
