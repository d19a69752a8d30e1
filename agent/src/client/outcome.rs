//! What a caller is told.

use reqwest::header::HeaderMap;
use x402_escrow_wire::{
    facilitator::SettleResponse,
    text::{Hex32, Key},
};

/// What came of a request, and what may still come of a payment for it.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The server served: it answered 2xx.
    Served(Fetched),
    /// The server answered and did not serve.
    Refused {
        /// Its answer.
        response: Fetched,
        /// Last second at which the payment can still settle (unix), since the server has its signature; `None` where
        /// nothing was signed.
        may_settle_until: Option<i64>,
    },
    /// The payment may be taken or not. It must not be made anew, but may be sent again: [`super::AgentClient::resume`].
    Unknown {
        /// The server's answer, if one came that leaves it open.
        response: Option<Box<Fetched>>,
        /// What was signed and sent.
        payment: Receipt,
        /// Last second at which it can still settle, unix.
        until: i64,
        /// Why nothing is known.
        reason: String,
    },
}

impl Outcome {
    /// The server's answer, if one came.
    pub fn response(&self) -> Option<&Fetched> {
        match self {
            Self::Served(response) | Self::Refused { response, .. } => Some(response),
            Self::Unknown { response, .. } => response.as_deref(),
        }
    }

    /// What was signed and sent, if anything was.
    pub fn payment(&self) -> Option<&Receipt> {
        match self {
            Self::Served(response) | Self::Refused { response, .. } => response.payment.as_ref(),
            Self::Unknown { payment, .. } => Some(payment),
        }
    }

    /// The server's reason for a "no", if it gave one.
    pub fn reason(&self) -> Option<&str> {
        self.response().and_then(Fetched::refusal_reason)
    }
}

/// A server's answer.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
    /// Whether the body was cut off after 32 MiB.
    pub truncated: bool,
    /// What was paid, if the server asked for it.
    pub payment: Option<Receipt>,
}

impl Fetched {
    /// Whether the server served.
    pub(super) fn is_served(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn settlement(&self) -> Option<&SettleResponse> {
        self.payment.as_ref()?.settlement.as_ref()
    }

    pub(super) fn refusal_reason(&self) -> Option<&str> {
        self.settlement()?.error_reason.as_deref()
    }

    /// Whether the server says that the payment is settled.
    pub(super) fn says_settled(&self) -> bool {
        self.settlement().is_some_and(|settlement| settlement.success)
    }
}

/// A payment that was signed and sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// The payment's id: ask any verifier that settled it at `/payments/{id}`.
    pub payment_id: Hex32,
    /// What was signed for, in base units. The server may take less.
    pub amount: u64,
    /// Who is paid.
    pub pay_to: Key,
    /// What the server says of the settlement, if it says anything.
    pub settlement: Option<SettleResponse>,
}
