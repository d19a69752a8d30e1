//! Whether an intent would be authorized: the program's own rules, checked against what the chain says, with margins.
//! Messages name fields of the payment as merchant and payer see them.

use x402_escrow_interface::{
    Address,
    account::{Escrow, Session},
    address::associated_token,
    instruction::Signature,
    message::Intent,
    replay_window::{self, NonceError, WINDOW_NONCES},
};
use x402_escrow_wire::{error_code::ErrorCode, text::Key};

use super::{Rejection, require};
use crate::{
    facts::{Facts, View},
    policy::Policy,
    signature,
};

/// Checks that the session key signed the intent.
///
/// # Errors
/// If the signature is not one that the program would accept.
pub fn check_signature(intent: &Intent, by: &Signature) -> Result<(), Rejection> {
    require(
        signature::is_valid(&intent.session_key, &intent.signed_bytes(), by),
        ErrorCode::SignatureInvalid,
        || {
            "payload.signature: is not a strict Ed25519 signature by payload.sessionKey over this intent; sign the 47 \
             bytes that POST /intents returned, and change no field afterwards"
                .to_owned()
        },
    )
}

/// Checks the intent against the chain and the policy. Returns the escrow. `reserved` is what is promised to others
/// already, in base units, beyond what each view shows, in the order of [`Facts::views`].
///
/// # Errors
/// If the program would refuse it, or might by the time it is there.
pub fn check(
    intent: &Intent,
    asset: &Address,
    facts: &Facts,
    reserved: &[u64],
    policy: &Policy,
) -> Result<Escrow, Rejection> {
    check_times(intent, facts.newest.now, policy)?;
    for (index, view) in facts.views().enumerate().skip(1) {
        check_view(intent, asset, view, reserved_beyond(reserved, index))?;
    }
    check_view(intent, asset, &facts.newest, reserved_beyond(reserved, 0))
}

/// What is not told is promised altogether.
fn reserved_beyond(reserved: &[u64], view: usize) -> u64 {
    reserved.get(view).copied().unwrap_or(u64::MAX)
}

/// Amount, fee and deadlines.
fn check_times(intent: &Intent, now: i64, policy: &Policy) -> Result<(), Rejection> {
    require(intent.amount > 0, ErrorCode::InvalidPaymentRequirements, || {
        "amount: must be above zero".to_owned()
    })?;
    require(intent.amount >= policy.minimum_hold_amount, ErrorCode::AmountTooSmall, || {
        format!("amount: must be at least {} base units, is {}", policy.minimum_hold_amount, intent.amount)
    })?;
    require(intent.maximum_fee_bps <= 10_000, ErrorCode::InvalidExtra, || {
        "extra.maxFeeBps: must be at most 10000 basis points".to_owned()
    })?;
    let left = intent.capture_deadline.saturating_sub(now);
    let bounds = policy.minimum_capture_seconds..=policy.maximum_capture_seconds;
    require(bounds.contains(&left), ErrorCode::DeadlinesInvalid, || {
        format!(
            "extra.captureDeadline: must be {} to {} seconds from now, is {left}",
            bounds.start(),
            bounds.end()
        )
    })?;
    let left = intent.authorize_by.saturating_sub(now);
    require(left >= policy.minimum_authorize_seconds, ErrorCode::IntentExpired, || {
        format!(
            "payload.authorizeBy: leaves {left} seconds, and at least {} are needed to put the intent on chain",
            policy.minimum_authorize_seconds
        )
    })?;
    require(intent.authorize_by <= intent.capture_deadline, ErrorCode::DeadlinesInvalid, || {
        format!(
            "payload.authorizeBy: {} is after extra.captureDeadline {}",
            intent.authorize_by, intent.capture_deadline
        )
    })?;
    let refundable = intent.refund_deadline == 0 || intent.capture_deadline <= intent.refund_deadline;
    require(refundable, ErrorCode::DeadlinesInvalid, || {
        "extra.refundDeadline: must not be before extra.captureDeadline, or 0 for no refunds".to_owned()
    })?;
    let refundable_for = intent.refund_deadline.saturating_sub(intent.capture_deadline);
    require(refundable_for <= policy.maximum_refund_seconds, ErrorCode::DeadlinesInvalid, || {
        format!(
            "extra.refundDeadline: must be at most {} seconds after extra.captureDeadline, is {refundable_for}",
            policy.maximum_refund_seconds
        )
    })
}

fn check_view(intent: &Intent, asset: &Address, view: &View, reserved: u64) -> Result<Escrow, Rejection> {
    let escrow = view.escrow.ok_or_else(|| {
        Rejection::new(
            ErrorCode::EscrowNotFound,
            format!("payload.escrow: {} is not an escrow of this program on this network", intent.escrow),
        )
    })?;
    require(escrow.mint == *asset, ErrorCode::AssetMismatch, || {
        format!("asset: the escrow holds {}, not {asset}", escrow.mint)
    })?;
    let session = view.session.ok_or_else(|| {
        Rejection::new(
            ErrorCode::SessionNotFound,
            format!("payload.sessionKey: {} has no session with this escrow", intent.session_key),
        )
    })?;
    check_session(intent, &session, view.now)?;
    require(
        view.token_accounts.contains(&associated_token(&intent.receiver, asset, &escrow.token_program)),
        ErrorCode::ReceiverTokenAccountMissing,
        || {
            format!(
                "payTo: {} has no token account for {asset}, or it is frozen; create its associated token account",
                intent.receiver
            )
        },
    )?;
    let free = escrow.free().saturating_sub(reserved);
    require(intent.amount <= free, ErrorCode::InsufficientFunds, || {
        format!("amount: {} is above the escrow's free balance of {free} base units", intent.amount)
    })?;
    Ok(escrow)
}

fn check_session(intent: &Intent, session: &Session, now: i64) -> Result<(), Rejection> {
    require(intent.incarnation == session.incarnation, ErrorCode::IncarnationMismatch, || {
        format!(
            "payload.incarnation: the session's is {}; it was closed and opened again, or is another cluster's",
            Key::from(Address::from(session.incarnation))
        )
    })?;
    require(session.revoked == 0, ErrorCode::SessionRevoked, || {
        "payload.sessionKey: the payer revoked this session".to_owned()
    })?;
    require(now <= session.expires_at, ErrorCode::SessionExpired, || {
        format!("payload.sessionKey: this session expired at {} (unix seconds)", session.expires_at)
    })?;
    require(
        session.receiver == Address::default() || session.receiver == intent.receiver,
        ErrorCode::ReceiverNotAllowed,
        || format!("payTo: this session may only pay {}", session.receiver),
    )?;
    require(
        session.receiver == Address::default() || intent.maximum_fee_bps == 0,
        ErrorCode::ReceiverNotAllowed,
        || format!("extra.maxFeeBps: this session may only pay {}, so no fee", session.receiver),
    )?;
    let left = session.maximum_total.saturating_sub(session.spent);
    let in_period = session.left_in_period(now).unwrap_or(u64::MAX);
    for (limit, name) in [
        (session.maximum_payment, "limit per payment"),
        (left, "rest of the session's total"),
        (in_period, "rest of the session's limit for this period"),
    ] {
        require(intent.amount <= limit, ErrorCode::LimitExceeded, || {
            format!("amount: {} is above the {name}, {limit} base units", intent.amount)
        })?;
    }
    replay_window::check(session.highest_nonce, &session.used_nonces, intent.nonce).map_err(|error| {
        let reason = match error {
            NonceError::Used => "was used before, or is 0".to_owned(),
            NonceError::TooOld => {
                format!(
                    "is more than {WINDOW_NONCES} behind the session's highest, {}",
                    session.highest_nonce
                )
            }
        };
        Rejection::new(ErrorCode::NonceInvalid, format!("payload.nonce: {} {reason}", intent.nonce))
    })
}
