//! Which ids are bound, and to what.

use sqlx::AnyConnection;
use x402_escrow_domain::identifier::{Binding, KEPT_OF_ONE_KEY, KEPT_SECONDS};
use x402_escrow_interface::Address;
use x402_escrow_wire::{
    payment_identifier::PaymentIdentifier,
    text::{Decimal, Hex32},
};

use super::{Store, StoreError, row};

impl Store {
    /// The binding that is known by an id of `signer` at `now` (unix seconds).
    ///
    /// # Errors
    /// If the store fails.
    pub async fn binding(
        &self,
        signer: &Address,
        id: &PaymentIdentifier,
        now: i64,
    ) -> Result<Option<Binding>, StoreError> {
        find(&mut *self.pool.acquire().await?, signer, id, now).await
    }
}

/// Binds an id, in the transaction that accepts what it names. Returns whether it is this binding's now.
pub(super) async fn bind(connection: &mut AnyConnection, binding: &Binding) -> Result<bool, StoreError> {
    let Binding { signer, id, signed_hash, amount, accepted_at } = binding;
    if let Some(known) = find(connection, signer, id, *accepted_at).await? {
        return Ok(known.signed_hash == *signed_hash);
    }
    sqlx::query("DELETE FROM payment_identifiers WHERE accepted_at <= $1")
        .bind(accepted_at.saturating_sub(KEPT_SECONDS))
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "DELETE FROM payment_identifiers WHERE signer = $1 AND id IN (
             SELECT id FROM payment_identifiers WHERE signer = $1 ORDER BY accepted_at DESC, id LIMIT $2 OFFSET $3
         )",
    )
    .bind(signer.to_string())
    .bind(i64::MAX)
    .bind(KEPT_OF_ONE_KEY - 1)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO payment_identifiers (signer, id, signed_hash, amount, accepted_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(signer.to_string())
    .bind(id.as_str())
    .bind(Hex32(*signed_hash).to_string())
    .bind(Decimal(*amount).to_string())
    .bind(*accepted_at)
    .execute(connection)
    .await?;
    Ok(true)
}

async fn find(
    connection: &mut AnyConnection,
    signer: &Address,
    id: &PaymentIdentifier,
    now: i64,
) -> Result<Option<Binding>, StoreError> {
    let row = sqlx::query(
        "SELECT signed_hash, amount, accepted_at FROM payment_identifiers WHERE signer = $1 AND id = $2 AND accepted_at > $3",
    )
    .bind(signer.to_string())
    .bind(id.as_str())
    .bind(now.saturating_sub(KEPT_SECONDS))
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        Ok(Binding {
            signer: *signer,
            id: id.clone(),
            signed_hash: row::parse::<Hex32>(&row, "signed_hash")?.0,
            amount: row::parse::<Decimal>(&row, "amount")?.0,
            accepted_at: row::get(&row, "accepted_at")?,
        })
    })
    .transpose()
}
