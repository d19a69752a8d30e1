//! Asks the session's verifier. It sees the hash of what is bought, and no URL.

use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode, Url};
use serde_json::{Value, json};
use x402_escrow_wire::{
    X402_VERSION,
    error_code::ErrorCode,
    field,
    payment::{PaymentPayload, PaymentRequired, ResourceInfo},
    text::{Decimal, Hex32},
};

use super::{
    AgentClient, FetchError,
    exchange::{is_private, read_body},
    found::Report,
};

/// How much of a verifier's answer is read.
const MAXIMUM_ANSWER_BYTES: usize = 1024 * 1024;

/// How long the verifier may take to say what it knows of a payment.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(15);

/// The verifier's code for a payment that it does not know.
const PAYMENT_NOT_FOUND: &str = "payment_not_found";

/// A draft to ask the verifier for.
pub(super) struct Wanted<'a> {
    /// The offers to choose from.
    pub(super) challenge: &'a PaymentRequired,
    /// Hash of what is paid for.
    pub(super) resource_hash: [u8; 32],
    /// In base units.
    pub(super) maximum_amount: u64,
    /// For a hold that pays for many requests: the most that each may cost, in base units.
    pub(super) maximum_request_price: Option<u64>,
}

/// An answer to `POST /intents`.
pub(super) enum Answer {
    Draft(Box<PaymentPayload>),
    /// The nonce can't be used.
    NonceRefused,
}

impl AgentClient {
    /// Has the verifier pick one of the offers and draft the payment for it.
    pub(super) async fn ask_for_draft(
        &self,
        wanted: &Wanted<'_>,
        nonce: u64,
        receiver_proof: &[Hex32],
    ) -> Result<Answer, FetchError> {
        let failed = |message: String| self.no_draft(message);
        let resource = Hex32(wanted.resource_hash);
        let mut body = json!({
            "paymentRequired": PaymentRequired {
                x402_version: X402_VERSION,
                error: None,
                resource: ResourceInfo {
                    url: format!("urn:sha256:{resource}"),
                    ..ResourceInfo::default()
                },
                accepts: wanted.challenge.accepts.clone(),
                extensions: None,
            },
            "session": { "escrow": self.session.escrow, "sessionKey": self.session.session_key },
            "maximumAmount": Decimal(wanted.maximum_amount),
            "nonce": Decimal(nonce),
        });
        let bound_to = if wanted.maximum_request_price.is_some() { "streamHash" } else { "resourceHash" };
        body[bound_to] = json!(resource);
        if !receiver_proof.is_empty() {
            body["receiverProof"] = json!(receiver_proof);
        }
        let request = self.http.post(self.verifier_url("/intents")?).json(&body);
        let (status, mut answer) = ask(request).await.map_err(failed)?;
        if !status.is_success() {
            return match answer["error"]["code"].as_str() {
                Some(code) if code == ErrorCode::NonceInvalid.as_str() => Ok(Answer::NonceRefused),
                _ => Err(failed(refusal(&answer).unwrap_or_else(|| format!("HTTP status {status}")))),
            };
        }
        field::read(&answer["unsigned"].take())
            .map(|payment| Answer::Draft(Box::new(payment)))
            .map_err(|error| failed(error.to_string()))
    }

    pub(super) fn no_draft(&self, message: String) -> FetchError {
        FetchError::NoDraft { verifier: self.session.verifier.clone(), message }
    }

    /// What the verifier knows of a payment; `None` if it knows no such payment, an error if it does not say.
    pub(super) async fn ask_about(
        &self,
        payment_id: &str,
    ) -> Result<Result<Option<Report>, String>, FetchError> {
        let url = self.verifier_url(&format!("/payments/{payment_id}"))?;
        Ok(match ask(self.http.get(url).timeout(LOOKUP_TIMEOUT)).await {
            Ok((StatusCode::NOT_FOUND, answer)) if answer["error"]["code"] == PAYMENT_NOT_FOUND => Ok(None),
            Ok((StatusCode::OK, answer)) => {
                serde_json::from_value(answer).map(Some).map_err(|error| error.to_string())
            }
            Ok((status, answer)) => Err(refusal(&answer).unwrap_or_else(|| format!("HTTP status {status}"))),
            Err(message) => Err(message),
        })
    }

    /// Where the verifier answers `path`.
    pub(super) fn verifier_url(&self, path: &str) -> Result<Url, FetchError> {
        let url = format!("{}{path}", self.session.verifier.trim_end_matches('/'));
        let invalid = |message: String| FetchError::InvalidRequest { what: "verifier", message };
        let parsed: Url = url.parse().map_err(|error| invalid(format!("{url:?}: {error}")))?;
        if !is_private(&parsed) && !self.allows_http {
            return Err(FetchError::PlainHttp { url: self.session.verifier.clone() });
        }
        Ok(parsed)
    }
}

/// Sends the request, and reads an answer of JSON.
async fn ask(request: RequestBuilder) -> Result<(StatusCode, Value), String> {
    let mut response = request.send().await.map_err(|error| error.to_string())?;
    let status = response.status();
    let (body, is_longer) =
        read_body(&mut response, MAXIMUM_ANSWER_BYTES).await.map_err(|error| error.to_string())?;
    if is_longer {
        return Err(format!("its answer is longer than {MAXIMUM_ANSWER_BYTES} bytes"));
    }
    match serde_json::from_slice(&body) {
        Ok(answer) => Ok((status, answer)),
        Err(error) => Err(format!("HTTP status {status} with an answer that is not JSON: {error}")),
    }
}

/// What the verifier's refusal says: its message, and why each of the server's offers was passed over.
fn refusal(answer: &Value) -> Option<String> {
    let message = answer["error"]["message"].as_str()?.to_owned();
    let reasons = answer["passedOver"].as_array().into_iter().flatten().filter_map(|offer| {
        Some(format!(
            "offer {} ({}): {}",
            offer["index"],
            offer["scheme"].as_str()?,
            offer["reason"].as_str()?
        ))
    });
    Some(std::iter::once(message).chain(reasons).collect::<Vec<_>>().join("; "))
}
