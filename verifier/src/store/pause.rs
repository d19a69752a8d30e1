//! Whether nothing new is accepted: for every verifier over the store, until it is resumed.

use super::{Store, StoreError};

impl Store {
    /// Whether nothing new is to be accepted.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn is_paused(&self) -> Result<bool, StoreError> {
        let row =
            sqlx::query("SELECT id FROM pause").fetch_optional(&mut *self.pool.acquire().await?).await?;
        Ok(row.is_some())
    }

    /// Has nothing new accepted, or something again.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn set_paused(&self, paused: bool) -> Result<(), StoreError> {
        let change = if paused {
            "INSERT INTO pause (id) VALUES (1) ON CONFLICT (id) DO NOTHING"
        } else {
            "DELETE FROM pause"
        };
        let mut transaction = self.begin_write().await?;
        sqlx::query(change).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }
}
