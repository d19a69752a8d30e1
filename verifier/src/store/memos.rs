//! Which payment each memo of a receiver pays for, where a memo pays once.

use sqlx::AnyConnection;
use x402_escrow_domain::payment::Payment;
use x402_escrow_interface::{Address, message::Digest};
use x402_escrow_wire::text::Hex32;

use super::{Store, StoreError, histories, row};

impl Store {
    /// Whether a memo of `receiver` with this hash pays for another payment than `payment_id`.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn is_memo_used(
        &self,
        receiver: &Address,
        memo_hash: &Digest,
        payment_id: &Digest,
    ) -> Result<bool, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let holder = holder(&mut connection, receiver, memo_hash).await?;
        match holder.filter(|holder| holder != payment_id) {
            Some(holder) => Ok(!came_to_nothing(&mut connection, &holder).await?),
            None => Ok(false),
        }
    }
}

/// Uses a memo for `payment`, in the transaction that accepts that. Returns whether it is the payment's now.
pub(super) async fn claim(
    connection: &mut AnyConnection,
    payment: &Payment,
    memo_hash: &Digest,
) -> Result<bool, StoreError> {
    let (receiver, hash, id) =
        (payment.receiver.to_string(), Hex32(*memo_hash).to_string(), Hex32(payment.id).to_string());
    let inserted = sqlx::query(
        "INSERT INTO exact_memos (receiver, memo_hash, payment_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(&receiver)
    .bind(&hash)
    .bind(&id)
    .execute(&mut *connection)
    .await?;
    if inserted.rows_affected() == 1 {
        return Ok(true);
    }
    let Some(other) = holder(connection, &payment.receiver, memo_hash).await? else { return Ok(false) };
    if other == payment.id {
        return Ok(true);
    }
    if !came_to_nothing(connection, &other).await? {
        return Ok(false);
    }
    // Of two that come at once, one finds it the other's.
    let taken = sqlx::query(
        "UPDATE exact_memos SET payment_id = $1 WHERE receiver = $2 AND memo_hash = $3 AND payment_id = $4",
    )
    .bind(&id)
    .bind(&receiver)
    .bind(&hash)
    .bind(Hex32(other).to_string())
    .execute(connection)
    .await?;
    Ok(taken.rows_affected() == 1)
}

async fn holder(
    connection: &mut AnyConnection,
    receiver: &Address,
    memo_hash: &Digest,
) -> Result<Option<Digest>, StoreError> {
    let row = sqlx::query("SELECT payment_id FROM exact_memos WHERE receiver = $1 AND memo_hash = $2")
        .bind(receiver.to_string())
        .bind(Hex32(*memo_hash).to_string())
        .fetch_optional(connection)
        .await?;
    row.map(|row| Ok(row::parse::<Hex32>(&row, "payment_id")?.0)).transpose()
}

/// Whether nothing can be paid by a payment any more.
async fn came_to_nothing(connection: &mut AnyConnection, payment_id: &Digest) -> Result<bool, StoreError> {
    let history = histories::history(connection, payment_id).await?;
    let operation = history.as_ref().and_then(|history| history.operations.first());
    Ok(operation.is_some_and(|tracked| tracked.operation.came_to_nothing()))
}
