//! Checks the server's offer that a draft is for.

use serde_json::Value;
use x402_escrow_interface::message::PaymentFlow;
use x402_escrow_wire::{
    amount,
    auth_capture::{AUTHORIZATION_FLOW, CaptureAuthorizer, ESCROW_FLOW, Extra, SCHEME},
    field,
    payment::{PaymentRequired, PaymentRequirements},
};

use super::{DraftError, Expected, bad, require};
use crate::session_file::SessionFile;

/// The longest that money may stay held.
pub(super) const MAXIMUM_HOLD_SECONDS: i64 = 7 * 24 * 60 * 60;

pub(super) fn check_accepted(
    accepted: &PaymentRequirements,
    expected: &Expected<'_>,
) -> Result<(), DraftError> {
    let Expected { session, challenge, maximum_amount, .. } = *expected;
    let offered =
        |option: &Value| field::read::<PaymentRequirements>(option).is_ok_and(|read| read == *accepted);
    require(challenge.accepts.iter().any(offered), "accepted", || "is none of the server's offers".into())?;
    require(accepted.scheme == SCHEME, "accepted.scheme", || format!("must be {SCHEME}"))?;
    require(accepted.network == session.network, "accepted.network", || {
        format!("is {}, the session is on {}", accepted.network, session.network)
    })?;
    require(accepted.asset == session.mint, "accepted.asset", || {
        format!("is {}, the escrow holds {}", accepted.asset, session.mint)
    })?;
    check_amount(accepted.amount.0, maximum_amount, session)
}

pub(super) fn check_amount(
    amount: u64,
    maximum_amount: u64,
    session: &SessionFile,
) -> Result<(), DraftError> {
    require(amount <= maximum_amount, "accepted.amount", || {
        let tokens = |units| amount::format(units, session.decimals);
        format!("{} is above the maximum of {}", tokens(amount), tokens(maximum_amount))
    })
}

/// The least amount, in base units, of the offers in the session's token that are streamed, or of those that are not.
pub(super) fn least_price(
    challenge: &PaymentRequired,
    session: &SessionFile,
    is_streamed: bool,
) -> Option<u64> {
    let offers = challenge.accepts.iter().filter_map(|offer| field::read::<PaymentRequirements>(offer).ok());
    let payable = |offer: &PaymentRequirements| {
        offer.scheme == SCHEME
            && offer.network == session.network
            && offer.asset == session.mint
            // The verifier says what is wrong with one that can't be read.
            && Extra::read(offer).is_ok_and(|extra| extra.is_streamed() == is_streamed)
    };
    offers.filter(payable).map(|offer| offer.amount.0).min()
}

pub(super) fn check_extra(extra: &Extra, expected: &Expected<'_>) -> Result<(), DraftError> {
    let Expected { session, resource_hash, maximum_request_price, now, .. } = *expected;
    require(extra.program == session.program, "accepted.extra.program", || {
        format!("is {}, the session's escrow is of {}", extra.program, session.program)
    })?;
    require(extra.flow().is_some(), "accepted.extra.paymentFlow", || {
        format!("must be {ESCROW_FLOW} or {AUTHORIZATION_FLOW}")
    })?;
    require(extra.resource_hash.0 == resource_hash, "accepted.extra.resourceHash", || {
        "is not the hash of this request's method, URL and body; ask for the URL that the server names in its challenge, or \
         have its public URL (--public-url) set to this one"
            .into()
    })?;
    check_charge(extra)?;
    check_streaming(extra, maximum_request_price, session)?;
    extra.check_flow().map_err(|error| bad(&format!("accepted.extra.{}", error.field), error.message))?;
    require(
        extra.capture_deadline <= now.saturating_add(MAXIMUM_HOLD_SECONDS),
        "accepted.extra.captureDeadline",
        || format!("would hold the money for more than {MAXIMUM_HOLD_SECONDS} seconds"),
    )
}

/// A fee goes to somebody else than the receiver, who pays it, and only where the session may pay
/// anyone.
pub(super) fn check_fee(
    accepted: &PaymentRequirements,
    extra: &Extra,
    session: &SessionFile,
) -> Result<(), DraftError> {
    extra
        .check_fee(accepted.pay_to, session.escrow)
        .map_err(|error| bad(&format!("accepted.extra.{}", error.field), error.message))?;
    require(extra.max_fee_bps == 0 || session.receivers.is_empty(), "accepted.extra.maxFeeBps", || {
        "must be 0: the session pays listed receivers only, and no fee recipients".into()
    })
}

/// Of a charge the server's consent is asked, so that nobody is charged for what the server did not serve.
fn check_charge(extra: &Extra) -> Result<(), DraftError> {
    let is_ours = extra.capture_authorizer == CaptureAuthorizer::SessionKey;
    let is_charge = extra.flow() == Some(PaymentFlow::Authorization);
    require(!(is_charge && is_ours), "accepted.extra.captureAuthorizer", || {
        "must be the server's key: whoever sees the intent could charge it, whether the server serves or not"
            .into()
    })
}

/// A hold pays for one thing, or its captures are signed here, request by request.
fn check_streaming(
    extra: &Extra,
    maximum_request_price: Option<u64>,
    session: &SessionFile,
) -> Result<(), DraftError> {
    let is_streamed = extra.is_streamed();
    require(is_streamed == maximum_request_price.is_some(), "accepted.extra.captureAuthorizer", || {
        if is_streamed { "is a streamed hold, and none was asked for" } else { "is no streamed hold" }.into()
    })?;
    let price = extra.request_price.map(|price| price.0);
    require(
        price.is_some() == is_streamed && price <= maximum_request_price,
        "accepted.extra.requestPrice",
        || {
            let maximum = amount::format(maximum_request_price.unwrap_or(0), session.decimals);
            format!("must be there for a streamed hold, and at most {maximum}")
        },
    )
}
