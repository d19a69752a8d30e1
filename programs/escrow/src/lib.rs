//! Escrow for x402 on Solana: one prefunded token balance per payer, from which any number of receivers are paid
//! against messages signed by the payer's session keys.
//!
//! `held <= balance <= vault amount` holds after every instruction: money is counted in the escrow account and never
//! read off the vault. There is no admin and no global account.

#![cfg_attr(not(any(test, feature = "idl-build")), no_std)]

use anchor_lang::prelude::*;

mod error;
mod events;
mod incarnation;
mod instructions;
mod intent;
mod mint;
mod signature;
mod state;
mod token;

use instructions::*;
use intent::IntentTerms;
use state::SessionLimits;

declare_id!("EscCGhKaoAfdc5duTCF8ofGLLP11LfXnV5AZdontFE3T");

// Not where the program is compiled into another one, which has a security.txt of its own.
#[cfg(not(feature = "no-entrypoint"))]
solana_security_txt::security_txt! {
    name: "x402-escrow",
    project_url: env!("X402_ESCROW_PROJECT_URL"),
    contacts: env!("X402_ESCROW_SECURITY_CONTACT"),
    policy: "SECURITY.md in the source"
}

#[program]
pub mod x402_escrow {
    use super::*;

    /// Creates the payer's escrow of one mint.
    #[discrim = 0]
    pub fn open_escrow(ctx: &mut Context<OpenEscrow>, withdraw_delay_seconds: u32) -> Result<()> {
        let bump = ctx.bumps.escrow;
        ctx.accounts.open_escrow(withdraw_delay_seconds, bump)
    }

    /// Moves tokens into an escrow; anyone may.
    ///
    /// A receiver refunds a charge, which leaves no account, by a deposit that names the digest of its intent. The
    /// event repeats it; nothing else is made of it.
    #[discrim = 1]
    pub fn deposit(ctx: &mut Context<Deposit>, amount: u64, refunded_intent: Option<[u8; 32]>) -> Result<()> {
        ctx.accounts.deposit(amount, refunded_intent)
    }

    /// Credits the escrow with tokens that reached its vault by plain transfer; anyone may.
    #[discrim = 2]
    pub fn sync(ctx: &mut Context<Sync>) -> Result<()> {
        ctx.accounts.sync()
    }

    /// Gives an agent's key a bounded right to sign intents.
    #[discrim = 3]
    pub fn open_session(ctx: &mut Context<OpenSession>, limits: SessionLimits) -> Result<()> {
        ctx.accounts.open_session(limits)
    }

    /// Stops a session at once: nothing more can be authorized. What is held stays held.
    #[discrim = 4]
    pub fn revoke_session(ctx: &mut Context<RevokeSession>) -> Result<()> {
        ctx.accounts.revoke_session()
    }

    /// Closes a session without open holds; its rent goes back to whoever paid it.
    #[discrim = 5]
    pub fn close_session(ctx: &mut Context<CloseSession>) -> Result<()> {
        ctx.accounts.close_session()
    }

    /// Holds an amount for a receiver against a signed intent; anyone may relay it.
    #[discrim = 6]
    pub fn authorize(ctx: &mut Context<Authorize>, intent: IntentTerms) -> Result<()> {
        let hold_bump = ctx.bumps.hold;
        ctx.accounts.authorize(&intent, hold_bump)
    }

    /// Pays the receiver up to a cumulative `amount` out of a hold.
    ///
    /// Remaining accounts: the capture authorizer where it signs the transaction (`signature` is `None`); then the
    /// fee recipient's associated token account where `fee` grows.
    #[discrim = 7]
    pub fn capture(
        ctx: &mut Context<Capture>,
        amount: u64,
        rest: Rest,
        fee: Option<u64>,
        signature: Option<[u8; 64]>,
    ) -> Result<()> {
        let remaining = ctx.remaining_accounts()?;
        ctx.accounts.capture(amount, fee.unwrap_or(0), rest, signature.as_ref(), &remaining)
    }

    /// Ends a hold at `amount`; what is above it goes back to the escrow's free balance.
    ///
    /// Remaining accounts: the receiver authorizer where it signs the transaction (`signature` is `None`).
    #[discrim = 8]
    pub fn void(ctx: &mut Context<Void>, amount: u64, signature: Option<[u8; 64]>) -> Result<()> {
        let remaining = ctx.remaining_accounts()?;
        ctx.accounts.void(amount, signature.as_ref(), &remaining)
    }

    /// Releases what is left of a hold after its capture deadline; anyone may.
    #[discrim = 9]
    pub fn reclaim(ctx: &mut Context<Reclaim>) -> Result<()> {
        ctx.accounts.reclaim()
    }

    /// Returns captured money from the receiver to the escrow, until the refund deadline.
    #[discrim = 10]
    pub fn refund(ctx: &mut Context<Refund>, amount: u64) -> Result<()> {
        ctx.accounts.refund(amount)
    }

    /// Closes a finished hold that was kept for refunds; anyone may.
    #[discrim = 11]
    pub fn close_hold(ctx: &mut Context<CloseHold>) -> Result<()> {
        ctx.accounts.close_hold()
    }

    /// Announces a withdrawal; a second request replaces the first and starts the delay again.
    #[discrim = 12]
    pub fn request_withdrawal(ctx: &mut Context<RequestWithdrawal>, amount: u64) -> Result<()> {
        ctx.accounts.request_withdrawal(amount)
    }

    /// Takes a requested withdrawal back.
    #[discrim = 13]
    pub fn cancel_withdrawal(ctx: &mut Context<CancelWithdrawal>) -> Result<()> {
        ctx.accounts.cancel_withdrawal()
    }

    /// Pays out a requested withdrawal after the delay, as far as it is not held.
    #[discrim = 14]
    pub fn withdraw(ctx: &mut Context<Withdraw>) -> Result<()> {
        ctx.accounts.withdraw()
    }

    /// Changes a session's limits; what is spent stays spent, and a revoked session stays revoked.
    #[discrim = 15]
    pub fn update_session(ctx: &mut Context<UpdateSession>, limits: SessionLimits) -> Result<()> {
        ctx.accounts.update_session(limits)
    }

    /// Closes an empty escrow without sessions, and its vault; the rent goes back to whoever paid it.
    #[discrim = 16]
    pub fn close_escrow(ctx: &mut Context<CloseEscrow>) -> Result<()> {
        ctx.accounts.close_escrow()
    }

    /// Pays a receiver at once, without a hold, against an intent of the flow `authorization`.
    ///
    /// Remaining accounts: the receiver authorizer and the capture authorizer where their consent is asked for and
    /// they sign the transaction instead of a message; then the fee recipient's associated token account where a fee
    /// is taken.
    #[discrim = 17]
    pub fn charge(ctx: &mut Context<Charge>, intent: IntentTerms, terms: ChargeTerms) -> Result<()> {
        let remaining = ctx.remaining_accounts()?;
        ctx.accounts.charge(&intent, &terms, &remaining)
    }
}
