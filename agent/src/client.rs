//! Sends requests and pays for them.

mod error;
mod exchange;
mod paid;
mod streamed;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ed25519_dalek::{Signer, SigningKey};
use reqwest::{StatusCode, redirect};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use x402_escrow_interface::resource::resource_hash;
use x402_escrow_wire::{
    payment::{PAYMENT_SIGNATURE, PaymentPayload, PaymentRequired},
    payment_identifier,
    text::{Base58, Decimal, Hex32},
};

pub use error::FetchError;
use exchange::{Call, challenge, read};
pub use exchange::{Fetched, Receipt, Request};
use paid::identifier;
use streamed::Streaming;

use crate::{
    draft::{self, Expected, Limits},
    session_file::SessionFile,
    spending::SpendingFile,
};

/// A merchant may wait for a block to become final before it serves.
const TIMEOUT: Duration = Duration::from_secs(90);

/// Pays for requests out of an escrow.
pub struct AgentClient {
    http: reqwest::Client,
    session: SessionFile,
    key: SigningKey,
    limits: Limits,
    spending: Option<SpendingFile>,
    streaming: Option<Streaming>,
}

impl AgentClient {
    /// A client without a count on disk: `limits.spending_limit` must be `None`.
    ///
    /// # Errors
    /// If a spending limit is set, or the HTTP client can't be set up.
    pub fn new(session: SessionFile, limits: Limits) -> Result<Self, FetchError> {
        if limits.spending_limit.is_some() {
            return Err(FetchError::InvalidRequest {
                what: "spending_limit",
                message: "needs a file to count in: use AgentClient::with_spending".into(),
            });
        }
        Self::build(session, limits, None)
    }

    /// A client that counts what it signs for in `spending`.
    ///
    /// # Errors
    /// If the HTTP client can't be set up.
    pub fn with_spending(
        session: SessionFile,
        limits: Limits,
        spending: SpendingFile,
    ) -> Result<Self, FetchError> {
        Self::build(session, limits, Some(spending))
    }

    fn build(
        session: SessionFile,
        limits: Limits,
        spending: Option<SpendingFile>,
    ) -> Result<Self, FetchError> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            // A payment is for one URL; a redirect must not carry it to another server.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(FetchError::Setup)?;
        let key = session.signing_key();
        Ok(Self { http, session, key, limits, spending, streaming: None })
    }

    /// Sends a request and, if the server asks for payment, pays once and sends it again.
    ///
    /// # Errors
    /// If the server can't be reached, or its price is not one to pay. A server that refuses the payment is no error:
    /// the response says so.
    pub async fn fetch(&self, request: &Request) -> Result<Fetched, FetchError> {
        let call = Call::new(request)?;
        if let Some(fetched) = self.fetch_known(&call).await? {
            return Ok(fetched);
        }
        let unreachable = |source| FetchError::Unreachable { url: request.url.clone(), source };
        let response = self.send(&call, None).await.map_err(unreachable)?;
        if response.status() != StatusCode::PAYMENT_REQUIRED {
            return read(response, None).await.map_err(unreachable);
        }

        let challenge = challenge(response.headers())?;
        if let Some(fetched) = self.fetch_streamed(&call, &challenge).await? {
            return Ok(fetched);
        }
        if self.streaming.as_ref().is_some_and(|streaming| streaming.is_required) {
            let maximum_amount = self.limits.maximum_amount;
            return Err(FetchError::NotStreamed { url: request.url.clone(), maximum_amount });
        }
        let mut draft = self.draft(&call, &challenge, self.limits.maximum_amount).await?;
        let intent = draft::check(
            &draft,
            &Expected {
                session: &self.session,
                challenge: &challenge,
                resource_hash: resource_hash(&request.method, call.url.as_str(), &request.body),
                maximum_amount: self.limits.maximum_amount,
                maximum_request_price: None,
                now: unix_seconds(),
            },
        )?;
        if let Some(spending) = &self.spending {
            spending.add(intent.amount, self.limits.spending_limit.unwrap_or(u64::MAX))?;
        }

        let signature = self.key.sign(&intent.signed_bytes());
        draft.payload["signature"] = json!(Base58(signature.to_bytes()));
        let payment_id = Hex32(intent.digest());
        let id = identifier(payment_id, None);
        let identified = payment_identifier::with_id(challenge.extensions.as_ref(), &id);
        draft.extensions = identified.or(draft.extensions);
        let receipt =
            Receipt { payment_id, amount: intent.amount, pay_to: intent.receiver.into(), settlement: None };
        self.send_paid(&call, &draft, receipt).await
    }

    async fn send(
        &self,
        call: &Call<'_>,
        payment: Option<&str>,
    ) -> Result<reqwest::Response, reqwest::Error> {
        let mut builder = self.http.request(call.method.clone(), call.url.clone());
        for (name, value) in &call.request.headers {
            builder = builder.header(name, value);
        }
        if let Some(payment) = payment {
            builder = builder.header(PAYMENT_SIGNATURE, payment);
        }
        builder.body(call.request.body.clone()).send().await
    }

    /// Has the verifier pick an offer and draft the payment for it.
    async fn draft(
        &self,
        Call { request, url, .. }: &Call<'_>,
        challenge: &PaymentRequired,
        maximum_amount: u64,
    ) -> Result<PaymentPayload, FetchError> {
        let failed =
            |message: String| FetchError::NoDraft { verifier: self.session.verifier.clone(), message };
        let body = json!({
            "paymentRequired": challenge,
            "session": { "escrow": self.session.escrow, "sessionKey": self.session.session_key },
            "request": {
                "method": request.method,
                "url": url.as_str(),
                "bodySha256": Hex32(Sha256::digest(&request.body).into()),
            },
            "maximumAmount": Decimal(maximum_amount),
        });
        let endpoint = format!("{}/intents", self.session.verifier.trim_end_matches('/'));
        let response =
            self.http.post(endpoint).json(&body).send().await.map_err(|error| failed(error.to_string()))?;
        let status = response.status();
        let mut answer: Value = response.json().await.map_err(|error| failed(error.to_string()))?;
        if !status.is_success() {
            return Err(failed(refusal(&answer).unwrap_or_else(|| format!("HTTP status {status}"))));
        }
        x402_escrow_wire::field::read(&answer["unsigned"].take()).map_err(|error| failed(error.to_string()))
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

fn unix_seconds() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}
