//! Where the store is: an SQLite file, or a PostgreSQL database.

use std::{fmt, io, path::PathBuf, str::FromStr, time::Duration};

use reqwest::Url;
use sqlx::{
    Any, AnyConnection, Connection, Row, Transaction,
    any::AnyConnectOptions,
    pool::{Pool, PoolOptions},
};
use tokio::time::timeout;

/// Names a database, without having opened it. Shown, it has no password.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// An SQLite file, made if it isn't there.
    Sqlite(PathBuf),
    /// A PostgreSQL database, which must be there.
    Postgres(Url),
}

/// The parameters that an URL of PostgreSQL can have: those that sqlx knows of libpq's.
const PARAMETERS: [&str; 12] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

/// For each connection to SQLite. What is committed is on disk; a writer waits for another. The log is copied into the
/// file once it has 4,000 pages (16 MB), so that a page that is written often is copied once.
const SQLITE_SESSION: &str =
    "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
     PRAGMA wal_autocheckpoint = 4000; PRAGMA foreign_keys = ON";

/// For each connection to PostgreSQL. A verifier that stands still inside a transaction must not hold up the others, least
/// of all until the one that leads has lost its lease.
const POSTGRES_SESSION: &str = "SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '5s'";

/// How long the first connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Takes the write lock of the store until the transaction ends. The number means nothing but this lock.
const POSTGRES_WRITE_LOCK: &str = "SELECT pg_advisory_xact_lock(8402402001)";

impl Database {
    /// Connects; each connection is set up so that what it commits is on disk.
    ///
    /// # Errors
    /// If it can't be reached, or can lose what it has committed.
    pub async fn connect(&self) -> Result<Pool<Any>, sqlx::Error> {
        sqlx::any::install_default_drivers();
        let options = self.options()?;
        let is_sqlite = self.is_sqlite();
        // A pool tries for half a minute whatever is wrong, and then doesn't say what was.
        let first = async {
            let mut connection = AnyConnection::connect_with(&options).await?;
            set_up(&mut connection, is_sqlite).await?;
            connection.close().await
        };
        timeout(CONNECT_TIMEOUT, first).await.map_err(|_| silent())??;
        self.pool(8).await
    }

    /// Connections for writers, which take turns. Over a file this is one connection, since SQLite drops the pages that
    /// a connection has cached once another has written. PostgreSQL's writers share the connections of `readers`.
    pub(super) async fn connect_writers(&self, readers: &Pool<Any>) -> Result<Pool<Any>, sqlx::Error> {
        match self {
            Self::Sqlite(_) => self.pool(1).await,
            Self::Postgres(_) => Ok(readers.clone()),
        }
    }

    async fn pool(&self, connections: u32) -> Result<Pool<Any>, sqlx::Error> {
        let is_sqlite = self.is_sqlite();
        PoolOptions::<Any>::new()
            .max_connections(connections)
            // No network lies between it and a file.
            .test_before_acquire(!is_sqlite)
            // One that is still in a transaction when nobody has it, as where SQLite ended the transaction by itself
            // (the disk is full), would begin none any more: another takes its place.
            .before_acquire(|connection, _| {
                let is_free = !connection.is_in_transaction();
                Box::pin(async move { Ok(is_free) })
            })
            .after_connect(move |connection, _| Box::pin(set_up(connection, is_sqlite)))
            .connect_with(self.options()?)
            .await
    }

    fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// Starts a transaction that will write: at once with the write lock, of which there is one, so that whatever it
    /// decides is decided on all that was committed before it, and it can't fail halfway because another wrote first.
    pub(super) async fn begin_write(
        &self,
        pool: &Pool<Any>,
    ) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self {
            Self::Sqlite(_) => pool.begin_with("BEGIN IMMEDIATE").await,
            Self::Postgres(_) => {
                // Each statement after the lock sees what was committed before the lock was given; where the
                // database's default is another isolation, the lock's own statement would fix what is seen.
                let mut transaction = begin(pool, "BEGIN ISOLATION LEVEL READ COMMITTED").await?;
                sqlx::query(POSTGRES_WRITE_LOCK).execute(&mut *transaction).await?;
                Ok(transaction)
            }
        }
    }

    /// Starts a transaction whose statements all see the same.
    pub(super) async fn begin_read(
        &self,
        pool: &Pool<Any>,
    ) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self {
            Self::Sqlite(_) => pool.begin().await,
            Self::Postgres(_) => begin(pool, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await,
        }
    }

    fn options(&self) -> Result<AnyConnectOptions, sqlx::Error> {
        let database_url = match self {
            Self::Sqlite(path) => sqlite_url(path)?,
            Self::Postgres(url) => url.clone(),
        };
        sqlx::ConnectOptions::from_url(&database_url)
    }
}

/// Begins a transaction, even if the caller is gone meanwhile, as when a client hangs up: a connection whose `BEGIN` was
/// not waited for would go back to the pool, and what is written by it would be lost with that transaction.
async fn begin(pool: &Pool<Any>, statement: &'static str) -> Result<Transaction<'static, Any>, sqlx::Error> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin_with(statement).await });
    begun.await.map_err(|_| sqlx::Error::WorkerCrashed)?
}

/// The URL of a file, as sqlx's drivers are chosen by URL.
fn sqlite_url(path: &std::path::Path) -> Result<Url, sqlx::Error> {
    let bad = |message: &str| sqlx::Error::Configuration(message.into());
    let name = path.file_name().ok_or_else(|| bad("it names no file"))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let absolute = folder.unwrap_or(std::path::Path::new(".")).canonicalize()?.join(name);
    let mut url =
        Url::parse("sqlite:///?mode=rwc").map_err(|error| sqlx::Error::Configuration(error.into()))?;
    let text = absolute.to_str().ok_or_else(|| bad("its path is not UTF-8"))?;
    url.path_segments_mut()
        .map_err(|()| bad("its path can't be written as an URL"))?
        .clear()
        .extend(text.trim_start_matches('/').split('/'));
    Ok(url)
}

/// Makes sure that what a new connection commits is on disk.
async fn set_up(connection: &mut AnyConnection, is_sqlite: bool) -> Result<(), sqlx::Error> {
    let session = if is_sqlite { SQLITE_SESSION } else { POSTGRES_SESSION };
    sqlx::raw_sql(session).execute(&mut *connection).await?;
    if is_sqlite { Ok(()) } else { check_durable(connection).await }
}

fn silent() -> sqlx::Error {
    let message = format!("no answer in {} s", CONNECT_TIMEOUT.as_secs());
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, message))
}

/// Refuses a server that says that something is committed before it is on disk.
async fn check_durable(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    for setting in ["fsync", "synchronous_commit"] {
        let row = sqlx::query("SELECT current_setting($1)").bind(setting).fetch_one(&mut *connection).await?;
        if row.try_get::<&str, _>(0)? == "off" {
            let message = format!(
                "PostgreSQL has {setting} = off: what it commits could be lost, and with it money; turn it on"
            );
            return Err(sqlx::Error::Configuration(message.into()));
        }
    }
    Ok(())
}

impl FromStr for Database {
    type Err = String;

    /// What is wrong is told without the text: it may have a password, also where it is not meant to be.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err("must be a file's path or postgres://…, is empty".to_owned());
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            if is_meant_for_postgres(text) {
                return Err("is like a PostgreSQL URL, which must start with postgres://".to_owned());
            }
            return Ok(Self::Sqlite(text.into()));
        };
        if !matches!(scheme, "postgres" | "postgresql") {
            return Err("must be a file's path or start with postgres://".to_owned());
        }
        // The server's name would end in the middle of a password.
        if rest.find(['/', '?', '#']).is_some_and(|end| rest[end..].contains('@')) {
            return Err("has an @ behind the server's name: in a user's name, a password or a parameter, write / ? # @ \
                        as %2F %3F %23 %40"
                .to_owned());
        }
        let url = Url::parse(text).map_err(|error| format!("is no URL: {error}"))?;
        let unknown = url.query_pairs().find(|(name, _)| !PARAMETERS.contains(&name.as_ref()));
        if let Some((name, _)) = unknown {
            let known = PARAMETERS.join(", ");
            return Err(format!("has the parameter {name:?}, which is none of {known}"));
        }
        Ok(Self::Postgres(url))
    }
}

/// Whether it is user:password@server without the scheme, or libpq's other way to name a database.
fn is_meant_for_postgres(text: &str) -> bool {
    let has_password = text.split_once(':').is_some_and(|(_, rest)| rest.contains('@'));
    has_password || text.contains("password=")
}

impl fmt::Display for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(formatter),
            Self::Postgres(url) => {
                let host = url.host_str().unwrap_or_default();
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                write!(formatter, "postgres://{host}{port}{}", url.path())
            }
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
