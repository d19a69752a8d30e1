//! Payments: one row each, whatever the scheme.

use sqlx::AnyConnection;
use x402_escrow_domain::payment::{History, HoldTerms, Payment, Voucher};
use x402_escrow_interface::{Address, message::Digest};
use x402_escrow_wire::text::{Base58, Decimal, Hex32};

use super::{Store, StoreError, budgets, operations, row};

impl Store {
    /// Takes the one yes that a transfer has. Returns whether it was still there.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn tell_transfer(&self, id: &Digest) -> Result<bool, StoreError> {
        let told = sqlx::query("UPDATE payments SET told = 1 WHERE id = $1 AND told = 0")
            .bind(Hex32(*id).to_string())
            .execute(&mut *self.pool.acquire().await?)
            .await?;
        Ok(told.rows_affected() == 1)
    }

    /// Payments that are held first, by their ids, those after `after`: of which something can still happen, or of `all`.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn holds_after(
        &self,
        after: Option<Digest>,
        all: bool,
        count: u32,
    ) -> Result<Vec<History>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let rows = sqlx::query(
            "SELECT id FROM payments WHERE intent IS NOT NULL AND id > $1 AND (review_at IS NOT NULL OR $2 = 1)
             ORDER BY id LIMIT $3",
        )
        .bind(after.map(|id| Hex32(id).to_string()).unwrap_or_default())
        .bind(i64::from(all))
        .bind(i64::from(count))
        .fetch_all(&mut *connection)
        .await?;
        let mut holds = Vec::with_capacity(rows.len());
        for row in &rows {
            holds.extend(history(&mut connection, &row::parse::<Hex32>(row, "id")?.0).await?);
        }
        Ok(holds)
    }

    /// A payment and all that was done with it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn history(&self, id: &Digest) -> Result<Option<History>, StoreError> {
        history(&mut *self.pool.acquire().await?, id).await
    }
}

/// Reads a payment and its operations on one connection.
pub(super) async fn history(
    connection: &mut AnyConnection,
    id: &Digest,
) -> Result<Option<History>, StoreError> {
    let payment = sqlx::query("SELECT * FROM payments WHERE id = $1")
        .bind(Hex32(*id).to_string())
        .fetch_optional(&mut *connection)
        .await?
        .map(|row| row::payment(&row))
        .transpose()?;
    let Some(payment) = payment else { return Ok(None) };
    let operations = operations::of_payment(connection, id).await?;
    let voucher = voucher(connection, id).await?;
    Ok(Some(History { payment, operations, voucher }))
}

/// Reads a payment's last voucher.
async fn voucher(connection: &mut AnyConnection, id: &Digest) -> Result<Option<Voucher>, StoreError> {
    let row = sqlx::query("SELECT * FROM vouchers WHERE payment_id = $1")
        .bind(Hex32(*id).to_string())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(row::voucher).transpose()
}

/// Adds a payment that is to be looked at again at `review_at`, unix seconds.
pub(super) async fn insert(
    connection: &mut AnyConnection,
    payment: &Payment,
    review_at: i64,
) -> Result<(), StoreError> {
    let (hold, transfer) = (payment.hold(), payment.transfer());
    let intent = hold.map(|hold| borsh::to_vec(&hold.intent)).transpose();
    let intent = intent.map_err(|error| row::unreadable("intent", error.to_string()))?;
    sqlx::query(
        "INSERT INTO payments (id, scheme, payer, mint, receiver, amount, accepted_at, review_at, escrow, intent,
             signature, receiver_proof, destination, claim, capture_deadline)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(Hex32(payment.id).to_string())
    .bind(payment.scheme())
    .bind(payment.payer.to_string())
    .bind(payment.mint.to_string())
    .bind(payment.receiver.to_string())
    .bind(Decimal(payment.amount).to_string())
    .bind(payment.accepted_at)
    .bind(review_at)
    .bind(hold.map(|hold| hold.intent.escrow.to_string()))
    .bind(intent)
    .bind(hold.map(|hold| Base58(hold.signature).to_string()))
    .bind(hold.map(|hold| hold.receiver_proof.concat()))
    .bind(transfer.map(|transfer| transfer.destination.to_string()))
    .bind(payment.claim.map(|claim| claim.to_string()))
    .bind(hold.map(|hold| hold.intent.capture_deadline))
    .execute(connection)
    .await?;
    Ok(())
}

/// What is taken up again may have another proof, since the list of the session's receivers changed, and another claim.
pub(super) async fn take_up(
    connection: &mut AnyConnection,
    payment: &Payment,
    hold: &HoldTerms,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE payments SET receiver_proof = $1, claim = $2 WHERE id = $3")
        .bind(hold.receiver_proof.concat())
        .bind(payment.claim.map(|claim| claim.to_string()))
        .bind(Hex32(payment.id).to_string())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn set_review(
    connection: &mut AnyConnection,
    id: &Digest,
    at: Option<i64>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE payments SET review_at = $1 WHERE id = $2")
        .bind(at)
        .bind(Hex32(*id).to_string())
        .execute(&mut *connection)
        .await?;
    if at.is_none() {
        budgets::free_rent(connection, id).await?;
        sqlx::query("DELETE FROM voucher_claims WHERE payment_id = $1")
            .bind(Hex32(*id).to_string())
            .execute(connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn open_holds(connection: &mut AnyConnection, escrow: &Address) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT count(*) AS open FROM payments WHERE escrow = $1 AND review_at IS NOT NULL
         AND NOT EXISTS (
             SELECT 1 FROM operations
             WHERE payment_id = payments.id AND kind = 'authorize' AND state IN ('failed', 'refused')
         )",
    )
    .bind(escrow.to_string())
    .fetch_one(connection)
    .await?;
    row::get_u64(&row, "open")
}
