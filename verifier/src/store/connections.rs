//! Connections to the database, and the gate before them. Uses nothing of the engine.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use sqlx::{Any, AnyConnection, AnyPool, Transaction, pool::PoolConnection};

use super::Database;

/// What the store is about to do with the database, or has just done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// To read, or to begin a transaction.
    Begin,
    /// To commit a transaction.
    Commit,
    /// A transaction is committed, and nobody knows yet.
    Committed,
}

/// What a gate gives for a step. It is kept until the connection is given back.
pub type Permit = Box<dyn Send + Sync>;

/// Is waited for at each step. A simulation orders the store's work by it, and ends it where a process can crash.
pub type Gate = Arc<dyn Fn(Step) -> BoxFuture<'static, Permit> + Send + Sync>;

/// The connections.
#[derive(Clone)]
pub(super) struct Connections {
    pool: AnyPool,
    writers: AnyPool,
    gate: Option<Gate>,
}

impl Connections {
    pub(super) fn new(pool: AnyPool, writers: AnyPool, gate: Option<Gate>) -> Self {
        Self { pool, writers, gate }
    }

    /// Waits until all are given back, and closes them.
    pub(super) async fn close(&self) {
        self.writers.close().await;
        self.pool.close().await;
    }

    async fn pass(&self, step: Step) -> Option<Permit> {
        match &self.gate {
            Some(gate) => Some(gate(step).await),
            None => None,
        }
    }

    /// A connection to read from, or to write to in one statement.
    ///
    /// # Errors
    /// If the database fails.
    pub(super) async fn acquire(&self) -> Result<Acquired, sqlx::Error> {
        let permit = self.pass(Step::Begin).await;
        Ok(Acquired { connection: self.pool.acquire().await?, _permit: permit })
    }

    /// Starts a transaction whose statements all see the same.
    ///
    /// # Errors
    /// If the database fails.
    pub(super) async fn begin_read(&self, database: &Database) -> Result<Begun, sqlx::Error> {
        let permit = self.pass(Step::Begin).await;
        let transaction = database.begin_read(&self.pool).await?;
        Ok(Begun { transaction, connections: self.clone(), _permit: permit })
    }

    /// Starts a transaction with the write lock.
    ///
    /// # Errors
    /// If the database fails.
    pub(super) async fn begin_write(&self, database: &Database) -> Result<Begun, sqlx::Error> {
        let permit = self.pass(Step::Begin).await;
        let transaction = database.begin_write(&self.writers).await?;
        Ok(Begun { transaction, connections: self.clone(), _permit: permit })
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connections").field("pool", &self.pool).finish_non_exhaustive()
    }
}

/// A connection, until it is dropped.
pub(super) struct Acquired {
    connection: PoolConnection<Any>,
    _permit: Option<Permit>,
}

impl Deref for Acquired {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.connection
    }
}

impl DerefMut for Acquired {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }
}

/// A transaction. Dropped without a commit, it has changed nothing.
pub(super) struct Begun {
    transaction: Transaction<'static, Any>,
    connections: Connections,
    _permit: Option<Permit>,
}

impl Begun {
    /// Returns once all is on disk.
    ///
    /// # Errors
    /// If the database fails: it may be committed or not.
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        let Self { transaction, connections, _permit } = self;
        let _commit = connections.pass(Step::Commit).await;
        transaction.commit().await?;
        let _committed = connections.pass(Step::Committed).await;
        Ok(())
    }
}

impl Deref for Begun {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.transaction
    }
}

impl DerefMut for Begun {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }
}
