//! Why something was not accepted, and why work in the background broke off.

use x402_escrow_domain::{budget::UsedUp, request::NotRead, verify::Rejection};
use x402_escrow_wire::{field::FieldError, payment_identifier::PaymentIdentifier};

use super::limits::TooMany;
use crate::{chain::ChainError, store::StoreError};

/// Why something that was asked for was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum NotAccepted {
    /// The verdict is no.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// A field of the request is missing or malformed.
    #[error(transparent)]
    Malformed(#[from] FieldError),
    /// The node didn't answer: no verdict.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The store failed: no verdict.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too much is asked: no verdict.
    #[error("{}", .0.limit.message())]
    TooMany(TooMany),
    /// The operator's budget for it is used up: no verdict.
    #[error("a budget is used up")]
    UsedUp(UsedUp),
    /// The operator's deny list can't be asked: no verdict.
    #[error("the deny list can't be asked")]
    DenyListFailed,
    /// The operator has nothing new accepted: no verdict.
    #[error("nothing new is accepted now")]
    Paused,
    /// The payment's id is another's: no verdict.
    #[error("the id {0} is another payment's")]
    IdentifierTaken(PaymentIdentifier),
}

impl From<NotRead> for NotAccepted {
    fn from(error: NotRead) -> Self {
        match error {
            NotRead::Malformed(error) => error.into(),
            NotRead::Rejected(rejection) => rejection.into(),
        }
    }
}

impl From<Interrupted> for NotAccepted {
    fn from(error: Interrupted) -> Self {
        match error {
            Interrupted::Chain(error) => error.into(),
            Interrupted::Store(error) => error.into(),
        }
    }
}

/// Why work in the background broke off; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Interrupted {
    /// The node didn't answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
