use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::{Local, Verifier, binary};
use crate::program_id;

/// The agent's command line, run by an owner or by an agent.
pub struct Agent {
    environment: Vec<(&'static str, String)>,
    folder: PathBuf,
}

impl Agent {
    /// For an owner: with a keypair file and a node.
    pub fn owner(local: &Local, key_file: &Path, verifier: &Verifier) -> Self {
        let environment = vec![
            ("X402_KEYPAIR", key_file.display().to_string()),
            ("X402_RPC_URL", local.rpc_url().to_owned()),
            ("X402_PROGRAM", program_id().to_string()),
            ("X402_MINT", local.mint.to_string()),
            ("X402_VERIFIER_URL", verifier.url.clone()),
        ];
        Self { environment, folder: local.folder().to_owned() }
    }

    /// For an agent: with a session file and nothing else.
    pub fn with_session(local: &Local, session_file: &Path) -> Self {
        let environment = vec![("X402_SESSION", session_file.display().to_string())];
        Self { environment, folder: local.folder().to_owned() }
    }

    /// Has the owner open a session that bounds next to nothing, and returns its file.
    ///
    /// # Errors
    /// If the command fails.
    pub fn open_session(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.join(format!("{name}.json"));
        let out = path.display().to_string();
        self.run(&["session", "open", "--max-payment", "1", "--max-total", "1000", "--out", &out])?;
        Ok(path)
    }

    /// Runs a command with `--json` and returns what it printed.
    ///
    /// # Errors
    /// If the command fails; the error is what it says.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Value> {
        let mut objects = self.run_lines(arguments)?;
        ensure!(objects.len() == 1, "the agent printed {objects:?} instead of one object");
        Ok(objects.remove(0))
    }

    /// Runs a command that prints any number of objects.
    ///
    /// # Errors
    /// Like [`Self::run`].
    pub fn run_lines<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Vec<Value>> {
        let output = Command::new(binary("agent")?)
            .arg("--json")
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .current_dir(&self.folder)
            .output()
            .context("running the agent")?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let objects = serde_json::Deserializer::from_str(&printed).into_iter::<Value>();
        let objects: Vec<_> = objects.filter_map(Result::ok).collect();
        if output.status.success() {
            return Ok(objects);
        }
        let reason = objects.last().and_then(|object| object["error"]["message"].as_str()).map(str::to_owned);
        bail!("{}", reason.unwrap_or_else(|| String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}
