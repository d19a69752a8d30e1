use x402_escrow_wire::text::{Hex32, Key};

use crate::{draft::DraftError, nonces::NoncesError, spending::SpendingError, stream::StreamsError};

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
    /// The URL is of plain HTTP, and not of this machine.
    #[error(
        "{url} is plain HTTP: anybody on the way could name another receiver and another price. Use https, or allow plain \
         HTTP where the way is safe: agent fetch --allow-http, AgentClient::allowing_http"
    )]
    PlainHttp {
        /// The URL.
        url: String,
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
    /// The server takes payment in other ways only.
    #[error("the server takes no payment by auth-capture on Solana; it offers {}. Nothing was signed", schemes.join(", "))]
    NoOffer {
        /// Schemes of the server's offers.
        schemes: Vec<String>,
    },
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
    /// The session may pay listed receivers only, and this is none of them.
    #[error(
        "the server wants {pay_to} to be paid, which is none of the {listed} receivers that the session may pay; \
         nothing was signed. The owner can open a session that lists it: agent session open --receiver {pay_to}"
    )]
    NotListed {
        /// The receiver of the server's first offer.
        pay_to: Key,
        /// How many receivers the session may pay.
        listed: usize,
    },
    /// The draft is not what was asked for.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// No nonce can be used, or the file of nonces can't.
    #[error(transparent)]
    Nonces(#[from] NoncesError),
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
