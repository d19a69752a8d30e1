//! Vouchers: the last of each streamed hold. All that arrive while a commit is being made durable share the next.

mod batch;
mod claims;
mod known;
mod rows;

use std::sync::Arc;

use tokio::sync::oneshot;
use x402_escrow_domain::{identifier::Binding, payment::Voucher, stream::Stream, verify::Rejection};
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::{claim::Claim, payment_identifier::PaymentIdentifier};

use super::{Store, StoreError};

pub(super) use known::Streams;

/// A hold, and the last voucher of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The hold.
    pub stream: Arc<Stream>,
    /// The amount of its last voucher, if it has any, in base units.
    pub last: Option<u64>,
}

/// What became of a voucher that was to be kept.
#[derive(Clone, Debug, PartialEq)]
pub enum AcceptedVoucher {
    /// It is the payment's last.
    New {
        /// The hold as it was before.
        stream: Arc<Stream>,
        /// What it adds to those before it, in base units.
        increment: u64,
    },
    /// It buys nothing.
    Refused(Rejection),
    /// There is no such payment.
    UnknownPayment,
    /// Its id is another payment's of the same session key.
    IdentifierTaken(PaymentIdentifier),
}

/// What is kept beside a voucher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptBeside {
    /// What it adds to those before it, in base units.
    pub increment: u64,
    /// Its id, if it has one.
    pub binding: Option<Binding>,
    /// Who may be told yes again, if anybody.
    pub claim: Option<Claim>,
}

/// A claim on a voucher that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimedVoucher {
    /// Whose it is.
    pub claim: Claim,
    /// What the voucher added to those before it, in base units.
    pub increment: u64,
}

/// Decides, given all that a voucher is judged by, whether it is kept, and with what beside it. Asked again where what
/// it was given turns out to be out of date.
pub type DecideVoucher = Box<dyn Fn(&Standing) -> Result<KeptBeside, Rejection> + Send + Sync>;

/// A voucher that waits for its turn.
pub(super) type OfferedVoucher = (Offered, oneshot::Sender<Result<AcceptedVoucher, StoreError>>);

pub(super) struct Offered {
    payment_id: Digest,
    voucher: Voucher,
    margin_seconds: i64,
    decide: DecideVoucher,
}

impl Store {
    /// Keeps `voucher` as the last of a known payment, and binds its id, unless `decide` refuses it, in one step. The
    /// payment is reviewed `margin_seconds` before its capture deadline: then its last voucher is captured, if nobody
    /// asked for that.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn accept_voucher(
        &self,
        payment_id: &Digest,
        voucher: &Voucher,
        margin_seconds: i64,
        decide: DecideVoucher,
    ) -> Result<AcceptedVoucher, StoreError> {
        let (answer, answered) = oneshot::channel();
        let offered = Offered { payment_id: *payment_id, voucher: *voucher, margin_seconds, decide };
        if self.offered.push((offered, answer)) {
            // A task of its own: a client that hangs up must not take those with it whose vouchers go together.
            let store = self.clone();
            tokio::spawn(async move { store.accept_offered().await });
        }
        answered.await.unwrap_or(Err(StoreError::Left))
    }

    /// What was last known of a payment of which vouchers are taken. It may be out of date.
    pub fn known_standing(&self, payment_id: &Digest) -> Option<Standing> {
        Some(self.streams.get(payment_id)?.standing)
    }

    /// What is known of a payment of which vouchers may be taken; `None` if there is no such payment.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn standing(&self, payment_id: &Digest) -> Result<Option<Standing>, StoreError> {
        let cached = self.streams.get(payment_id);
        let Some(known) = rows::read(&mut *self.pool.acquire().await?, payment_id, cached).await? else {
            return Ok(None);
        };
        let standing = known.standing.clone();
        self.streams.see(known);
        Ok(Some(standing))
    }

    async fn accept_offered(&self) {
        let turn = self.turns.wait_for_all().await;
        let (offered, answers): (Vec<_>, Vec<_>) = self.offered.take_all().into_iter().unzip();
        // Who doesn't listen any more has hung up.
        match self.keep_all(turn, &offered).await {
            Ok(accepted) => {
                for (answer, accepted) in answers.into_iter().zip(accepted) {
                    _ = answer.send(Ok(accepted));
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for answer in answers {
                    _ = answer.send(Err(StoreError::Together(Arc::clone(&error))));
                }
            }
        }
    }
}
