//! Whether a request would settle: gathers what is known, and has it judged. Changes nothing. `/verify` answers what
//! [`check`] finds, and `/settle` acts on it.

mod hold;
mod operation;
mod transfer;
mod voucher;

use x402_escrow_domain::{assurance::Assurance, policy::Policy, request::Request, verify::Rejection};
use x402_escrow_interface::Address;
use x402_escrow_wire::auth_capture::Payload;

use crate::engine::{app::App, not_accepted::NotAccepted};

pub use hold::{CheckedHold, FoundHold, already_settled};
pub use operation::CheckedOperation;
pub use transfer::{CheckedTransfer, is_told_again};
pub use voucher::{Again, CheckedVoucher, accepted_before, check_amount};

/// A request that is sound.
#[derive(Clone, Debug)]
pub enum Checked {
    /// An intent, by which the amount is held or charged.
    Hold(Box<CheckedHold>),
    /// A voucher, which pays for one more request on a hold.
    Voucher(Box<CheckedVoucher>),
    /// A capture or a release that a merchant signed.
    Operation(Box<CheckedOperation>),
    /// A client's transfer.
    Transfer(Box<CheckedTransfer>),
}

/// What a request is checked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To tell.
    Verify,
    /// To act. What is new counts against its payer's share.
    Settle,
}

/// Checks what `request` asks for.
///
/// # Errors
/// If it would not settle, or can't be judged now.
pub async fn check(app: &App, request: &Request, purpose: Purpose) -> Result<Checked, NotAccepted> {
    Ok(match request {
        Request::Exact(request) => Checked::Transfer(Box::new(transfer::check(app, request, purpose).await?)),
        Request::AuthCapture(request) => match &request.payload {
            Payload::Intent(payload) => {
                Checked::Hold(Box::new(hold::check(app, request, payload, purpose).await?))
            }
            Payload::Voucher(payload) => {
                Checked::Voucher(Box::new(voucher::check(app, request, payload, purpose).await?))
            }
            Payload::Lifecycle(payload) => {
                Checked::Operation(Box::new(operation::check(app, &request.body, payload).await?))
            }
        },
    })
}

impl Checked {
    /// The verdict of `/verify`: whose money it is, and how sure.
    ///
    /// # Errors
    /// If it was settled before. `/settle` tells again what became of it; a server that is told yes here would serve.
    pub fn verdict(&self, policy: &Policy) -> Result<(Address, Assurance), Rejection> {
        match self {
            Self::Hold(hold) => hold.verdict(policy),
            Self::Voucher(voucher) => Ok((voucher.standing.stream.payer, voucher.assurance)),
            Self::Operation(operation) => operation.verdict(policy),
            Self::Transfer(transfer) => transfer.verdict(policy),
        }
    }
}
