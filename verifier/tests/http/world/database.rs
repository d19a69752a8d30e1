//! Where a test's verifiers have their store: an SQLite file, or with `X402_TEST_POSTGRES` (an URL whose user may create
//! databases) a PostgreSQL database of the test's own, dropped with it.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use sqlx::{AssertSqlSafe, ConnectOptions, Executor, postgres::PgConnectOptions};
use x402_escrow_verifier::store::Database;

/// The variable that names the server.
const SERVER: &str = "X402_TEST_POSTGRES";

pub(crate) struct TestDatabase {
    pub(crate) database: Database,
    /// The server, if it is none of a file.
    server: Option<String>,
    directory: tempfile::TempDir,
}

impl TestDatabase {
    /// Where the tests' environment wants it.
    pub(super) async fn new() -> Self {
        if let Ok(server) = env::var(SERVER) {
            return Self::on(&server).await;
        }
        let directory = tempfile::tempdir().unwrap();
        Self { database: Database::Sqlite(directory.path().join("verifier.sqlite")), server: None, directory }
    }

    /// On the PostgreSQL server with this URL.
    pub(super) async fn on(server: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut url: reqwest::Url = server.parse().unwrap();
        url.set_path(&format!("x402_test_{}_{count}", std::process::id()));
        execute(server, format!("CREATE DATABASE {}", name(&url))).await;
        let directory = tempfile::tempdir().unwrap();
        Self { database: Database::Postgres(url), server: Some(server.to_owned()), directory }
    }

    /// A file beside the store's.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a copy, as `docs/operations.md` says, while the verifier runs.
    pub(crate) async fn back_up(&self, to: &Path) {
        match &self.database {
            Database::Sqlite(_) => {
                let pool = self.database.connect().await.unwrap();
                sqlx::query("VACUUM INTO $1").bind(to.to_str().unwrap()).execute(&pool).await.unwrap();
                pool.close().await;
            }
            Database::Postgres(url) => {
                run(Command::new("pg_dump").args(["--format=custom", "--file"]).arg(to).arg(url.as_str()))
                    .await;
            }
        }
    }

    /// Puts a copy in the place of the store, which nobody uses, as `docs/operations.md` says.
    pub(crate) async fn restore(&self, from: &Path) {
        match &self.database {
            Database::Sqlite(path) => {
                for file in ["verifier.sqlite", "verifier.sqlite-wal", "verifier.sqlite-shm"] {
                    _ = std::fs::remove_file(self.path(file));
                }
                std::fs::copy(from, path).unwrap();
            }
            Database::Postgres(url) => {
                let server = self.server.as_ref().unwrap();
                execute(server, format!("DROP DATABASE {} WITH (FORCE)", name(url))).await;
                execute(server, format!("CREATE DATABASE {}", name(url))).await;
                run(Command::new("pg_restore").arg("--dbname").arg(url.as_str()).arg(from)).await;
            }
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (Database::Postgres(url), Some(server)) = (&self.database, self.server.take()) else { return };
        let drop_it = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", name(url));
        // A runtime can't wait inside another.
        let dropped = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute(&server, drop_it));
        });
        // The server may be gone, and a test that failed must tell why it did.
        _ = dropped.join();
    }
}

fn name(url: &reqwest::Url) -> &str {
    url.path().trim_start_matches('/')
}

async fn execute(server: &str, statement: String) {
    let options: PgConnectOptions = server.parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    connection.execute(AssertSqlSafe(statement)).await.unwrap();
}

async fn run(command: &mut Command) {
    let mut child = command.spawn().unwrap();
    let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}
