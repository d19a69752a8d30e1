//! The processes that a benchmark starts beside the sandbox's.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde::{Serialize, de::DeserializeOwned};
use x402_escrow_tests::local::binary;

/// A part of `x402-escrow-load`. It is killed when it is dropped.
pub(crate) struct Part {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Part {
    /// Starts the part that is to play `role`, and tells it what it needs to know.
    pub(crate) fn start(role: &str, told: &impl Serialize) -> Result<Self> {
        let mut child = Command::new(binary("load-part")?)
            .arg(role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting the process that is to {role}"))?;
        let output = BufReader::new(child.stdout.take().context("its standard output")?);
        let mut input = child.stdin.as_ref().context("its standard input")?;
        writeln!(input, "{}", serde_json::to_string(told)?).context("telling it what to do")?;
        Ok(Self { child, output })
    }

    /// What it says next.
    pub(crate) fn said<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        self.output.read_line(&mut line).context("waiting for it")?;
        ensure!(!line.is_empty(), "it ended without an answer");
        serde_json::from_str(&line).with_context(|| format!("it said {line}"))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
