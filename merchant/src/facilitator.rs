//! Asks the facilitator. Uses an exchange, and no I/O of its own.

use axum::http::StatusCode;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use x402_escrow_wire::{
    X402_VERSION,
    auth_capture::SCHEME,
    claim::Claim,
    facilitator::{
        FacilitatorRequest, RefundDraft, RefundRequest, SettleResponse, SignedRefund, SupportedResponse,
        VerifyResponse,
    },
    payment::{PaymentPayload, PaymentRequirements},
    purchase::verdict::Verdict,
    text::Key,
};

use crate::exchange::Exchange;

/// The facilitator gave no verdict.
#[derive(Debug, thiserror::Error)]
pub enum FacilitatorError {
    /// It doesn't answer, or not with what belongs there.
    #[error("the facilitator {url}: {cause}")]
    NoAnswer {
        /// Its base URL.
        url: String,
        /// What went wrong.
        cause: String,
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
    /// What it says of the intent or voucher that was to be settled.
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::Status { status, .. } => Verdict::of_status(status.as_u16()),
            _ => Verdict::Missing,
        }
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
    /// What is known of tokens, by mint.
    pub(crate) tokens: Map<String, Value>,
}

impl Support {
    /// The token's decimals, if the facilitator tells them.
    pub(crate) fn decimals(&self, mint: &Key) -> Option<u8> {
        let decimals = self.tokens.get(&mint.to_string())?.get("decimals")?.as_u64()?;
        u8::try_from(decimals).ok()
    }
}

pub(crate) struct Facilitator {
    url: String,
    exchange: Exchange,
}

impl Facilitator {
    /// The facilitator at `url`, which only messages show, behind an exchange.
    pub(crate) fn new(url: String, exchange: Exchange) -> Self {
        Self { url, exchange }
    }

    pub(crate) async fn support(&self) -> Result<Support, FacilitatorError> {
        let supported: SupportedResponse = self.ask("/supported", None::<&()>).await?;
        let support = supported.kinds.into_iter().find_map(|mut kind| {
            let member = |name: &str| kind.extra.get(name).and_then(Value::as_str)?.parse::<Key>().ok();
            let ours = kind.x402_version == X402_VERSION && kind.scheme == SCHEME;
            let (program, fee_payer) = (member("program")?, member("feePayer")?);
            let tokens = match kind.extra.remove("tokens") {
                Some(Value::Object(tokens)) => tokens,
                _ => Map::new(),
            };
            ours.then_some(Support { network: kind.network, program, fee_payer, tokens })
        });
        support.ok_or_else(|| FacilitatorError::Unsupported { url: self.url.clone() })
    }

    /// Settles what the merchant itself signed.
    pub(crate) async fn settle(
        &self,
        payload: Value,
        requirements: &PaymentRequirements,
    ) -> Result<SettleResponse, FacilitatorError> {
        self.ask("/settle", Some(&request(plain(payload, requirements), None))).await
    }

    /// Settles what a client sent.
    pub(crate) async fn pay(
        &self,
        payment: PaymentPayload,
        claim: Claim,
    ) -> Result<SettleResponse, FacilitatorError> {
        self.ask("/settle", Some(&request(payment, Some(claim)))).await
    }

    /// Asks whether what a client sent would be settled.
    pub(crate) async fn verify(&self, payment: PaymentPayload) -> Result<VerifyResponse, FacilitatorError> {
        self.ask("/verify", Some(&request(payment, None))).await
    }

    pub(crate) async fn draft_refund(
        &self,
        request: &RefundRequest,
    ) -> Result<RefundDraft, FacilitatorError> {
        self.ask("/refunds", Some(request)).await
    }

    pub(crate) async fn send_refund(
        &self,
        signed: &SignedRefund,
    ) -> Result<SettleResponse, FacilitatorError> {
        self.ask("/refunds/signed", Some(signed)).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        path: &'static str,
        body: Option<&impl Serialize>,
    ) -> Result<T, FacilitatorError> {
        let url = &self.url;
        let no_answer = |cause| FacilitatorError::NoAnswer { url: url.clone(), cause };
        let body = body.map(|body| json!(body).to_string().into_bytes());
        let (status, body) = (self.exchange)((path, body)).await.map_err(no_answer)?;
        if status != StatusCode::OK.as_u16() {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            let body = String::from_utf8_lossy(&body).into_owned();
            return Err(FacilitatorError::Status { url: url.clone(), status, body });
        }
        serde_json::from_slice(&body).map_err(|error| no_answer(format!("its answer can't be read: {error}")))
    }
}

fn request(payment_payload: PaymentPayload, claim: Option<Claim>) -> FacilitatorRequest {
    let payment_requirements = payment_payload.accepted.clone();
    FacilitatorRequest { x402_version: X402_VERSION, payment_payload, payment_requirements, claim }
}

/// A payload on its requirements, and nothing beside.
pub(crate) fn plain(payload: Value, requirements: &PaymentRequirements) -> PaymentPayload {
    let accepted = requirements.clone();
    PaymentPayload { x402_version: X402_VERSION, resource: None, accepted, payload, extensions: None }
}
