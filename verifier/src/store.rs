//! What must not be lost: payments, operations and transactions, in an SQLite file or a PostgreSQL database.
//! Uses `domain`. Every write is on disk before the call returns. Both take the same SQL, but for the schema and the start of
//! transactions.

mod accept;
mod attempts;
mod books;
mod budgets;
mod connections;
mod database;
mod deliveries;
mod found;
mod histories;
mod identifiers;
mod leader;
mod lookup_tables;
mod many;
mod memos;
mod merchant_webhooks;
mod operations;
mod outstanding;
mod overview;
mod pause;
mod payments;
mod progress;
mod promises;
mod queue;
mod resources;
mod reviews;
mod row;
mod states;
mod together;
mod told;
mod unreadable;
mod vouchers;
mod write;

use std::sync::{Arc, atomic::AtomicI64};

use connections::Connections;
use queue::Queue;
use together::Work;
use told::ToTell;
use vouchers::{OfferedVoucher, Streams};
use write::{Turns, Write};

pub use accept::{Accepted, Asked, NewIntent, NewTransfer};
pub use books::{Entries, HeldOfMinute, Recheck, WrongSum};
pub use connections::{Gate, Permit, Step};
pub use database::Database;
pub use leader::{LEASE, Leader, PROGRESS, TO_SEND};
pub use merchant_webhooks::{Changed, DueWebhook, WebhookOwner};
pub use operations::Look;
pub use outstanding::{Outstanding, Uncaptured};
pub use overview::{Turnover, Undelivered};
pub use progress::TakenBack;
pub use resources::{Offered, Room, Wanted};
pub use reviews::{Begun, Reviewed};
pub use unreadable::{Readable, UnreadableRow};
pub use vouchers::{AcceptedVoucher, ClaimedVoucher, DecideVoucher, KeptBeside, Standing};

/// The store.
#[derive(Clone, Debug)]
pub struct Store {
    pool: Connections,
    database: Database,
    turns: Turns,
    offered: Queue<OfferedVoucher>,
    streams: Streams,
    waiting: Queue<Work>,
    to_tell: Queue<ToTell>,
    /// Of all that were leaders of a PostgreSQL database, which this is.
    term: Arc<AtomicI64>,
}

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It can't be opened.
    #[error("the database {database} can't be opened: {cause}")]
    Open {
        /// Where it is.
        database: String,
        /// Why not.
        cause: sqlx::Error,
    },
    /// SQLite or PostgreSQL failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema can't be brought up to date.
    #[error("the database's schema can't be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Another verifier has the SQLite file.
    #[error("another verifier has the database {path}: only PostgreSQL takes several")]
    InUse {
        /// The file.
        path: String,
    },
    /// Another verifier leads, and this one did not know yet.
    #[error("another verifier leads by now")]
    NotLeading,
    /// What was written together with others failed with them.
    #[error(transparent)]
    Together(Arc<StoreError>),
    /// The task that was to write broke off.
    #[error("what was to be written was left")]
    Left,
    /// PostgreSQL didn't answer.
    #[error("the database didn't answer in time")]
    Silent,
    /// A value in it is not one that the verifier writes.
    #[error("the database has an unreadable {column}: {message}")]
    Unreadable {
        /// Where.
        column: &'static str,
        /// What is wrong.
        message: String,
    },
}

impl Store {
    /// Opens the database, creates it if it is a file, and brings its schema up to date.
    ///
    /// # Errors
    /// If it can't be opened, can lose what it has committed, or its schema is not one of this program's.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        Self::gated(database, None).await
    }

    /// The same behind a gate, if there is one.
    ///
    /// # Errors
    /// If it can't be opened, can lose what it has committed, or its schema is not one of this program's.
    pub async fn gated(database: &Database, gate: Option<Gate>) -> Result<Self, StoreError> {
        let failed = |cause| StoreError::Open { database: database.to_string(), cause };
        let pool = database.connect().await.map_err(failed)?;
        match database {
            Database::Sqlite(_) => sqlx::migrate!("migrations/sqlite").run(&pool).await?,
            Database::Postgres(_) => sqlx::migrate!("migrations/postgres").run(&pool).await?,
        }
        let writers = database.connect_writers(&pool).await.map_err(failed)?;
        Ok(Self {
            pool: Connections::new(pool, writers, gate),
            database: database.clone(),
            turns: Turns::default(),
            offered: Queue::default(),
            streams: Streams::default(),
            waiting: Queue::default(),
            to_tell: Queue::default(),
            term: Arc::default(),
        })
    }

    async fn begin_write(&self) -> Result<Write, sqlx::Error> {
        self.turns.wait().await.begin(&self.database, &self.pool).await
    }

    /// Whether the store can be written to: takes the write lock and changes nothing.
    ///
    /// # Errors
    /// If it can't.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        let mut transaction = self.begin_write().await?;
        sqlx::query("UPDATE payments SET review_at = review_at WHERE 1 = 0")
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Whether the store can be read. Takes no lock.
    ///
    /// # Errors
    /// If it can't.
    pub async fn check_readable(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1 FROM payments LIMIT 1")
            .fetch_optional(&mut *self.pool.acquire().await?)
            .await?;
        Ok(())
    }

    /// Waits for what is being written and closes it.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
