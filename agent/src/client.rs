//! Sends requests and pays for them.

mod drafted;
mod error;
mod exchange;
mod paid;
mod streamed;
mod verifier;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ed25519_dalek::SigningKey;
use reqwest::{StatusCode, redirect};
use x402_escrow_interface::{receivers::ReceiverList, resource::resource_hash};
use x402_escrow_wire::{payment::PAYMENT_SIGNATURE, payment_identifier};

use drafted::Wanted;
pub use error::FetchError;
use exchange::{Call, challenge, read};
pub use exchange::{Fetched, Receipt, Request};
use paid::identifier;
use streamed::Streaming;

use crate::{
    draft::Limits,
    nonces::{NoncesFile, SessionNonces},
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
    /// The session's list.
    receivers: Option<ReceiverList>,
    limits: Limits,
    nonces: SessionNonces,
    spending: Option<SpendingFile>,
    streaming: Option<Streaming>,
    allows_http: bool,
}

impl AgentClient {
    /// A client that takes its nonces from `nonces`, and keeps no count of what it signs for: `limits.spending_limit` must
    /// be `None`. All that sign for one session must share one file of nonces.
    ///
    /// # Errors
    /// If a spending limit is set, or the HTTP client can't be set up.
    pub fn new(session: SessionFile, limits: Limits, nonces: &NoncesFile) -> Result<Self, FetchError> {
        if limits.spending_limit.is_some() {
            return Err(FetchError::InvalidRequest {
                what: "spending_limit",
                message: "needs a file to count in: use AgentClient::with_spending".into(),
            });
        }
        Self::build(session, limits, nonces, None)
    }

    /// Like [`Self::new`], and counts what it signs for in `spending`.
    ///
    /// # Errors
    /// If the HTTP client can't be set up.
    pub fn with_spending(
        session: SessionFile,
        limits: Limits,
        nonces: &NoncesFile,
        spending: SpendingFile,
    ) -> Result<Self, FetchError> {
        Self::build(session, limits, nonces, Some(spending))
    }

    fn build(
        session: SessionFile,
        limits: Limits,
        nonces: &NoncesFile,
        spending: Option<SpendingFile>,
    ) -> Result<Self, FetchError> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            // A payment is for one URL; a redirect must not carry it to another server.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(FetchError::Setup)?;
        let (key, receivers, nonces) = (session.signing_key(), session.receiver_list(), nonces.of(&session));
        Ok(Self {
            http,
            session,
            key,
            receivers,
            limits,
            nonces,
            spending,
            streaming: None,
            allows_http: false,
        })
    }

    /// Takes URLs of plain HTTP, for ways that nobody else can read or change. Those of this machine need it not.
    #[must_use]
    pub fn allowing_http(mut self) -> Self {
        self.allows_http = true;
        self
    }

    /// Sends a request and, if the server asks for payment, pays once and sends it again.
    ///
    /// # Errors
    /// If the server can't be reached, or its price is not one to pay. A server that refuses the payment is no error:
    /// the response says so.
    pub async fn fetch(&self, request: &Request) -> Result<Fetched, FetchError> {
        let call = Call::new(request, self.allows_http)?;
        if let Some(fetched) = self.fetch_known(&call).await? {
            return Ok(fetched);
        }
        let unreachable = |source| FetchError::Unreachable { url: request.url.clone(), source };
        let response = self.send(&call, None).await.map_err(unreachable)?;
        if response.status() != StatusCode::PAYMENT_REQUIRED {
            return read(response, None).await.map_err(unreachable);
        }

        let challenge = self.payable(challenge(response.headers())?)?;
        if let Some(fetched) = self.fetch_streamed(&call, &challenge).await? {
            return Ok(fetched);
        }
        if self.streaming.as_ref().is_some_and(|streaming| streaming.is_required) {
            let maximum_amount = self.limits.maximum_amount;
            return Err(FetchError::NotStreamed { url: request.url.clone(), maximum_amount });
        }
        let wanted = Wanted {
            challenge: &challenge,
            resource_hash: resource_hash(&request.method, call.url.as_str(), &request.body),
            maximum_amount: self.limits.maximum_amount,
            maximum_request_price: None,
        };
        let drafted = self.draft(&wanted).await?;
        let (payment_id, intent) = (drafted.payment_id(), drafted.intent);
        let mut payment = self.sign(drafted)?;
        let id = identifier(payment_id, None);
        let identified = payment_identifier::with_id(challenge.extensions.as_ref(), &id);
        payment.extensions = identified.or(payment.extensions);
        let receipt =
            Receipt { payment_id, amount: intent.amount, pay_to: intent.receiver.into(), settlement: None };
        let fetched = self.send_paid(&call, &payment, receipt).await?;
        self.note_held(&fetched);
        Ok(fetched)
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
}

fn unix_seconds() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}
