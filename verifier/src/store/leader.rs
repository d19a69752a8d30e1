//! Which verifier leads: of several over one store, one follows transactions, sends them and delivers.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::Duration,
};

use reqwest::Url;
use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgConnection, PgListener},
};
use tokio::time::{sleep, timeout};

use super::{Database, Store, StoreError, row, write::Write};

/// Where PostgreSQL tells of operations and payments that are new.
pub const TO_SEND: &str = "x402_escrow_to_send";

/// Where PostgreSQL tells that some got further.
pub const PROGRESS: &str = "x402_escrow_progress";

/// How long a verifier leads without getting further.
pub const LEASE: Duration = Duration::from_secs(10);

/// How often to look whether nobody leads any more.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// For the leader's own connection: PostgreSQL must notice within seconds that a machine is gone.
const SESSION: &str = "SET lock_timeout = '2s'; SET tcp_keepalives_idle = 3;
     SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 3; SET tcp_user_timeout = 6000";

/// How long PostgreSQL may take to answer there: the lease must not end meanwhile.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Whoever has it leads, until it is dropped or lost.
#[derive(Debug)]
pub enum Leader {
    /// The only verifier over a file, as the lock on a file beside it says.
    OfFile(File),
    /// The one of those over a PostgreSQL database whose term it is.
    OfServer(Lease),
}

/// A term, as long as it is renewed.
#[derive(Debug)]
pub struct Lease {
    url: Url,
    term: i64,
    /// Of its own: those of the pool may all be waiting.
    connection: Option<PgConnection>,
}

impl Store {
    /// Waits until no other verifier over the same PostgreSQL leads, and then leads. SQLite takes one verifier.
    ///
    /// # Errors
    /// If the store fails, or another verifier has the SQLite file.
    pub async fn lead(&self) -> Result<Leader, StoreError> {
        match &self.database {
            Database::Sqlite(path) => Ok(Leader::OfFile(lock_file(path)?)),
            Database::Postgres(url) => loop {
                if let Some(term) = self.take_over().await? {
                    self.term.store(term, Ordering::Relaxed);
                    return Ok(Leader::OfServer(Lease { url: url.clone(), term, connection: None }));
                }
                sleep(LOOK_INTERVAL).await;
            },
        }
    }

    /// Checks that no other verifier has the SQLite file, before this one says that it listens.
    ///
    /// # Errors
    /// If one has it.
    pub fn check_alone(&self) -> Result<(), StoreError> {
        match &self.database {
            Database::Sqlite(path) => lock_file(path).map(drop),
            Database::Postgres(_) => Ok(()),
        }
    }

    /// Begins a term, unless another verifier's is not over.
    async fn take_over(&self) -> Result<Option<i64>, StoreError> {
        if self.is_led().await? {
            return Ok(None);
        }
        // Whatever the one before was writing is committed or refused when this has the write lock.
        let mut transaction = self.begin_write().await?;
        let term = sqlx::query(
            "UPDATE leader SET term = term + 1, leads_until = clock_timestamp() + make_interval(secs => $1)
             WHERE leads_until < clock_timestamp() RETURNING term",
        )
        .bind(LEASE.as_secs_f64())
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        term.map(|term| row::get(&term, "term")).transpose()
    }

    /// Whether a verifier over the same PostgreSQL leads. SQLite takes one.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn is_led(&self) -> Result<bool, StoreError> {
        if matches!(self.database, Database::Sqlite(_)) {
            return Ok(true);
        }
        let query = "SELECT count(*) AS leaders FROM leader WHERE leads_until >= clock_timestamp()";
        let row = sqlx::query(query).fetch_one(&mut *self.pool.acquire().await?).await?;
        Ok(row::get::<i64>(&row, "leaders")? > 0)
    }

    /// Starts a transaction that only the leader may write. One whose term is over may not know it yet.
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
    /// Leads for another [`LEASE`].
    ///
    /// # Errors
    /// [`StoreError::NotLeading`] if another leads by now; any other error says nothing about that.
    pub async fn renew(&mut self) -> Result<(), StoreError> {
        match self {
            Self::OfFile(_) => Ok(()),
            Self::OfServer(lease) => lease.extend(LEASE).await,
        }
    }

    /// Lets another lead at once.
    ///
    /// # Errors
    /// If the store fails: then another leads once the lease is over.
    pub async fn release(mut self) -> Result<(), StoreError> {
        match &mut self {
            Self::OfFile(_) => Ok(()),
            Self::OfServer(lease) => lease.extend(Duration::ZERO).await,
        }
    }

    /// Whether it is lost when it is not renewed in time.
    pub fn is_lease(&self) -> bool {
        matches!(self, Self::OfServer(_))
    }
}

impl Lease {
    async fn extend(&mut self, time: Duration) -> Result<(), StoreError> {
        // One that failed is not used again.
        let known = self.connection.take();
        // All of it in one time: three that are each in time would outlast the lease.
        let extended = within(async {
            let mut connection = match known {
                Some(connection) => connection,
                None => {
                    let mut connection = PgConnectOptions::from_url(&self.url)?.connect().await?;
                    sqlx::raw_sql(SESSION).execute(&mut connection).await?;
                    connection
                }
            };
            let extended = sqlx::query(
                "UPDATE leader SET leads_until = clock_timestamp() + make_interval(secs => $1) WHERE term = $2",
            )
            .bind(time.as_secs_f64())
            .bind(self.term)
            .execute(&mut connection)
            .await?;
            Ok((connection, extended.rows_affected()))
        });
        let (connection, rows) = extended.await?;
        self.connection = Some(connection);
        if rows == 0 { Err(StoreError::NotLeading) } else { Ok(()) }
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
