//! A PostgreSQL server that could lose what it has committed is refused.

use std::time::{Duration, Instant};

use x402_escrow_verifier::store::Store;

use super::server::Server;

/// Sooner than connections of a pool are given up: after half a minute.
const REFUSED_WITHIN: Duration = Duration::from_secs(25);

async fn open(url: &str) -> Result<(), String> {
    let store = Store::open(&url.parse().unwrap()).await.map_err(|error| error.to_string())?;
    store.close().await;
    Ok(())
}

fn refusal(database: &str, setting: &str) -> String {
    format!(
        "the database postgres://localhost/{database} can't be opened: error with configuration: PostgreSQL has \
         {setting} = off: what it commits could be lost, and with it money; turn it on"
    )
}

#[tokio::test]
#[ignore = "needs PostgreSQL's programs"]
async fn a_server_that_does_not_wait_for_its_disk_is_refused() {
    let server = Server::start_with("-c fsync=off");
    let started = Instant::now();
    assert_eq!(open(&server.url()).await, Err(refusal("postgres", "fsync")));
    assert!(started.elapsed() < REFUSED_WITHIN, "{:?}", started.elapsed());
}

#[tokio::test]
#[ignore = "needs PostgreSQL's programs"]
async fn a_database_or_a_user_that_does_not_wait_for_commits_is_refused() {
    let server = Server::start();
    server.execute("CREATE DATABASE hasty");
    let hasty = server.url().replace("/postgres?", "/hasty?");
    assert_eq!(open(&hasty).await, Ok(()));
    for (value, opened) in [("off", Err(refusal("hasty", "synchronous_commit"))), ("local", Ok(()))] {
        server.execute(&format!("ALTER DATABASE hasty SET synchronous_commit = {value}"));
        assert_eq!(open(&hasty).await, opened, "{value}");
    }

    server.execute("CREATE ROLE careless SUPERUSER LOGIN");
    let careless = server.url().replace("x402@", "careless@");
    assert_eq!(open(&careless).await, Ok(()));
    server.execute("ALTER ROLE careless SET synchronous_commit = off");
    assert_eq!(open(&careless).await, Err(refusal("postgres", "synchronous_commit")));
    assert_eq!(open(&server.url()).await, Ok(()), "that of others");
}
