//! A PostgreSQL database of its own for a test or a benchmark, dropped with it.

use std::{
    process::{self, Command},
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result, ensure};
use reqwest::Url;

/// A new database.
pub struct OwnDatabase {
    server: Url,
    name: String,
}

impl OwnDatabase {
    /// Creates one at the server with this URL, whose user may create databases.
    ///
    /// # Errors
    /// If it can't be created.
    pub fn create(server: &str) -> Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let server = server.parse().context("the URL of the PostgreSQL server")?;
        let name = format!("x402_own_{}_{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let database = Self { server, name };
        ensure!(database.run("createdb", &[]), "no database was created; createdb says above why");
        Ok(database)
    }

    /// Its URL.
    pub fn url(&self) -> String {
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

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        // The server may be gone, and a test that failed must tell why it did.
        _ = self.run("dropdb", &["--force"]);
    }
}
