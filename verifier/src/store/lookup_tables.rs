//! The lookup tables that the leaders made: each is known before anything is sent that makes it, until it is gone.

use sqlx::any::AnyRow;
use x402_escrow_domain::lookup_tables::{MAXIMUM_TABLES, OwnTable};
use x402_escrow_interface::Address;
use x402_escrow_wire::text::Key;

use super::{Store, StoreError, row};

impl Store {
    /// All of them, oldest first, at most [`MAXIMUM_TABLES`].
    ///
    /// # Errors
    /// If the store fails.
    pub async fn lookup_tables(&self) -> Result<Vec<OwnTable>, StoreError> {
        let rows = sqlx::query(
            "SELECT address, authority, created_at, last_valid_block_height FROM lookup_tables
             ORDER BY created_at, address LIMIT $1",
        )
        .bind(MAXIMUM_TABLES as i64)
        .fetch_all(&mut *self.pool.acquire().await?)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Adds one. Only the leader can.
    ///
    /// # Errors
    /// If the store fails, or another verifier leads.
    pub async fn add_lookup_table(&self, table: &OwnTable) -> Result<(), StoreError> {
        let mut transaction = self.begin_leader_write().await?;
        sqlx::query(
            "INSERT INTO lookup_tables (address, authority, created_at, last_valid_block_height)
             VALUES ($1, $2, $3, $4)",
        )
        .bind(Key::from(table.address).to_string())
        .bind(Key::from(table.authority).to_string())
        .bind(table.created_at)
        .bind(row::integer("last_valid_block_height", table.last_valid_block_height)?)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Forgets one that is not on chain, and will not be. Only the leader can.
    ///
    /// # Errors
    /// If the store fails, or another verifier leads.
    pub async fn forget_lookup_table(&self, address: &Address) -> Result<(), StoreError> {
        let mut transaction = self.begin_leader_write().await?;
        sqlx::query("DELETE FROM lookup_tables WHERE address = $1")
            .bind(Key::from(*address).to_string())
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }
}

fn read(row: &AnyRow) -> Result<OwnTable, StoreError> {
    Ok(OwnTable {
        address: row::parse::<Key>(row, "address")?.into(),
        authority: row::parse::<Key>(row, "authority")?.into(),
        created_at: row::get(row, "created_at")?,
        last_valid_block_height: row::get_u64(row, "last_valid_block_height")?,
    })
}
