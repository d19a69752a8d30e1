//! Sends requests and pays for them.

mod streamed;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ed25519_dalek::{Signer, SigningKey};
use reqwest::{
    Method, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
    redirect,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use streamed::{Call, Streaming};
use x402_escrow_interface::resource::resource_hash;
use x402_escrow_wire::{
    X402_VERSION,
    facilitator::SettleResponse,
    payment::{PAYMENT_REQUIRED, PAYMENT_RESPONSE, PAYMENT_SIGNATURE, PaymentPayload, PaymentRequired},
    payment_identifier::{self, PaymentIdentifier},
    text::{Base58, Decimal, HeaderError, Hex32, decode_header, encode_header},
};

use crate::{
    draft::{self, DraftError, Expected, Limits},
    session_file::SessionFile,
    spending::{SpendingError, SpendingFile},
    stream::StreamsError,
};

/// A merchant may wait for a block to become final before it serves.
const TIMEOUT: Duration = Duration::from_secs(90);
/// Before a payment whose answer got lost is sent again.
const REPEAT_PAUSE: Duration = Duration::from_secs(1);
/// What is read of a response at most.
const MAXIMUM_RESPONSE_BYTES: usize = 32 * 1024 * 1024;

/// Pays for requests out of an escrow.
pub struct AgentClient {
    http: reqwest::Client,
    session: SessionFile,
    key: SigningKey,
    limits: Limits,
    spending: Option<SpendingFile>,
    streaming: Option<Streaming>,
}

/// A request to a server that may ask for payment.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method, upper case.
    pub method: String,
    /// Absolute URL.
    pub url: String,
    /// Headers to send along.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

impl Request {
    /// A `GET` request.
    pub fn get(url: &str) -> Self {
        Self { method: "GET".into(), url: url.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// A `POST` request with a JSON body.
    pub fn post_json(url: &str, body: &Value) -> Self {
        let headers = vec![(CONTENT_TYPE.to_string(), "application/json".into())];
        Self { method: "POST".into(), url: url.into(), headers, body: body.to_string().into_bytes() }
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The response's status. 402 after a payment means that the server refused it: see `payment`.
    pub status: u16,
    /// The response's headers.
    pub headers: HeaderMap,
    /// The response's body.
    pub body: Vec<u8>,
    /// Whether the body was cut off after 32 MiB.
    pub truncated: bool,
    /// What was paid, if the server asked for it.
    pub payment: Option<Receipt>,
}

/// A payment that was signed and sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// The payment's id: ask any verifier that settled it at `/payments/{id}`.
    pub payment_id: Hex32,
    /// What was signed for, in base units. The server may take less.
    pub amount: u64,
    /// Who is paid.
    pub pay_to: Base58<32>,
    /// What the server says of the settlement, if it says anything.
    pub settlement: Option<SettleResponse>,
}

/// Why a request was not answered, or not paid for.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The request can't be sent as it is.
    #[error("{what}: {message}")]
    InvalidRequest {
        /// The part of the request.
        what: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// The client could not be set up.
    #[error("setting up the HTTP client: {0}")]
    Setup(#[source] reqwest::Error),
    /// No answer from the server; nothing was signed.
    #[error("{url} did not answer: {source}")]
    Unreachable {
        /// The URL.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// The server answered 402 without a challenge that can be read.
    #[error("the server asks for payment, but not in x402 version 2: {0}")]
    NotX402(String),
    /// The verifier did not draft a payment.
    #[error("the verifier {verifier} drafted no payment: {message}")]
    NoDraft {
        /// The verifier's URL.
        verifier: String,
        /// What it said, the reason for each of the server's offers included.
        message: String,
    },
    /// The server takes payment, but not out of one hold for many requests.
    #[error(
        "the server offers no hold for many requests at a price within the limit of {maximum_amount} base units for \
         {url}; nothing was signed"
    )]
    NotStreamed {
        /// The URL.
        url: String,
        /// The most that a request may cost, in base units.
        maximum_amount: u64,
    },
    /// The draft is not what was asked for.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// The spending limit is reached, or can't be kept.
    #[error(transparent)]
    Spending(#[from] SpendingError),
    /// The file of streamed holds can't be used.
    #[error(transparent)]
    Streams(#[from] StreamsError),
    /// The payment was sent and no answer came: it may settle or not.
    #[error(
        "the payment {payment_id} of {amount} base units was sent to {url} and no answer came ({source}); before \
         paying again, look it up: {verifier}/payments/{payment_id}"
    )]
    NoAnswerAfterPayment {
        /// The URL.
        url: String,
        /// The payment.
        payment_id: Hex32,
        /// What was signed for, in base units.
        amount: u64,
        /// The agent's verifier.
        verifier: String,
        /// What went wrong.
        source: reqwest::Error,
    },
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
        let (method, url) = parse(request)?;
        let call = Call::new(request, &method, &url);
        if let Some(fetched) = self.fetch_known(&call).await? {
            return Ok(fetched);
        }
        let unreachable = |source| FetchError::Unreachable { url: request.url.clone(), source };
        let response = self.send(request, &method, &url, None).await.map_err(unreachable)?;
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
        let mut draft = self.draft(request, &url, &challenge, self.limits.maximum_amount).await?;
        let intent = draft::check(
            &draft,
            &Expected {
                session: &self.session,
                challenge: &challenge,
                resource_hash: resource_hash(&request.method, url.as_str(), &request.body),
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
        let id = identifier(&intent.digest());
        let identified = payment_identifier::with_id(challenge.extensions.as_ref(), &id);
        // The same payment under its id is answered like the first, if that answer gets lost.
        let attempts = if identified.is_some() { 3 } else { 1 };
        draft.extensions = identified.or(draft.extensions);
        let header = payment_header(&draft)?;
        let receipt = Receipt {
            payment_id: Hex32(intent.digest()),
            amount: intent.amount,
            pay_to: intent.receiver.into(),
            settlement: None,
        };
        let no_answer = |source| FetchError::NoAnswerAfterPayment {
            url: request.url.clone(),
            payment_id: Hex32(intent.digest()),
            amount: intent.amount,
            verifier: self.session.verifier.clone(),
            source,
        };
        let mut answer = self.paid(request, &method, &url, &header, receipt.clone()).await;
        for _ in 1..attempts {
            if answer.is_ok() {
                break;
            }
            tokio::time::sleep(REPEAT_PAUSE).await;
            answer = self.paid(request, &method, &url, &header, receipt.clone()).await;
        }
        answer.map_err(no_answer)
    }

    async fn paid(
        &self,
        request: &Request,
        method: &Method,
        url: &Url,
        header: &str,
        receipt: Receipt,
    ) -> Result<Fetched, reqwest::Error> {
        read(self.send(request, method, url, Some(header)).await?, Some(receipt)).await
    }

    async fn send(
        &self,
        request: &Request,
        method: &Method,
        url: &Url,
        payment: Option<&str>,
    ) -> Result<reqwest::Response, reqwest::Error> {
        let mut builder = self.http.request(method.clone(), url.clone()).body(request.body.clone());
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some(payment) = payment {
            builder = builder.header(PAYMENT_SIGNATURE, payment);
        }
        builder.send().await
    }

    /// Has the verifier pick an offer and draft the payment for it.
    async fn draft(
        &self,
        request: &Request,
        url: &Url,
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

/// Method and URL, as they are sent and hashed.
fn parse(request: &Request) -> Result<(Method, Url), FetchError> {
    let invalid = |what, message: String| FetchError::InvalidRequest { what, message };
    let method = Method::from_bytes(request.method.as_bytes())
        .map_err(|_| invalid("method", format!("{:?} is none", request.method)))?;
    let mut url: Url =
        request.url.parse().map_err(|error| invalid("url", format!("{:?}: {error}", request.url)))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("url", format!("{:?} must start with http:// or https://", request.url)));
    }
    url.set_fragment(None);
    for (name, value) in &request.headers {
        let valid = reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_ok()
            && HeaderValue::from_str(value).is_ok();
        if !valid {
            return Err(invalid("headers", format!("{name:?} is not a header")));
        }
    }
    Ok((method, url))
}

fn challenge(headers: &HeaderMap) -> Result<PaymentRequired, FetchError> {
    let header = headers
        .get(PAYMENT_REQUIRED)
        .ok_or_else(|| FetchError::NotX402(format!("the header {PAYMENT_REQUIRED} is missing")))?;
    let text = header.to_str().map_err(|_| FetchError::NotX402(format!("{PAYMENT_REQUIRED} is not text")))?;
    let challenge: PaymentRequired =
        decode_header(text).map_err(|error: HeaderError| FetchError::NotX402(error.to_string()))?;
    if challenge.x402_version != X402_VERSION {
        return Err(FetchError::NotX402(format!("x402Version is {}", challenge.x402_version)));
    }
    Ok(challenge)
}

/// What a purchase is called: one intent is one purchase.
fn identifier(intent_digest: &[u8; 32]) -> PaymentIdentifier {
    let id = format!("pay_{}", Hex32(*intent_digest)).parse();
    id.unwrap_or_else(|error| unreachable!("68 letters, digits and an underscore are an id: {error}"))
}

fn payment_header(payment: &PaymentPayload) -> Result<String, FetchError> {
    encode_header(payment)
        .map_err(|error| FetchError::InvalidRequest { what: PAYMENT_SIGNATURE, message: error.to_string() })
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

/// Reads the response; a settlement that it reports goes into the receipt.
async fn read(mut response: reqwest::Response, payment: Option<Receipt>) -> Result<Fetched, reqwest::Error> {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let settlement = headers
        .get(PAYMENT_RESPONSE)
        .and_then(|header| header.to_str().ok())
        .and_then(|text| decode_header::<SettleResponse>(text).ok());
    let mut body = Vec::new();
    while body.len() <= MAXIMUM_RESPONSE_BYTES
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    let truncated = body.len() > MAXIMUM_RESPONSE_BYTES;
    body.truncate(MAXIMUM_RESPONSE_BYTES);
    Ok(Fetched {
        status,
        headers,
        body,
        truncated,
        payment: payment.map(|receipt| Receipt { settlement, ..receipt }),
    })
}

fn unix_seconds() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}
