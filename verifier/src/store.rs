//! What must not be lost: payments, operations, transactions and nonces, in an SQLite file. Every write is on disk
//! (WAL, `synchronous = FULL`) before the call returns.

mod attempts;
mod deliveries;
mod exact;
mod nonces;
mod operations;
mod outstanding;
mod payments;
mod row;
mod vouchers;

use std::{path::Path, time::Duration};

use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use deliveries::Delivery;
pub use outstanding::{Outstanding, Uncaptured, Unfinished};
pub use payments::Accepted;

/// The store.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
}

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file can't be opened.
    #[error("the database {path} can't be opened: {cause}")]
    Open {
        /// The file.
        path: String,
        /// Why not.
        cause: sqlx::Error,
    },
    /// SQLite failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema can't be brought up to date.
    #[error("the database's schema can't be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A value in the file is not one that the verifier writes.
    #[error("the database has an unreadable {column}: {message}")]
    Unreadable {
        /// Where.
        column: &'static str,
        /// What is wrong.
        message: String,
    },
}

/// How a transaction starts that will write: at once with the write lock, so that it can't fail halfway because
/// another wrote first.
const WRITE: &str = "BEGIN IMMEDIATE";

impl Store {
    /// Opens the file at `path`, creates it if need be, and brings its schema up to date.
    ///
    /// # Errors
    /// If the file can't be opened or its schema is not one of this program's.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new()
            .max_connections(8)
            .connect_with(options)
            .await
            .map_err(|cause| StoreError::Open { path: path.display().to_string(), cause })?;
        sqlx::migrate!().run(&pool).await?;
        Ok(Self { pool })
    }

    /// Whether the store can be written to: takes the write lock and changes nothing.
    ///
    /// # Errors
    /// If it can't.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with(WRITE).await?;
        sqlx::query("UPDATE nonces SET last = last WHERE 0").execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Waits for what is being written and closes the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
