use x402_escrow_wire::text::Key;

use crate::{
    draft::DraftError, journal::JournalError, nonces::NoncesError, spending::SpendingError,
    stream::StreamsError,
};

/// Why a request was not paid for. No signature for it has left the agent.
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
         HTTP on a safe network: agent fetch --allow-http, AgentClient::allowing_http"
    )]
    PlainHttp {
        /// The URL.
        url: String,
    },
    /// The client could not be set up.
    #[error("setting up the HTTP client: {0}")]
    Setup(#[source] reqwest::Error),
    /// No answer from the server.
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
        "the server names the receiver {pay_to}, which is not {}; nothing was signed. The owner can open a session that lists \
         it: agent session open --receiver {pay_to}",
        listed_receivers(*listed)
    )]
    NotListed {
        /// The receiver of the server's first offer.
        pay_to: Key,
        /// How many receivers the session may pay.
        listed: usize,
    },
    /// The session authorizes nothing any more.
    #[error("the session expired at {expires_at} (unix time); nothing was signed. Ask its owner for another")]
    SessionExpired {
        /// Its last second, unix.
        expires_at: i64,
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
    /// The journal can't be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Too much would be locked at once.
    #[error(
        "{locked} base units are locked or may still be, and this would lock {amount} more, above the limit of {limit}; \
         nothing was signed. Wait until holds end, or raise the limit: agent fetch --max-locked, Limits::maximum_locked"
    )]
    LockedLimit {
        /// The limit, in base units.
        limit: u64,
        /// The sum of all holds that are open or may still be, in base units.
        locked: u64,
        /// The amount that the new hold would add, in base units.
        amount: u64,
    },
    /// The server has had its hold and a replacement for it.
    #[error(
        "{origin} refused further use of both of its holds. They may stay locked until {until} (unix time), and a third \
         is not opened; nothing was signed"
    )]
    TooManyHolds {
        /// The server.
        origin: String,
        /// When the first of them is free at the latest, in unix seconds.
        until: i64,
    },
    /// The hold's last voucher may belong to another purchase, and the verifier does not say.
    #[error(
        "the last voucher of payment {payment_id} may have bought something under a key, and the verifier {verifier} does \
         not say ({message}); nothing was signed. Try again"
    )]
    InDoubt {
        /// The hold's payment.
        payment_id: String,
        /// The verifier's URL.
        verifier: String,
        /// What went wrong.
        message: String,
    },
    /// The key belongs to another request.
    #[error("the key {key:?} belongs to a request with another method, URL or body; nothing was signed")]
    KeyConflict {
        /// The caller's key.
        key: String,
    },
    /// No purchase has the key.
    #[error("there is no purchase with the key {key:?}")]
    NoSuchKey {
        /// The caller's key.
        key: String,
    },
    /// The purchase with this key is done.
    #[error(
        "the purchase {purchase} with the key {key:?} is {state} already; nothing was signed for it again"
    )]
    AlreadyBought {
        /// The caller's key.
        key: String,
        /// The purchase's id in the journal.
        purchase: String,
        /// `served`, or `charged` where its answer got lost.
        state: &'static str,
    },
    /// The journal has a purchase that this session did not make.
    #[error("the purchase {purchase} in the journal was not signed by this session's key")]
    AnotherSession {
        /// The purchase's id in the journal.
        purchase: String,
    },
}

impl FetchError {
    /// A word for the kind of error, for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest { .. } => "invalid_request",
            Self::PlainHttp { .. } => "plain_http",
            Self::Setup(_) => "setup",
            Self::Unreachable { .. } => "unreachable",
            Self::NotX402(_) => "not_x402",
            Self::NoOffer { .. } => "no_offer",
            Self::NoDraft { .. } => "no_draft",
            Self::NotStreamed { .. } => "not_streamed",
            Self::NotListed { .. } => "receiver_not_listed",
            Self::SessionExpired { .. } => "session_expired",
            Self::Draft(_) => "draft_refused",
            Self::Nonces(_) => "nonces",
            Self::Spending(SpendingError::LimitReached { .. }) => "spending_limit",
            Self::Spending(_) => "spending_file",
            Self::Streams(_) => "streams_file",
            Self::Journal(_) => "journal_file",
            Self::LockedLimit { .. } => "locked_limit",
            Self::TooManyHolds { .. } => "too_many_holds",
            Self::InDoubt { .. } => "in_doubt",
            Self::KeyConflict { .. } => "key_conflict",
            Self::NoSuchKey { .. } => "no_such_key",
            Self::AlreadyBought { .. } => "already_bought",
            Self::AnotherSession { .. } => "another_session",
        }
    }
}

impl FetchError {
    /// Whether the same call may work later, without anything being changed.
    pub fn is_worth_retrying(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::LockedLimit { .. } | Self::InDoubt { .. })
    }
}

fn listed_receivers(listed: usize) -> String {
    match listed {
        1 => "the one receiver that the session may pay".into(),
        many => format!("one of the {many} receivers that the session may pay"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    /// Both agents have the same codes: the TypeScript package's tests read the same list.
    #[test]
    fn the_shared_list_has_every_code() {
        let list: Value = serde_json::from_str(include_str!("../../../docs/agent-errors.json")).unwrap();
        let listed: BTreeSet<_> = list["fetch"].as_object().unwrap().keys().map(String::as_str).collect();
        let own = include_str!("error.rs").lines().filter_map(|line| {
            line.trim().strip_prefix("Self::")?.split_once(" => \"")?.1.strip_suffix("\",")
        });
        assert_eq!(own.collect::<BTreeSet<_>>(), listed);
    }
}
