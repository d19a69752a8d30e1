//! From a challenge to the header that pays it.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use solana_sdk::hash::hash;
use x402_escrow_domain::{
    facts::{self, Facts, Subject},
    nonce,
    promises::Promises,
    translate::{self, Choice, PassedOver, Wish},
};
use x402_escrow_interface::{
    Address,
    message::{Intent, PaymentFlow},
    resource::resource_hash_of_digest,
};
use x402_escrow_wire::{
    X402_VERSION,
    auth_capture::{origin, receiver_proof, stream_resource_hash},
    field::{self, FieldError},
    payment::{PaymentPayload, PaymentRequired},
    text::{Base58, Decimal, Hex32, Key, decode_header},
};

use crate::{
    chain,
    engine::{app::App, limits::Caller, pause},
    http::{answer::Decision, body::JsonBody, error::ApiError},
};

/// Body of `POST /intents`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateRequest {
    /// The challenge: decoded, or as the header had it.
    payment_required: Value,
    session: Session,
    /// What is paid for, if the option's resource hash shall be checked against it.
    #[serde(default)]
    request: Option<PaidRequest>,
    /// The hash itself: the verifier then learns no URL.
    #[serde(default)]
    resource_hash: Option<Hex32>,
    /// The same of a streamed hold, which is bound to the origin.
    #[serde(default)]
    stream_hash: Option<Hex32>,
    /// The most that may be paid, in base units.
    #[serde(default)]
    maximum_amount: Option<Decimal>,
    /// The client's own nonce, if it keeps any.
    #[serde(default)]
    nonce: Option<Decimal>,
    /// Shows that the receiver is in the session's list.
    #[serde(default, deserialize_with = "receiver_proof")]
    receiver_proof: Vec<Hex32>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    escrow: Key,
    session_key: Key,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaidRequest {
    method: String,
    url: String,
    /// SHA-256 of the body; absent for an empty one.
    #[serde(default)]
    body_sha256: Option<Hex32>,
}

impl PaidRequest {
    fn resource_hash(&self) -> [u8; 32] {
        let body_digest = self.body_sha256.map_or_else(|| hash(&[]).to_bytes(), |digest| digest.0);
        resource_hash_of_digest(&self.method, &self.url, &body_digest)
    }

    fn stream_hash(&self) -> [u8; 32] {
        stream_resource_hash(origin(&self.url))
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    payment_id: Hex32,
    intent: IntentReport,
    signing_bytes: SigningBytes,
    unsigned: PaymentPayload,
    passed_over: Vec<PassedOver>,
}

#[derive(Clone, Debug, Serialize)]
struct SigningBytes {
    hex: String,
    base64: String,
}

/// An intent, readable.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct IntentReport {
    program: Key,
    incarnation: Key,
    escrow: Key,
    session_key: Key,
    receiver: Key,
    capture_authorizer: Key,
    receiver_authorizer: Key,
    fee_recipient: Key,
    resource_hash: Hex32,
    amount: Decimal,
    nonce: Decimal,
    authorize_by: i64,
    capture_deadline: i64,
    refund_deadline: i64,
    max_fee_bps: u16,
    payment_flow: &'static str,
}

impl From<&Intent> for IntentReport {
    fn from(intent: &Intent) -> Self {
        Self {
            program: intent.program.into(),
            incarnation: Base58(intent.incarnation),
            escrow: intent.escrow.into(),
            session_key: intent.session_key.into(),
            receiver: intent.receiver.into(),
            capture_authorizer: intent.capture_authorizer.into(),
            receiver_authorizer: intent.receiver_authorizer.into(),
            fee_recipient: intent.fee_recipient.into(),
            resource_hash: Hex32(intent.resource_hash),
            amount: Decimal(intent.amount),
            nonce: Decimal(intent.nonce),
            authorize_by: intent.authorize_by,
            capture_deadline: intent.capture_deadline,
            refund_deadline: intent.refund_deadline,
            max_fee_bps: intent.maximum_fee_bps,
            payment_flow: match intent.flow {
                PaymentFlow::Escrow => "escrow",
                PaymentFlow::Authorization => "authorization",
            },
        }
    }
}

/// `POST /intents`: turns a challenge into an intent to sign. Changes nothing.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    body: JsonBody,
) -> Result<Response, ApiError> {
    if pause::check(&app).is_err() {
        return Err(ApiError::paused());
    }
    let request: CreateRequest = body.read()?;
    let challenge = read_challenge(&request.payment_required)?;
    let told = |hash: Option<Hex32>, of_request: fn(&PaidRequest) -> [u8; 32]| {
        hash.map(|hash| hash.0).or_else(|| request.request.as_ref().map(of_request))
    };
    let wish = Wish {
        escrow: request.session.escrow.into(),
        session_key: request.session.session_key.into(),
        resource_hash: told(request.resource_hash, PaidRequest::resource_hash),
        stream_hash: told(request.stream_hash, PaidRequest::stream_hash),
        maximum_amount: request.maximum_amount.map(|amount| amount.0),
        receiver_proof: request.receiver_proof,
    };
    let (candidates, mut passed_over) = translate::candidates(&challenge.accepts, &wish, &app.rules);
    if candidates.is_empty() {
        return Ok(none_acceptable(passed_over));
    }
    let token_accounts: BTreeSet<_> =
        candidates.iter().flat_map(translate::Candidate::token_accounts).collect();
    let (program, escrow, session_key) = (app.rules.program, wish.escrow, wish.session_key);
    app.limits.count_intent(caller.client(), escrow, session_key)?;
    let subject = Subject { program, escrow, session_key, nonce: None };
    let facts = chain::facts::read(&app.together, &subject, &token_accounts).await?;
    let promises = app.store.promises(&escrow, &facts).await?;
    let nonce = nonce(&app, caller.client(), request.nonce, &session_key, &facts, &promises)?;
    let choice = translate::choose(candidates, &wish, nonce, &facts, &promises, &app.rules, &mut passed_over);
    passed_over.sort_by_key(|option| option.index);
    let Some(Choice { requirements, payload, intent }) = choice else {
        return Ok(none_acceptable(passed_over));
    };
    let bytes = intent.signed_bytes();
    let payload = serde_json::to_value(payload).map_err(|error| ApiError::internal(&error))?;
    Ok(Json(Created {
        payment_id: Hex32(intent.digest()),
        intent: IntentReport::from(&intent),
        signing_bytes: SigningBytes { hex: hex::encode(bytes), base64: STANDARD.encode(bytes) },
        unsigned: PaymentPayload {
            x402_version: X402_VERSION,
            resource: Some(challenge.resource),
            accepted: requirements,
            payload,
            extensions: challenge.extensions,
        },
        passed_over,
    })
    .into_response())
}

/// The nonce that the client brought, or one of the lowest that are free.
fn nonce(
    app: &App,
    client: IpAddr,
    brought: Option<Decimal>,
    session_key: &Address,
    facts: &Facts,
    promises: &Promises,
) -> Result<u64, ApiError> {
    // Whatever the nonce is, the payment is refused for the session that is missing.
    let Some(session) = &facts.newest.session else { return Ok(1) };
    let promised = promises.nonces(session_key, &session.incarnation);
    if let Some(Decimal(nonce)) = brought {
        nonce::check(nonce, facts, &promised)?;
        return Ok(nonce);
    }
    let of = (session.escrow, *session_key);
    let suggested = app.limits.suggestions.next(client, of, |last| nonce::suggest(session, &promised, last));
    suggested.ok_or_else(|| {
        ApiError::new(
            StatusCode::CONFLICT,
            "nonces_used_up",
            "the session takes no more nonces until its pending payments are on chain: try again, or open another \
             session",
        )
    })
}

fn read_challenge(value: &Value) -> Result<PaymentRequired, ApiError> {
    let bad = |error: FieldError| ApiError::bad_field(error.within("paymentRequired"));
    let unreadable = |message: String| bad(FieldError { field: String::new(), message });
    let decoded;
    let value = match value {
        Value::String(header) => {
            decoded = decode_header::<Value>(header).map_err(|error| unreadable(error.to_string()))?;
            &decoded
        }
        other => other,
    };
    let challenge: PaymentRequired = field::read(value).map_err(bad)?;
    if challenge.x402_version != X402_VERSION {
        let message = format!("version {X402_VERSION} is spoken here, not {}", challenge.x402_version);
        return Err(bad(FieldError { field: "x402Version".to_owned(), message }));
    }
    if challenge.accepts.len() > facts::MAXIMUM_RECEIVERS {
        let message =
            format!("has {} options, at most {} are read", challenge.accepts.len(), facts::MAXIMUM_RECEIVERS);
        return Err(bad(FieldError { field: "accepts".to_owned(), message }));
    }
    Ok(challenge)
}

fn none_acceptable(passed_over: Vec<PassedOver>) -> Response {
    let code = "no_acceptable_option";
    let error = serde_json::json!({
        "code": code,
        "message": "none of the ways to pay can be taken; passedOver says why",
    });
    let body = serde_json::json!({ "error": error, "passedOver": passed_over });
    let mut response = (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response();
    // For the log and the numbers.
    response.extensions_mut().insert(Decision { code: Some(code.to_owned()), payment: None });
    response
}
