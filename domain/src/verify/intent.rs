//! Whether an intent would be authorized: the program's own rules, checked against what the chain says, with margins.
//! Messages name fields of the payment as merchant and payer see them.

use x402_escrow_interface::{
    Address,
    account::{Escrow, Session},
    instruction::Signature,
    message::{Digest, Intent, PaymentFlow},
    receivers,
    replay_window::{self, MAXIMUM_NONCE_STEP, NonceError, WINDOW_NONCES},
};
use x402_escrow_wire::{
    amount,
    auth_capture::{Extra, IntentPayload},
    error_code::ErrorCode,
    payment::PaymentRequirements,
    text::Key,
};

use super::{Rejection, require};
use crate::{
    derived::associated_token,
    facts::{Facts, View},
    payment::History,
    policy::Policy,
    promises::Promises,
    signature,
    tokens::Tokens,
};

/// The intent that requirements and payload make together.
///
/// # Errors
/// If it allows a fee that could not be paid.
pub fn read(
    payload: &IntentPayload,
    requirements: &PaymentRequirements,
    extra: &Extra,
) -> Result<Intent, Rejection> {
    extra
        .check_fee(requirements.pay_to, payload.escrow)
        .map_err(|error| Rejection::new(ErrorCode::InvalidExtra, error.within("extra").to_string()))?;
    Ok(payload.intent(requirements, extra))
}

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

/// Checks that the operator locks rent for holds of this token.
///
/// # Errors
/// If not.
pub fn check_token(asset: &Address, tokens: &Tokens) -> Result<(), Rejection> {
    require(tokens.minimum(asset).is_some(), ErrorCode::UnsupportedAsset, || {
        format!("asset: {asset} is not served here; ask for one of {} (see GET /supported)", tokens.list())
    })
}

/// An intent that is to be authorized.
#[derive(Clone, Copy, Debug)]
pub struct Proposal<'a> {
    /// The intent.
    pub intent: &'a Intent,
    /// Shows that the receiver is in the session's list, where the session has one.
    pub receiver_proof: &'a [Digest],
    /// The token that the merchant asks for.
    pub asset: &'a Address,
}

/// The authorization or the charge of a payment that was accepted before, unless it came to nothing and can be tried again.
pub fn known_authorization(history: &History) -> Option<i64> {
    let authorization = &history.operations.first()?.operation;
    (!authorization.came_to_nothing()).then_some(authorization.id)
}

/// Checks the intent against the chain, what is promised to others already, and the policy. Returns the escrow.
///
/// # Errors
/// If the program would refuse it, or might by the time it is there.
pub fn check(
    proposal: &Proposal<'_>,
    facts: &Facts,
    promises: &Promises,
    policy: &Policy,
) -> Result<Escrow, Rejection> {
    let reserved = &promises.reserved(facts);
    check_times(proposal.intent, facts.newest.now, policy)?;
    for (index, view) in facts.views().enumerate().skip(1) {
        check_view(proposal, view, reserved_beyond(reserved, index))?;
    }
    let escrow = check_view(proposal, &facts.newest, reserved_beyond(reserved, 0))?;
    let (amount, minimum) = (proposal.intent.amount, policy.minimum_hold_amount);
    require(amount >= minimum, ErrorCode::AmountTooSmall, || {
        format!("amount: {} is below the least, {}", tokens(amount, &escrow), tokens(minimum, &escrow))
    })?;
    let maximum = policy.maximum_open_holds_per_escrow;
    require(promises.open_holds < maximum, ErrorCode::TooManyOpenHolds, || {
        format!("payload.escrow: has {maximum} payments that are not over, and may have no more")
    })?;
    Ok(escrow)
}

/// What is not told is promised altogether.
fn reserved_beyond(reserved: &[u64], view: usize) -> u64 {
    reserved.get(view).copied().unwrap_or(u64::MAX)
}

/// An amount in tokens, not base units: agents quote it to people.
fn tokens(base_units: u64, escrow: &Escrow) -> String {
    format!("{} tokens", amount::format(base_units, escrow.decimals))
}

/// Amount and deadlines.
fn check_times(intent: &Intent, now: i64, policy: &Policy) -> Result<(), Rejection> {
    require(intent.amount > 0, ErrorCode::InvalidPaymentRequirements, || {
        "amount: must be above zero".to_owned()
    })?;
    let left = intent.capture_deadline.saturating_sub(now);
    // Nothing is left to capture of what is charged at once.
    let minimum = if intent.flow == PaymentFlow::Escrow { policy.minimum_capture_seconds } else { 0 };
    let bounds = minimum..=policy.maximum_capture_seconds;
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
    })
}

fn check_view(proposal: &Proposal<'_>, view: &View, reserved: u64) -> Result<Escrow, Rejection> {
    let Proposal { intent, asset, .. } = *proposal;
    let escrow = view.escrow.ok_or_else(|| {
        Rejection::new(
            ErrorCode::EscrowNotFound,
            format!("payload.escrow: {} is not an escrow of this program on this network", intent.escrow),
        )
    })?;
    require(escrow.mint == *asset, ErrorCode::AssetMismatch, || {
        format!("asset: the escrow holds {}, not {asset}", escrow.mint)
    })?;
    // Where another relay has put it on chain, session and balance have been asked.
    let is_held = view.held_payment == Some(intent.digest());
    if !is_held {
        check_session(proposal, &escrow, view)?;
    }
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
    require(is_held || intent.amount <= free, ErrorCode::InsufficientFunds, || {
        let [wanted, free] = [intent.amount, free].map(|amount| tokens(amount, &escrow));
        format!("amount: {wanted} is above the escrow's free balance of {free}")
    })?;
    Ok(escrow)
}

fn check_session(proposal: &Proposal<'_>, escrow: &Escrow, view: &View) -> Result<(), Rejection> {
    let (intent, now) = (proposal.intent, view.now);
    let session = view.session.as_ref().ok_or_else(|| {
        Rejection::new(
            ErrorCode::SessionNotFound,
            format!("payload.sessionKey: {} has no session with this escrow", intent.session_key),
        )
    })?;
    require(intent.incarnation == session.incarnation, ErrorCode::IncarnationMismatch, || {
        format!(
            "payload.incarnation: the session's is {}; it was closed and opened again, or is another cluster's",
            Key::from(Address::from(session.incarnation))
        )
    })?;
    require(!escrow.has_revoked(session), ErrorCode::SessionRevoked, || {
        "payload.sessionKey: the payer or the escrow's guardian revoked this session".to_owned()
    })?;
    require(now <= session.expires_at, ErrorCode::SessionExpired, || {
        format!("payload.sessionKey: this session expired at {} (unix seconds)", session.expires_at)
    })?;
    check_receiver(proposal, session)?;
    let left = session.maximum_total.saturating_sub(session.spent);
    let in_period = session.left_in_period(now).unwrap_or(u64::MAX);
    for (limit, name) in [
        (session.maximum_payment, "limit per payment"),
        (left, "rest of the session's total"),
        (in_period, "rest of the session's limit for this period"),
    ] {
        require(intent.amount <= limit, ErrorCode::LimitExceeded, || {
            format!(
                "amount: {} is above the {name}, {}",
                tokens(intent.amount, escrow),
                tokens(limit, escrow)
            )
        })?;
    }
    check_nonce(intent.nonce, session)
}

fn check_receiver(proposal: &Proposal<'_>, session: &Session) -> Result<(), Rejection> {
    let Proposal { intent, receiver_proof, .. } = *proposal;
    let root = &session.receivers_root;
    if *root == receivers::ANYONE {
        return Ok(());
    }
    let code = ErrorCode::ReceiverNotAllowed;
    require(receivers::is_listed(root, &intent.receiver, receiver_proof), code, || {
        format!(
            "payload.receiverProof: does not show that payTo {} is among the receivers that this session may pay",
            intent.receiver
        )
    })?;
    require(intent.maximum_fee_bps == 0, code, || {
        "extra.maxFeeBps: this session may only pay the receivers in its list, so no fee".to_owned()
    })
}

/// Checks that the session's account, as the chain has it, still takes the nonce.
///
/// # Errors
/// If it does not.
pub fn check_nonce(nonce: u64, session: &Session) -> Result<(), Rejection> {
    let highest = session.highest_nonce;
    replay_window::check(highest, &session.used_nonces, nonce).map_err(|error| {
        let reason = match error {
            NonceError::Used => "was used before, or is 0".to_owned(),
            NonceError::TooOld => {
                format!("is more than {WINDOW_NONCES} behind the session's highest, {highest}")
            }
            NonceError::TooFarAhead => {
                format!("is more than {MAXIMUM_NONCE_STEP} above the session's highest, {highest}")
            }
        };
        Rejection::new(ErrorCode::NonceInvalid, format!("payload.nonce: {nonce} {reason}"))
    })
}
