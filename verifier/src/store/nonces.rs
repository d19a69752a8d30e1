use x402_escrow_interface::Address;
use x402_escrow_wire::text::{Decimal, Key};

use super::{Store, StoreError, row};

impl Store {
    /// Hands out a nonce of the session with this incarnation that was not handed out before and is above
    /// `highest_on_chain`. `None` if there are no more.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn next_nonce(
        &self,
        session: &Address,
        incarnation: Key,
        highest_on_chain: u64,
    ) -> Result<Option<u64>, StoreError> {
        let mut transaction = self.begin_write().await?;
        let last = sqlx::query("SELECT last FROM nonces WHERE session = $1 AND incarnation = $2")
            .bind(session.to_string())
            .bind(incarnation.to_string())
            .fetch_optional(&mut *transaction)
            .await?
            .map(|row| row::parse::<Decimal>(&row, "last"))
            .transpose()?
            .map_or(0, |last| last.0);
        let Some(nonce) = last.max(highest_on_chain).checked_add(1) else { return Ok(None) };
        sqlx::query(
            "INSERT INTO nonces (session, incarnation, last) VALUES ($1, $2, $3)
             ON CONFLICT (session, incarnation) DO UPDATE SET last = excluded.last",
        )
        .bind(session.to_string())
        .bind(incarnation.to_string())
        .bind(Decimal(nonce).to_string())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Some(nonce))
    }
}
