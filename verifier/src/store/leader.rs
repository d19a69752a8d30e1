//! Which verifier leads: of several over one store, one follows transactions, sends them and delivers.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::Duration,
};

use sqlx::{
    ConnectOptions, Connection,
    postgres::{PgConnectOptions, PgConnection, PgListener},
};
use tokio::time::{sleep, timeout};

use super::{Database, Store, StoreError, row, write::Write};

/// Where PostgreSQL tells of operations and payments that are new.
pub const TO_SEND: &str = "x402_escrow_to_send";

/// Where PostgreSQL tells that some got further.
pub const PROGRESS: &str = "x402_escrow_progress";

/// Waits, for a while, until no other connection holds the lock. The number means nothing but this lock.
const LOCK: &str = "SELECT pg_advisory_lock(8402402002)";

/// For the connection that holds it: PostgreSQL must notice within seconds that a machine is gone.
const SESSION: &str = "SET lock_timeout = '5s'; SET tcp_keepalives_idle = 3;
     SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 3; SET tcp_user_timeout = 6000";

/// PostgreSQL's error code for a lock that was not given in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// How long PostgreSQL may take to answer on the connection that holds the lock: more than the lock's time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);

/// How often to ask whether that connection is still there.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// Whoever has it leads, until it is dropped or lost.
#[derive(Debug)]
pub enum Leader {
    /// The only verifier over a file, as the lock on a file beside it says.
    OfFile(File),
    /// The one of those over a PostgreSQL database whose connection has the lock.
    OfServer(PgConnection),
}

impl Store {
    /// Waits until no other verifier over the same PostgreSQL leads, and then leads. SQLite takes one verifier.
    ///
    /// # Errors
    /// If the store fails, or another verifier has the SQLite file.
    pub async fn lead(&self) -> Result<Leader, StoreError> {
        match &self.database {
            Database::Sqlite(path) => Ok(Leader::OfFile(lock_file(path)?)),
            Database::Postgres(url) => {
                let mut connection = within(PgConnectOptions::from_url(url)?.connect()).await?;
                within(sqlx::raw_sql(SESSION).execute(&mut connection)).await?;
                while !try_lock(&mut connection).await? {}
                // Whatever the one before was writing is committed or refused when this has the write lock.
                let mut transaction = self.begin_write().await?;
                let term = sqlx::query("UPDATE leader SET term = term + 1 RETURNING term")
                    .fetch_one(&mut *transaction)
                    .await?;
                let term = row::get(&term, "term")?;
                transaction.commit().await?;
                self.term.store(term, Ordering::Relaxed);
                Ok(Leader::OfServer(connection))
            }
        }
    }

    /// Starts a transaction that only the leader may write. One that has lost its lock may not know it yet.
    pub(super) async fn begin_leader_write(&self) -> Result<Write, StoreError> {
        let mut transaction = self.begin_write().await?;
        if matches!(self.database, Database::Postgres(_)) {
            let leader = sqlx::query("SELECT term FROM leader").fetch_one(&mut *transaction).await?;
            if row::get::<i64>(&leader, "term")? != self.term.load(Ordering::Relaxed) {
                return Err(StoreError::NotLeading);
            }
        }
        Ok(transaction)
    }

    /// What tells of other verifiers' writes, at [`TO_SEND`] and [`PROGRESS`]. `None` where there are no others.
    ///
    /// # Errors
    /// If the database can't be reached.
    pub async fn listen(&self) -> Result<Option<PgListener>, StoreError> {
        let Database::Postgres(url) = &self.database else { return Ok(None) };
        let mut listener = within(PgListener::connect(url.as_str())).await?;
        within(listener.listen_all([TO_SEND, PROGRESS])).await?;
        Ok(Some(listener))
    }
}

impl Leader {
    /// Waits until another may lead, and says why.
    pub async fn lost(&mut self) -> StoreError {
        let Self::OfServer(connection) = self else { return std::future::pending().await };
        loop {
            sleep(PING_INTERVAL).await;
            if let Err(error) = within(connection.ping()).await {
                return error;
            }
        }
    }
}

/// Whether the lock was given within its time.
async fn try_lock(connection: &mut PgConnection) -> Result<bool, StoreError> {
    let locked = within(sqlx::query(LOCK).execute(connection)).await;
    match locked {
        Ok(_) => Ok(true),
        Err(StoreError::Database(sqlx::Error::Database(error)))
            if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// A connection whose other end is gone without a word would keep us waiting for ever.
async fn within<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
    timeout(ANSWER_TIMEOUT, answer).await.map_err(|_| StoreError::Silent)?.map_err(StoreError::from)
}

fn lock_file(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let failed = |cause| StoreError::Database(sqlx::Error::Io(cause));
    // Not the database's own: closing it would take SQLite's locks away.
    let file = File::create(PathBuf::from(name)).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.display().to_string() }),
        Err(TryLockError::Error(cause)) => Err(failed(cause)),
    }
}
