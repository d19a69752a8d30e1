//! Sends requests and pays for them.

mod drafted;
mod error;
mod exchange;
mod found;
mod outcome;
mod paid;
mod resumed;
mod streamed;
mod verifier;

use std::time::Duration;

use ed25519_dalek::SigningKey;
use reqwest::{StatusCode, redirect};
use x402_escrow_interface::receivers::ReceiverList;
use x402_escrow_wire::{
    payment::{PAYMENT_SIGNATURE, PaymentRequired},
    payment_identifier,
};

use crate::{
    draft::Limits, files::StateFiles, journal::purchase_id, nonces::SessionNonces, session_file::SessionFile,
};

use exchange::{Call, challenge, read};
use paid::identifier;
use streamed::Streaming;
use verifier::Wanted;

pub use error::FetchError;
pub use exchange::Request;
pub use outcome::{Fetched, Outcome, Receipt};
pub use resumed::Lookup;

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
    files: StateFiles,
    streaming: Option<Streaming>,
    allows_http: bool,
}

impl AgentClient {
    /// A client that keeps its state in `files`, which all that sign for the session must share.
    ///
    /// # Errors
    /// If the HTTP client can't be set up.
    pub fn new(session: SessionFile, limits: Limits, files: StateFiles) -> Result<Self, FetchError> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            // A payment is for one URL; a redirect must not carry it to another server.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(FetchError::Setup)?;
        let (key, receivers) = (session.signing_key(), session.receiver_list());
        let nonces = files.nonces.of(&session);
        let (streaming, allows_http) = (None, false);
        Ok(Self { http, session, key, receivers, limits, nonces, files, streaming, allows_http })
    }

    /// Takes URLs of plain HTTP, for ways that nobody else can read or change. Those of this machine need it not.
    #[must_use]
    pub fn allowing_http(mut self) -> Self {
        self.allows_http = true;
        self
    }

    /// Sends a request and, if the server asks for payment, pays once and sends it again. A request with a key goes on
    /// with the purchase that has the key, where there is one: see [`Self::resume`].
    ///
    /// # Errors
    /// If nothing was signed: the server can't be reached, its price is not one to pay, or the key has bought already.
    /// Once something was signed, the answer is always an [`Outcome`].
    pub async fn fetch(&self, request: &Request) -> Result<Outcome, FetchError> {
        let call = Call::new(request, self.allows_http)?;
        loop {
            if let Some(outcome) = self.go_on(&call).await? {
                return Ok(outcome);
            }
            if let Some(outcome) = self.buy(&call).await? {
                return Ok(outcome);
            }
            // Another process has begun a purchase with the key meanwhile.
        }
    }

    /// `None` if another purchase has the call's key.
    async fn buy(&self, call: &Call<'_>) -> Result<Option<Outcome>, FetchError> {
        let refused = match self.fetch_known(call).await? {
            Bought::NotFor => return self.buy_as_asked(call).await,
            Bought::KeyTaken => return Ok(None),
            Bought::For(outcome) => return Ok(Some(*outcome)),
            Bought::Refused(outcome) => outcome,
        };
        // A server that refused a voucher has it: the caller must be told, unless another payment was made.
        Ok(match self.buy_as_asked(call).await {
            Ok(Some(Outcome::Refused { may_settle_until: None, .. })) | Err(_) => Some(*refused),
            Ok(bought) => bought,
        })
    }

    /// Asks what the server wants, and pays it.
    async fn buy_as_asked(&self, call: &Call<'_>) -> Result<Option<Outcome>, FetchError> {
        let unreachable = |source| FetchError::Unreachable { url: call.request.url.clone(), source };
        let response = self.send(call, None).await.map_err(unreachable)?;
        let is_payable = response.status() == StatusCode::PAYMENT_REQUIRED;
        if !is_payable {
            let response = read(response, None).await.map_err(unreachable)?;
            return Ok(Some(match response.is_served() {
                true => Outcome::Served(response),
                false => Outcome::Refused { response, may_settle_until: None },
            }));
        }

        let challenge = self.payable(challenge(response.headers())?)?;
        match self.fetch_streamed(call, &challenge).await? {
            Bought::NotFor => {}
            Bought::KeyTaken => return Ok(None),
            Bought::For(outcome) | Bought::Refused(outcome) => return Ok(Some(*outcome)),
        }
        if self.streaming.as_ref().is_some_and(|streaming| streaming.is_required) {
            let maximum_amount = self.limits.maximum_amount;
            return Err(FetchError::NotStreamed { url: call.request.url.clone(), maximum_amount });
        }
        self.buy_once(call, &challenge).await
    }

    /// Pays for this request alone.
    async fn buy_once(
        &self,
        call: &Call<'_>,
        challenge: &PaymentRequired,
    ) -> Result<Option<Outcome>, FetchError> {
        let wanted = Wanted {
            challenge,
            resource_hash: call.resource_hash.0,
            maximum_amount: self.limits.maximum_amount,
            maximum_request_price: None,
        };
        let mut drafted = self.draft(&wanted).await?;
        let id = identifier(&purchase_id(drafted.payment_id(), None));
        let identified = payment_identifier::with_id(challenge.extensions.as_ref(), &id);
        drafted.payment.extensions = identified.or(drafted.payment.extensions);
        let Some(sending) = self.sign(call, drafted).await? else { return Ok(None) };
        Ok(Some(self.send_paid(call, sending).await?.outcome))
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

/// How an attempt to pay ended.
enum Bought {
    /// It is not for this request, or not any more.
    NotFor,
    /// Another purchase has the call's key.
    KeyTaken,
    For(Box<Outcome>),
    /// The server refused a voucher and takes no more out of its hold: another may be opened.
    Refused(Box<Outcome>),
}
