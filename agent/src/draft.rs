//! Decides whether a drafted intent may be signed. The verifier that drafted it is not trusted: every field must be
//! what the agent asked for or what its session pins. No I/O.

use serde_json::Value;
use x402_escrow_interface::message::{Intent, MAXIMUM_REFUND_SECONDS};
use x402_escrow_wire::{
    X402_VERSION,
    auth_capture::{CaptureAuthorizer, ESCROW_FLOW, Extra, IntentPayload, SCHEME},
    field,
    payment::{PaymentPayload, PaymentRequired, PaymentRequirements},
    text::Decimal,
};

use crate::session_file::SessionFile;

/// What an agent may sign for, in base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most for one request.
    pub maximum_amount: u64,
    /// The most for all requests together; needs a [`crate::spending::SpendingFile`].
    pub spending_limit: Option<u64>,
}

/// The longest that an intent may wait to be put on chain.
const MAXIMUM_AUTHORIZE_SECONDS: i64 = 15 * 60;
/// The longest that money may stay held.
const MAXIMUM_HOLD_SECONDS: i64 = 7 * 24 * 60 * 60;

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
    /// The present, in unix seconds.
    pub now: i64,
}

/// The field of a draft that is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the drafted payment is not what was asked for, so it was not signed: {field}: {message}")]
pub struct DraftError {
    /// The field, in the draft's JSON.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// The intent that a draft stands for, if it may be signed.
///
/// # Errors
/// Names the first field that is not what was asked for.
pub fn check(draft: &PaymentPayload, expected: &Expected<'_>) -> Result<Intent, DraftError> {
    require(draft.x402_version == X402_VERSION, "x402Version", || "must be 2".into())?;
    let accepted = &draft.accepted;
    check_accepted(accepted, expected)?;
    let extra = Extra::read(accepted).map_err(|error| bad("accepted.extra", error.to_string()))?;
    check_extra(&extra, expected)?;
    let payload: IntentPayload = field::read(&draft.payload)
        .map_err(|error| bad(&format!("payload.{}", error.field), error.message))?;
    check_payload(&payload, &extra, expected)?;
    Ok(payload.intent(accepted, &extra))
}

fn check_accepted(accepted: &PaymentRequirements, expected: &Expected<'_>) -> Result<(), DraftError> {
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
    require(accepted.amount.0 <= maximum_amount, "accepted.amount", || {
        format!("{} base units are above the maximum of {maximum_amount}", accepted.amount)
    })
}

fn check_extra(extra: &Extra, expected: &Expected<'_>) -> Result<(), DraftError> {
    let Expected { session, resource_hash, now, .. } = *expected;
    require(extra.program == session.program, "accepted.extra.program", || {
        format!("is {}, the session's escrow is of {}", extra.program, session.program)
    })?;
    require(extra.payment_flow == ESCROW_FLOW, "accepted.extra.paymentFlow", || {
        format!("must be {ESCROW_FLOW}")
    })?;
    require(extra.resource_hash.0 == resource_hash, "accepted.extra.resourceHash", || {
        "is not the hash of this request's method, URL and body".into()
    })?;
    check_streaming(extra, expected.maximum_request_price)?;
    require(
        extra.capture_deadline <= now.saturating_add(MAXIMUM_HOLD_SECONDS),
        "accepted.extra.captureDeadline",
        || format!("would hold the money for more than {MAXIMUM_HOLD_SECONDS} seconds"),
    )?;
    require(
        extra.refund_deadline.saturating_sub(extra.capture_deadline) <= MAXIMUM_REFUND_SECONDS,
        "accepted.extra.refundDeadline",
        || {
            format!(
                "would keep the session open for more than {MAXIMUM_REFUND_SECONDS} seconds after the capture deadline"
            )
        },
    )
}

/// A hold pays for one thing, or its captures are signed here, request by request.
fn check_streaming(extra: &Extra, maximum_request_price: Option<u64>) -> Result<(), DraftError> {
    let is_streamed = extra.capture_authorizer == CaptureAuthorizer::SessionKey;
    require(is_streamed == maximum_request_price.is_some(), "accepted.extra.captureAuthorizer", || {
        if is_streamed { "is a streamed hold, and none was asked for" } else { "is no streamed hold" }.into()
    })?;
    let price = extra.request_price.map(|price| price.0);
    require(
        price.is_some() == is_streamed && price <= maximum_request_price,
        "accepted.extra.requestPrice",
        || format!("must be there for a streamed hold, and at most {}", maximum_request_price.unwrap_or(0)),
    )
}

fn check_payload(payload: &IntentPayload, extra: &Extra, expected: &Expected<'_>) -> Result<(), DraftError> {
    let Expected { session, now, .. } = *expected;
    require(payload.escrow == session.escrow, "payload.escrow", || "is another escrow".into())?;
    require(payload.session_key == session.session_key, "payload.sessionKey", || "is another key".into())?;
    require(payload.incarnation == session.incarnation, "payload.incarnation", || {
        "is another: either the verifier is wrong, or the owner closed the session and opened it again".into()
    })?;
    require(payload.nonce != Decimal(0), "payload.nonce", || "must be above 0".into())?;
    require(payload.authorize_by > now, "payload.authorizeBy", || {
        format!("has passed: {}, and by the clock here it is {now}", payload.authorize_by)
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
mod tests {
    use serde_json::json;
    use x402_escrow_wire::{
        auth_capture::Level,
        payment::ResourceInfo,
        text::{Base58, Hex32},
    };

    use super::*;
    use crate::session_file::tests::session;

    const NOW: i64 = 1_700_000_000;

    fn draft() -> PaymentPayload {
        let session = session();
        let extra = Extra {
            payment_flow: ESCROW_FLOW.into(),
            program: session.program,
            fee_payer: Base58([4; 32]),
            capture_authorizer: CaptureAuthorizer::Key(Base58([5; 32])),
            request_price: None,
            receiver_authorizer: Base58([5; 32]),
            capture_deadline: NOW + 600,
            refund_deadline: 0,
            fee_recipient: None,
            max_fee_bps: 0,
            resource_hash: Hex32([6; 32]),
            commitment: Some(Level::Confirmed),
        };
        PaymentPayload {
            x402_version: 2,
            resource: None,
            accepted: PaymentRequirements {
                scheme: SCHEME.into(),
                network: session.network.clone(),
                amount: Decimal(1000),
                asset: session.mint,
                pay_to: Base58([5; 32]),
                max_timeout_seconds: 60,
                extra: extra.to_map(),
            },
            payload: json!({"escrow": session.escrow, "sessionKey": session.session_key,
                "incarnation": session.incarnation, "nonce": "1", "authorizeBy": NOW + 60}),
            extensions: None,
        }
    }

    /// Checks a draft that was altered; the challenge offers what `offered` makes of the honest one.
    fn refused_field(alter: impl Fn(&mut PaymentPayload), offered: bool) -> String {
        let session = session();
        let mut altered = draft();
        alter(&mut altered);
        let offer = if offered { altered.accepted.clone() } else { draft().accepted };
        let challenge = PaymentRequired {
            x402_version: 2,
            error: None,
            resource: ResourceInfo { url: "https://a.test/".into(), description: None, mime_type: None },
            accepts: vec![json!({"scheme": "other"}), serde_json::to_value(offer).unwrap()],
            extensions: None,
        };
        let expected = Expected {
            session: &session,
            challenge: &challenge,
            resource_hash: [6; 32],
            maximum_amount: 1000,
            maximum_request_price: None,
            now: NOW,
        };
        check(&altered, &expected).map_or_else(
            |error| error.field,
            |intent| {
                assert_eq!(intent.amount, 1000);
                "none".into()
            },
        )
    }

    #[test]
    fn honest_draft_is_accepted() {
        assert_eq!(refused_field(|_| {}, true), "none");
    }

    #[test]
    fn offer_that_the_server_did_not_make_is_refused() {
        assert_eq!(refused_field(|draft| draft.accepted.pay_to = Base58([8; 32]), false), "accepted");
        assert_eq!(refused_field(|draft| draft.accepted.amount = Decimal(1), false), "accepted");
    }

    #[test]
    fn offer_outside_what_the_agent_wants_is_refused() {
        let with_extra = |name: &'static str, value: Value| {
            move |draft: &mut PaymentPayload| _ = draft.accepted.extra.insert(name.into(), value.clone())
        };
        assert_eq!(refused_field(|draft| draft.accepted.scheme = "exact".into(), true), "accepted.scheme");
        assert_eq!(
            refused_field(|draft| draft.accepted.network = "solana:x".into(), true),
            "accepted.network"
        );
        assert_eq!(refused_field(|draft| draft.accepted.asset = Base58([8; 32]), true), "accepted.asset");
        assert_eq!(refused_field(|draft| draft.accepted.amount = Decimal(1001), true), "accepted.amount");
        let other = json!(Base58([8; 32]));
        assert_eq!(refused_field(with_extra("program", other), true), "accepted.extra.program");
        assert_eq!(
            refused_field(with_extra("paymentFlow", json!("authorization")), true),
            "accepted.extra.paymentFlow"
        );
        assert_eq!(
            refused_field(with_extra("resourceHash", json!("00".repeat(32))), true),
            "accepted.extra.resourceHash"
        );
        assert_eq!(
            refused_field(with_extra("captureDeadline", json!(NOW + MAXIMUM_HOLD_SECONDS + 1)), true),
            "accepted.extra.captureDeadline"
        );
        let refund_deadline = json!(NOW + 600 + MAXIMUM_REFUND_SECONDS + 1);
        assert_eq!(
            refused_field(with_extra("refundDeadline", refund_deadline), true),
            "accepted.extra.refundDeadline"
        );
    }

    #[test]
    fn payload_of_another_session_or_time_is_refused() {
        let with = |name: &'static str, value: Value| {
            move |draft: &mut PaymentPayload| draft.payload[name] = value.clone()
        };
        let other = json!(Base58([8; 32]));
        for name in ["escrow", "sessionKey", "incarnation"] {
            assert_eq!(refused_field(with(name, other.clone()), true), format!("payload.{name}"));
        }
        assert_eq!(refused_field(with("nonce", json!("0")), true), "payload.nonce");
        for time in [NOW, NOW + 601] {
            assert_eq!(refused_field(with("authorizeBy", json!(time)), true), "payload.authorizeBy");
        }
        assert_eq!(refused_field(|draft| draft.payload = json!({}), true), "payload.escrow");
    }
}
