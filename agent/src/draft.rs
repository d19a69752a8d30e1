//! Decides whether a drafted intent may be signed. The verifier that drafted it is not trusted: every field must be
//! what the agent asked for or what its session pins. No I/O.

mod offer;

use x402_escrow_interface::message::Intent;
use x402_escrow_wire::{
    X402_VERSION,
    auth_capture::{Extra, IntentPayload},
    field,
    payment::{PaymentPayload, PaymentRequired},
    text::{Decimal, Hex32},
};

use crate::session_file::SessionFile;

/// What an agent may sign for, in base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most for one request.
    pub maximum_amount: u64,
    /// The most for all requests together, of all that share the session's files.
    pub spending_limit: Option<u64>,
    /// The most that may be locked at once: what is held or may still be held, and has bought nothing yet.
    pub maximum_locked: Option<u64>,
}

/// The longest that an intent may wait to be put on chain.
const MAXIMUM_AUTHORIZE_SECONDS: i64 = 15 * 60;

/// What the draft is held against.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The pinned session.
    pub session: &'a SessionFile,
    /// The challenge as the server sent it.
    pub challenge: &'a PaymentRequired,
    /// Hash of the request that is paid for.
    pub resource_hash: [u8; 32],
    /// The most to pay, in base units.
    pub maximum_amount: u64,
    /// For a hold that pays for many requests: the most that each may cost, in base units.
    pub maximum_request_price: Option<u64>,
    /// The agent's own nonce for this intent.
    pub nonce: u64,
    /// What shows that the receiver is in the session's list; empty for a list of one and where there is no list.
    pub receiver_proof: &'a [Hex32],
    /// The present, in unix seconds.
    pub now: i64,
}

/// The field of a draft, or of the server's offer, that is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payment is not what was asked for, so it was not signed: {field}: {message}")]
pub struct DraftError {
    /// The field, in the draft's JSON.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// Checks before the verifier is asked that an offer in the session's token, streamed or not as is wanted, costs at most
/// `maximum_amount`, base units: the agent can say its price in tokens. Where there is none, the verifier says why it
/// passes each over.
///
/// # Errors
/// Names the amount, if all are above.
pub fn check_price(
    challenge: &PaymentRequired,
    session: &SessionFile,
    maximum_amount: u64,
    is_streamed: bool,
) -> Result<(), DraftError> {
    offer::least_price(challenge, session, is_streamed)
        .map_or(Ok(()), |least| offer::check_amount(least, maximum_amount, session))
}

/// The intent that a draft stands for, if it may be signed.
///
/// # Errors
/// Names the first field that is not what was asked for.
pub fn check(draft: &PaymentPayload, expected: &Expected<'_>) -> Result<Intent, DraftError> {
    require(draft.x402_version == X402_VERSION, "x402Version", || "must be 2".into())?;
    let accepted = &draft.accepted;
    offer::check_accepted(accepted, expected)?;
    let extra = Extra::read(accepted).map_err(|error| bad("accepted.extra", error.to_string()))?;
    offer::check_extra(&extra, expected)?;
    offer::check_fee(accepted, &extra, expected.session)?;
    let payload: IntentPayload = field::read(&draft.payload)
        .map_err(|error| bad(&format!("payload.{}", error.field), error.message))?;
    check_payload(&payload, &extra, expected)?;
    Ok(payload.intent(accepted, &extra))
}

fn check_payload(payload: &IntentPayload, extra: &Extra, expected: &Expected<'_>) -> Result<(), DraftError> {
    let Expected { session, now, .. } = *expected;
    require(payload.escrow == session.escrow, "payload.escrow", || "is another escrow".into())?;
    require(payload.session_key == session.session_key, "payload.sessionKey", || "is another key".into())?;
    require(payload.incarnation == session.incarnation, "payload.incarnation", || {
        "is another: either the verifier is wrong, or the owner closed the session and opened it again".into()
    })?;
    require(payload.nonce == Decimal(expected.nonce), "payload.nonce", || {
        format!("is {}, and {} was asked for", payload.nonce, expected.nonce)
    })?;
    require(payload.receiver_proof == expected.receiver_proof, "payload.receiverProof", || {
        "is not what was asked for".into()
    })?;
    require(payload.authorize_by > now, "payload.authorizeBy", || {
        format!("has passed: {}, and the clock here says {now}", payload.authorize_by)
    })?;
    let latest = extra.capture_deadline.min(now.saturating_add(MAXIMUM_AUTHORIZE_SECONDS));
    require(payload.authorize_by <= latest, "payload.authorizeBy", || format!("must be at most {latest}"))
}

fn require(holds: bool, field: &str, message: impl FnOnce() -> String) -> Result<(), DraftError> {
    if holds { Ok(()) } else { Err(bad(field, message())) }
}

fn bad(field: &str, message: String) -> DraftError {
    DraftError { field: field.trim_end_matches('.').to_owned(), message }
}

#[cfg(test)]
mod tests;
