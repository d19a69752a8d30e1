//! Writes together what comes at the same time: what takes long is not writing but having it on disk.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use sqlx::{AnyConnection, Connection};
use tokio::sync::oneshot;

use super::{Store, StoreError};

/// How much goes into one transaction at most: others wait for their turn.
const MOST_TOGETHER: usize = 128;

/// What some work came to, and whether what it wrote is kept.
pub(super) enum Written<T> {
    Kept(T),
    Dropped(T),
}

/// Tells who asked for some work what it came to, once all is committed or not.
type Finish = Box<dyn FnOnce(Result<(), Arc<StoreError>>) + Send>;

/// Some work is done. Says whether its transaction is to be committed or undone, or that it can't go on.
type Done = (Finish, Result<bool, StoreError>);

/// Some work, which is given whether its transaction does nothing else.
pub(super) type Work = Box<dyn for<'c> FnOnce(&'c mut AnyConnection, bool) -> BoxFuture<'c, Done> + Send>;

impl Store {
    /// Does `work` with the write lock, after all that came before it, and returns once it is on disk. Where it fails, or says
    /// so, nothing of it is written; what others write with it is.
    ///
    /// # Errors
    /// If it fails, or all could not be committed.
    pub(super) async fn write_together<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<Written<T>, StoreError>>
            + Send
            + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |connection, is_alone| {
            Box::pin(async move {
                let (done, goes_on) = if is_alone {
                    // It needs no savepoint: to undo it, the transaction is not committed.
                    let (done, is_kept) = outcome(connection, work).await;
                    (done, Ok(is_kept))
                } else {
                    apart(connection, work).await
                };
                let finish: Finish = Box::new(move |committed| {
                    // Who doesn't listen any more has hung up.
                    _ = answer.send(committed.map_err(StoreError::Together).and(done));
                });
                (finish, goes_on)
            })
        });
        self.waiting.push(work);
        // A task of its own: a client that hangs up must not take those with it whose work goes together.
        let store = self.clone();
        tokio::spawn(async move { store.write_waiting().await });
        answered.await.unwrap_or(Err(StoreError::Left))
    }

    async fn write_waiting(&self) {
        let turn = self.turns.wait().await;
        // Whoever had the turn before may have done it all.
        if self.waiting.is_empty() {
            return;
        }
        let turn = turn.let_others_ask().await;
        // There is one call for each work, so none is left.
        let works = self.waiting.take(MOST_TOGETHER);
        let mut transaction = match turn.begin(&self.database, &self.pool).await {
            Ok(transaction) => transaction,
            Err(error) => return tracing::warn!(%error, "nothing can be written"),
        };
        let is_alone = works.len() == 1;
        let (mut finishes, mut done) = (Vec::with_capacity(works.len()), Ok(true));
        for work in works {
            let (finish, goes_on) = work(&mut transaction, is_alone).await;
            finishes.push(finish);
            if !matches!(goes_on, Ok(true)) {
                // A commit might say that all is well. Without one nothing of it is written.
                done = goes_on;
                break;
            }
        }
        let committed = match done {
            Ok(true) => transaction.commit().await.map_err(StoreError::from),
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        let committed = committed.map_err(Arc::new);
        for finish in finishes {
            finish(committed.clone());
        }
    }
}

/// Does some work. Returns what it came to, and whether what it wrote is kept.
async fn outcome<T, W>(connection: &mut AnyConnection, work: W) -> (Result<T, StoreError>, bool)
where
    W: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<Written<T>, StoreError>>,
{
    match work(connection).await {
        Ok(Written::Kept(value)) => (Ok(value), true),
        Ok(Written::Dropped(value)) => (Ok(value), false),
        Err(error) => (Err(error), false),
    }
}

/// Does some work so that it can be undone without what was done before it. Returns what it came to, and whether the
/// transaction can go on: where a savepoint fails, nobody knows what is in it.
async fn apart<T, W>(
    connection: &mut AnyConnection,
    work: W,
) -> (Result<T, StoreError>, Result<bool, StoreError>)
where
    W: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<Written<T>, StoreError>>,
{
    let mut savepoint = match connection.begin().await {
        Ok(savepoint) => savepoint,
        Err(error) => return (Err(StoreError::Left), Err(error.into())),
    };
    let (done, is_kept) = outcome(&mut savepoint, work).await;
    let ended = if is_kept { savepoint.commit().await } else { savepoint.rollback().await };
    (done, ended.map(|()| true).map_err(StoreError::from))
}
