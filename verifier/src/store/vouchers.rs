//! Vouchers: the last of each streamed hold. Those that come at the same time share a commit.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sqlx::AnyConnection;
use tokio::sync::oneshot;
use x402_escrow_domain::{
    identifier::Binding,
    payment::{History, Voucher},
    verify::Rejection,
};
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::{
    claim::Claim,
    payment_identifier::PaymentIdentifier,
    text::{Base58, Decimal, Hex32},
};

use super::{Store, StoreError, identifiers, payments, row, write::Turn};

/// What became of a voucher that was to be kept.
#[derive(Clone, Debug, PartialEq)]
pub enum AcceptedVoucher {
    /// It is the payment's last; the payment as it was before.
    New(Box<History>),
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

/// Of how many of a hold's vouchers the claims are kept: a merchant has fewer answers on their way.
const CLAIMS_KEPT: i64 = 64;

/// Decides, given all that is known of the payment, whether a voucher is kept, and with what beside it.
pub type DecideVoucher = Box<dyn FnOnce(&History) -> Result<KeptBeside, Rejection> + Send>;

/// Vouchers that wait for their turn. Whoever has it keeps all that are there, in one transaction: what takes long is not
/// writing but having it on disk.
#[derive(Clone, Default)]
pub(super) struct OfferedVouchers(Arc<Mutex<Vec<(Offered, Answer)>>>);

type Answer = oneshot::Sender<Result<AcceptedVoucher, StoreError>>;

struct Offered {
    payment_id: Digest,
    voucher: Voucher,
    margin_seconds: i64,
    decide: DecideVoucher,
}

impl fmt::Debug for OfferedVouchers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OfferedVouchers").finish_non_exhaustive()
    }
}

impl OfferedVouchers {
    fn lock(&self) -> MutexGuard<'_, Vec<(Offered, Answer)>> {
        // Nothing that holds it can panic halfway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        self.offered.lock().push((offered, answer));
        // A task of its own: a client that hangs up must not take those with it whose vouchers go together.
        let store = self.clone();
        tokio::spawn(async move { store.accept_offered().await });
        answered.await.unwrap_or(Err(StoreError::Left))
    }

    /// Who claimed the voucher of `amount` base units, if it is one of the newest and somebody did.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn voucher_claim(
        &self,
        payment_id: &Digest,
        amount: u64,
    ) -> Result<Option<ClaimedVoucher>, StoreError> {
        let row =
            sqlx::query("SELECT claim, increment FROM voucher_claims WHERE payment_id = $1 AND amount = $2")
                .bind(Hex32(*payment_id).to_string())
                .bind(Decimal(amount).to_string())
                .fetch_optional(&mut *self.pool.acquire().await?)
                .await?;
        let claimed = |row| {
            let increment = row::parse::<Decimal>(row, "increment")?.0;
            Ok(ClaimedVoucher { claim: row::parse(row, "claim")?, increment })
        };
        row.as_ref().map(claimed).transpose()
    }

    async fn accept_offered(&self) {
        let turn = self.turns.wait().await;
        let (offered, answers): (Vec<_>, Vec<_>) =
            std::mem::take(&mut *self.offered.lock()).into_iter().unzip();
        // Whoever had the turn before may have left none.
        if offered.is_empty() {
            return;
        }
        // Who doesn't listen any more has hung up.
        match self.keep_all(turn, offered).await {
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

    /// One after the other, each on what those before it changed; returned once all are on disk.
    async fn keep_all(&self, turn: Turn, offered: Vec<Offered>) -> Result<Vec<AcceptedVoucher>, StoreError> {
        let mut transaction = turn.begin(&self.database, &self.pool).await?;
        let mut accepted = Vec::with_capacity(offered.len());
        for voucher in offered {
            accepted.push(keep(&mut transaction, voucher).await?);
        }
        transaction.commit().await?;
        Ok(accepted)
    }
}

/// Keeps one. Where it is not [`AcceptedVoucher::New`], nothing was written.
async fn keep(connection: &mut AnyConnection, offered: Offered) -> Result<AcceptedVoucher, StoreError> {
    let Offered { payment_id, voucher, margin_seconds, decide } = offered;
    let Some(history) = payments::history(connection, &payment_id).await? else {
        return Ok(AcceptedVoucher::UnknownPayment);
    };
    let KeptBeside { increment, binding, claim } = match decide(&history) {
        Ok(beside) => beside,
        Err(rejection) => return Ok(AcceptedVoucher::Refused(rejection)),
    };
    if let Some(binding) = binding
        && !identifiers::bind(connection, &binding).await?
    {
        return Ok(AcceptedVoucher::IdentifierTaken(binding.id));
    }
    sqlx::query(
        "INSERT INTO vouchers (payment_id, amount, fee, signature) VALUES ($1, $2, $3, $4)
         ON CONFLICT (payment_id)
         DO UPDATE SET amount = excluded.amount, fee = excluded.fee, signature = excluded.signature",
    )
    .bind(Hex32(payment_id).to_string())
    .bind(Decimal(voucher.amount).to_string())
    .bind(Decimal(voucher.fee).to_string())
    .bind(Base58(voucher.signature).to_string())
    .execute(&mut *connection)
    .await?;
    if let Some(claim) = claim {
        keep_claim(connection, &payment_id, voucher.amount, ClaimedVoucher { claim, increment }).await?;
    }
    if history.voucher.is_none() {
        let review_at = history.payment.capture_deadline().saturating_sub(margin_seconds);
        payments::set_review(connection, &payment_id, Some(review_at)).await?;
    }
    Ok(AcceptedVoucher::New(Box::new(history)))
}

async fn keep_claim(
    connection: &mut AnyConnection,
    payment_id: &Digest,
    amount: u64,
    claimed: ClaimedVoucher,
) -> Result<(), StoreError> {
    let id = Hex32(*payment_id).to_string();
    let row = sqlx::query(
        "INSERT INTO voucher_claims (payment_id, number, amount, increment, claim)
         SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4 FROM voucher_claims WHERE payment_id = $1
         RETURNING number",
    )
    .bind(&id)
    .bind(Decimal(amount).to_string())
    .bind(Decimal(claimed.increment).to_string())
    .bind(claimed.claim.to_string())
    .fetch_one(&mut *connection)
    .await?;
    let number: i64 = row::get(&row, "number")?;
    sqlx::query("DELETE FROM voucher_claims WHERE payment_id = $1 AND number <= $2")
        .bind(&id)
        .bind(number - CLAIMS_KEPT)
        .execute(connection)
        .await?;
    Ok(())
}
