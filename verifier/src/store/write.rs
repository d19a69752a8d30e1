//! A transaction that writes, of which this process has one at a time.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use sqlx::AnyConnection;
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    task::yield_now,
};

use super::{
    Database,
    connections::{Begun, Connections},
};

/// Where the writers of this process wait for each other, first come, first served. At the database's own lock those of
/// SQLite would sleep and try again, and those of PostgreSQL would each keep a connection from a reader.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns(Arc<Mutex<()>>);

/// A writer's turn.
pub(super) struct Turn {
    _guard: OwnedMutexGuard<()>,
}

/// A transaction with the write lock. Dropped without a commit, it has changed nothing.
pub(super) struct Write {
    transaction: Begun,
    _turn: Turn,
}

impl Turns {
    /// Waits until it is this writer's turn.
    pub(super) async fn wait(&self) -> Turn {
        Turn { _guard: Arc::clone(&self.0).lock_owned().await }
    }

    /// Waits for the turn of a task that writes what others ask of it.
    pub(super) async fn wait_for_all(&self) -> Turn {
        self.wait().await.let_others_ask().await
    }
}

impl Turn {
    /// Runs the tasks that are ready first, so that what they ask for goes with this turn: a task that was just spawned
    /// runs before them.
    pub(super) async fn let_others_ask(self) -> Self {
        yield_now().await;
        self
    }

    /// Starts the transaction.
    ///
    /// # Errors
    /// If the database fails.
    pub(super) async fn begin(self, database: &Database, pool: &Connections) -> Result<Write, sqlx::Error> {
        Ok(Write { transaction: pool.begin_write(database).await?, _turn: self })
    }
}

impl Write {
    /// Returns once all is on disk.
    ///
    /// # Errors
    /// If the database fails: it may be committed or not.
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        self.transaction.commit().await
    }
}

impl Deref for Write {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.transaction
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }
}
