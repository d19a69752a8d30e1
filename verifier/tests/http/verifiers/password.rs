//! A PostgreSQL server that asks for a password, which nobody else is told.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use solana_sdk::signer::keypair::Keypair;
use tempfile::TempDir;

use super::server::Server;

/// What is in no text that the verifier writes.
const PASSWORD: &str = "hush";

/// Runs the verifier with a node that isn't there, so that it ends with the database open, and returns all it writes.
fn run(database: &str, variables: &[(&str, &str)]) -> String {
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("key.json");
    fs::write(&key, format!("{:?}", Keypair::new_from_array([1; 32]).to_bytes().to_vec())).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_verifier"))
        .env_clear()
        .env("X402_RPC_URL", "http://127.0.0.1:1")
        .env("X402_FEE_PAYER", &key)
        .env("X402_DATABASE", database)
        .env("X402_LOG", "trace")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
#[ignore = "needs PostgreSQL's programs"]
fn the_password_of_a_database_is_never_told() {
    let server = Server::start();
    server.execute(&format!("ALTER ROLE x402 PASSWORD '{PASSWORD}'"));
    fs::write(server.folder().join("data/pg_hba.conf"), "local all all scram-sha-256\n").unwrap();
    server.kill();
    server.resume();

    // The server knows it from a wrong one.
    let url = |password: &str| server.url().replace("x402@", &format!("x402:{password}@"));
    let told = run(&url("hush, but another"), &[]);
    let refused = "error: the database postgres://localhost/postgres can't be opened: error returned from database: \
                   password authentication failed for user \"x402\"";
    assert!(told.contains(refused) && !told.contains(PASSWORD), "{told}");

    let lines = format!("{PASSWORD}\n*:*:*:*:{PASSWORD}\n");
    let passwords = server.folder().join("passwords");
    fs::write(&passwords, lines).unwrap();
    fs::set_permissions(&passwords, fs::Permissions::from_mode(0o600)).unwrap();
    let variable = ("PGPASSFILE", passwords.to_str().unwrap());
    for (database, variables) in [
        (url(PASSWORD), [].as_slice()),
        (format!("{}&password={PASSWORD}", server.url()), &[]),
        (server.url(), &[("PGPASSWORD", PASSWORD)]),
        (server.url(), &[variable]),
        (server.url(), &[variable, ("X402_LOG_FORMAT", "json")]),
    ] {
        let told = run(&database, variables);
        assert!(told.contains("getGenesisHash"), "it was not let in: {told}");
        assert!(told.contains("sqlx"), "nothing of the database is logged: {told}");
        assert!(!told.contains(PASSWORD), "{told}");
    }
}
