//! What a benchmark starts.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde::{Serialize, de::DeserializeOwned};
use x402_escrow_tests::{
    database::OwnDatabase,
    local::{Local, binary},
};

/// Where a PostgreSQL server is whose user may create databases.
const POSTGRES_URL: &str = "X402_BENCH_POSTGRES";

/// Starts a cluster.
pub(crate) fn cluster() -> Result<Local> {
    Local::start(&|text| eprintln!("{text}"))
}

/// Creates a database in PostgreSQL.
pub(crate) fn database() -> Result<OwnDatabase> {
    let server =
        env::var(POSTGRES_URL).with_context(|| format!("{POSTGRES_URL} is not set: where a server is"))?;
    OwnDatabase::create(&server)
}

/// A part of `x402-escrow-load`, or a program like one. It is killed when it is dropped.
pub(crate) struct Part {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Part {
    /// Starts the part that is to play `role`, and tells it what it needs to know.
    pub(crate) fn start(role: &str, told: &impl Serialize) -> Result<Self> {
        Self::run(Command::new(binary("load-part")?).arg(role), told)
    }

    /// Starts a program that reads a line and writes lines, and tells it what it needs to know.
    pub(crate) fn run(command: &mut Command, told: &impl Serialize) -> Result<Self> {
        let part = Self::spawn(command)?;
        part.tell(&serde_json::to_string(told)?)?;
        Ok(part)
    }

    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", command.get_program().display()))?;
        let output = BufReader::new(child.stdout.take().context("its standard output")?);
        Ok(Self { child, output })
    }

    /// Writes it a line.
    pub(crate) fn tell(&self, line: &str) -> Result<()> {
        let mut input = self.child.stdin.as_ref().context("its standard input")?;
        writeln!(input, "{line}").context("telling it what to do")
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// What it says next.
    pub(crate) fn said<T: DeserializeOwned>(&mut self) -> Result<T> {
        let line = self.line()?;
        serde_json::from_str(&line).with_context(|| format!("it said {line}"))
    }

    /// Its next line.
    pub(crate) fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line).context("waiting for it")?;
        ensure!(!line.is_empty(), "it ended without an answer");
        Ok(line)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A server's address, which is its URL without the scheme.
pub(crate) fn address(url: &str) -> String {
    url.trim_start_matches("http://").trim_end_matches('/').to_owned()
}
