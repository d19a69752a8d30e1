//! Payments: one row each, whatever the scheme.

use std::sync::LazyLock;

use sqlx::AnyConnection;
use x402_escrow_domain::payment::{History, HoldTerms, Payment};
use x402_escrow_interface::{Address, message::Digest};
use x402_escrow_wire::text::{Base58, Decimal, Hex32, Key};

use super::{
    Readable, Store, StoreError, budgets, histories,
    many::{Statements, batches, statements},
    row,
};

impl Store {
    /// Payments that are held first, by their ids, those after `after`: of which something can still happen, or of `all`.
    /// Also returns the last id; `None` if there was no payment.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn holds_after(
        &self,
        after: Option<&str>,
        all: bool,
        count: u32,
    ) -> Result<(Readable<History>, Option<String>), StoreError> {
        let mut connection = self.pool.acquire().await?;
        let rows = sqlx::query(
            "SELECT id FROM payments WHERE intent IS NOT NULL AND id > $1 AND (review_at IS NOT NULL OR $2 = 1)
             ORDER BY id LIMIT $3",
        )
        .bind(after.unwrap_or_default())
        .bind(i64::from(all))
        .bind(i64::from(count))
        .fetch_all(&mut *connection)
        .await?;
        let holds = histories::of_rows(&mut connection, &rows).await?;
        Ok((holds, rows.last().map(|row| row::get(row, "id")).transpose()?))
    }

    /// At most `count` receivers after `after` in the order of their addresses: those of payments that were held first, of which the
    /// newest was accepted since `since`, unix seconds.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn receivers_after(
        &self,
        after: Option<&Address>,
        since: i64,
        count: usize,
    ) -> Result<Vec<Address>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let mut receivers = Vec::new();
        let mut last = after.map(ToString::to_string).unwrap_or_default();
        while receivers.len() < count {
            // One jump in the index for each, however many payments it has.
            let next = sqlx::query(
                "SELECT receiver, (
                     SELECT max(accepted_at) FROM payments AS newest WHERE newest.receiver = payments.receiver
                 ) AS accepted_at
                 FROM payments WHERE receiver > $1 ORDER BY receiver LIMIT 1",
            )
            .bind(&last)
            .fetch_optional(&mut *connection)
            .await?;
            let Some(next) = next else { break };
            last = row::get(&next, "receiver")?;
            if row::get::<i64>(&next, "accepted_at")? >= since {
                receivers.push(row::parse::<Key>(&next, "receiver")?.into());
            }
        }
        Ok(receivers)
    }
}

/// Adds a payment that is to be looked at again at `review_at`, unix seconds, and locks so much rent, as it was charged.
/// Returns whether it is new; one that is known stays as it is.
pub(super) async fn insert(
    connection: &mut AnyConnection,
    payment: &Payment,
    review_at: i64,
    rent_lamports: u64,
) -> Result<bool, StoreError> {
    let (signed, transfer) = (payment.intent(), payment.transfer());
    let intent = signed.map(|signed| borsh::to_vec(&signed.intent)).transpose();
    let intent = intent.map_err(|error| row::unreadable("intent", error.to_string()))?;
    let inserted = sqlx::query(
        "INSERT INTO payments (id, scheme, payer, mint, receiver, amount, accepted_at, review_at, escrow, intent,
             signature, receiver_proof, destination, claim, capture_deadline, receiver_authorizer, resource_hash,
             resource_url, product, locked_rent)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(Hex32(payment.id).to_string())
    .bind(payment.scheme())
    .bind(payment.payer.to_string())
    .bind(payment.mint.to_string())
    .bind(payment.receiver.to_string())
    .bind(Decimal(payment.amount).to_string())
    .bind(payment.accepted_at)
    .bind(review_at)
    .bind(signed.map(|signed| signed.intent.escrow.to_string()))
    .bind(intent)
    .bind(signed.map(|signed| Base58(signed.signature).to_string()))
    .bind(signed.map(|signed| signed.receiver_proof.concat()))
    .bind(transfer.map(|transfer| transfer.destination.to_string()))
    .bind(payment.claim.map(|claim| claim.to_string()))
    .bind(signed.map(|signed| signed.intent.capture_deadline))
    .bind(payment.receiver_authorizer().to_string())
    .bind(signed.map(|signed| Hex32(signed.intent.resource_hash).to_string()))
    .bind(&payment.resource.url)
    .bind(&payment.resource.product)
    .bind(row::integer("locked_rent", rent_lamports)?)
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// What is taken up again may have another proof, since the list of the session's receivers changed, and another claim; its
/// rent is locked again.
pub(super) async fn take_up(
    connection: &mut AnyConnection,
    payment: &Payment,
    hold: &HoldTerms,
    rent_lamports: u64,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE payments SET receiver_proof = $1, claim = $2, locked_rent = $3 WHERE id = $4")
        .bind(hold.receiver_proof.concat())
        .bind(payment.claim.map(|claim| claim.to_string()))
        .bind(row::integer("locked_rent", rent_lamports)?)
        .bind(Hex32(payment.id).to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// Says when to look at a payment again, unix seconds; `None` where nothing is left to do.
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
        sqlx::query("UPDATE payments SET to_compare = 1 WHERE id = $1 AND scheme = 'auth-capture'")
            .bind(Hex32(*id).to_string())
            .execute(&mut *connection)
            .await?;
        budgets::free_rent(connection, id).await?;
        sqlx::query("DELETE FROM voucher_claims WHERE payment_id = $1")
            .bind(Hex32(*id).to_string())
            .execute(connection)
            .await?;
    }
    Ok(())
}

static END_TRANSFERS: LazyLock<Statements> = LazyLock::new(|| {
    statements::<1>(|places| format!("UPDATE payments SET review_at = NULL WHERE id IN ({places})"))
});

/// Ends the reviews of transfers, which lock no rent and have neither vouchers nor anything to compare.
pub(super) async fn end_transfers(connection: &mut AnyConnection, ids: &[Digest]) -> Result<(), StoreError> {
    for (text, ids) in batches(&END_TRANSFERS, ids) {
        let query = ids.fold(sqlx::query(text), |query, id| query.bind(Hex32(*id).to_string()));
        query.execute(&mut *connection).await?;
    }
    Ok(())
}
