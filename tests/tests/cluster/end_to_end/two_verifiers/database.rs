//! A PostgreSQL database of the test's own, dropped with it.

use std::{
    env,
    process::{self, Command},
    sync::atomic::{AtomicUsize, Ordering},
};

use reqwest::Url;

/// The variable with the URL of a server whose user may create databases.
const SERVER: &str = "X402_TEST_POSTGRES";

pub(super) struct TestDatabase {
    server: Url,
    name: String,
}

impl TestDatabase {
    pub(super) fn create() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let server = env::var(SERVER).expect("set X402_TEST_POSTGRES").parse().unwrap();
        let name = format!("x402_two_verifiers_{}_{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let database = Self { server, name };
        assert!(database.run("createdb", &[]), "no database was created");
        database
    }

    pub(super) fn url(&self) -> String {
        let mut url = self.server.clone();
        url.set_path(&self.name);
        url.into()
    }

    fn run(&self, program: &str, options: &[&str]) -> bool {
        let mut command = Command::new(program);
        command.args(options).args(["--maintenance-db", self.server.as_str(), &self.name]);
        command.status().is_ok_and(|status| status.success())
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // The server may be gone, and a test that failed must tell why it did.
        _ = self.run("dropdb", &["--force"]);
    }
}
