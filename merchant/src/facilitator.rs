//! Asks the facilitator over HTTP. The only module that uses the network.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use x402_escrow_wire::{
    X402_VERSION,
    auth_capture::SCHEME,
    facilitator::{
        FacilitatorRequest, RefundDraft, RefundRequest, SettleResponse, SignedRefund, SupportedResponse,
    },
    payment::{PaymentPayload, PaymentRequirements},
    text::Key,
};

/// The facilitator itself waits up to a minute for a payment to become final.
const TIMEOUT: Duration = Duration::from_secs(75);

/// The facilitator gave no verdict.
#[derive(Debug, thiserror::Error)]
pub enum FacilitatorError {
    /// It doesn't answer, or not with what belongs there.
    #[error("the facilitator {url}: {source}")]
    NoAnswer {
        /// Its base URL.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// It answered with an error.
    #[error("the facilitator {url} answered with status {status}: {body:.300}")]
    Status {
        /// Its base URL.
        url: String,
        /// The status.
        status: StatusCode,
        /// What it said.
        body: String,
    },
    /// It can't settle what the merchant would ask for.
    #[error(
        "the facilitator {url} doesn't settle {SCHEME}, or doesn't name its program; see {url}/supported"
    )]
    Unsupported {
        /// Its base URL.
        url: String,
    },
}

impl FacilitatorError {
    /// Whether the same request would get the same answer: it can't be read, or is too long.
    pub(crate) fn is_refusal(&self) -> bool {
        let refusals = [StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE];
        matches!(self, Self::Status { status, .. } if refusals.contains(status))
    }
}

/// What the facilitator settles, as challenges need it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Support {
    /// The network, as a CAIP-2 id.
    pub(crate) network: String,
    /// The escrow program. Clients pay only if it is their session's.
    pub(crate) program: Key,
    /// Who pays fees and rent.
    pub(crate) fee_payer: Key,
}

pub(crate) struct Facilitator {
    url: String,
    http: Client,
}

impl Facilitator {
    pub(crate) fn new(url: &str) -> Result<Self, FacilitatorError> {
        let url = url.trim_end_matches('/').to_owned();
        match Client::builder().timeout(TIMEOUT).build() {
            Ok(http) => Ok(Self { url, http }),
            Err(source) => Err(FacilitatorError::NoAnswer { url, source }),
        }
    }

    pub(crate) async fn support(&self) -> Result<Support, FacilitatorError> {
        let supported: SupportedResponse = self.ask(self.http.get(format!("{}/supported", self.url))).await?;
        let support = supported.kinds.into_iter().find_map(|kind| {
            let member = |name: &str| kind.extra.get(name).and_then(Value::as_str)?.parse::<Key>().ok();
            let ours = kind.x402_version == X402_VERSION && kind.scheme == SCHEME;
            let (program, fee_payer) = (member("program")?, member("feePayer")?);
            ours.then_some(Support { network: kind.network, program, fee_payer })
        });
        support.ok_or_else(|| FacilitatorError::Unsupported { url: self.url.clone() })
    }

    /// Settles what the merchant itself signed.
    pub(crate) async fn settle(
        &self,
        payload: Value,
        requirements: &PaymentRequirements,
    ) -> Result<SettleResponse, FacilitatorError> {
        self.pay(payload, None, requirements).await
    }

    /// Settles what a client sent.
    pub(crate) async fn pay(
        &self,
        payload: Value,
        extensions: Option<Map<String, Value>>,
        requirements: &PaymentRequirements,
    ) -> Result<SettleResponse, FacilitatorError> {
        let request = FacilitatorRequest {
            x402_version: X402_VERSION,
            payment_payload: PaymentPayload {
                x402_version: X402_VERSION,
                resource: None,
                accepted: requirements.clone(),
                payload,
                extensions,
            },
            payment_requirements: requirements.clone(),
            claim: None,
        };
        self.ask(self.http.post(format!("{}/settle", self.url)).json(&request)).await
    }

    pub(crate) async fn draft_refund(
        &self,
        request: &RefundRequest,
    ) -> Result<RefundDraft, FacilitatorError> {
        self.ask(self.http.post(format!("{}/refunds", self.url)).json(request)).await
    }

    pub(crate) async fn send_refund(
        &self,
        signed: &SignedRefund,
    ) -> Result<SettleResponse, FacilitatorError> {
        self.ask(self.http.post(format!("{}/refunds/signed", self.url)).json(signed)).await
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, FacilitatorError> {
        let no_answer = |source| FacilitatorError::NoAnswer { url: self.url.clone(), source };
        let response = request.send().await.map_err(no_answer)?;
        let status = response.status();
        if status != StatusCode::OK {
            let body = response.text().await.map_err(no_answer)?;
            return Err(FacilitatorError::Status { url: self.url.clone(), status, body });
        }
        response.json().await.map_err(no_answer)
    }
}
