use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{Local, Verifier, binary, program_id};

/// The agent's command line, run by an owner or by an agent.
pub struct Agent {
    environment: Vec<(&'static str, String)>,
    folder: PathBuf,
}

impl Agent {
    /// For an owner: with a keypair file and a node.
    pub fn owner(local: &Local, key_file: &Path, verifier: &Verifier) -> Self {
        Self::owner_before(local, key_file, &verifier.url)
    }

    /// For an owner whose verifier is still to be started.
    pub(crate) fn owner_before(local: &Local, key_file: &Path, verifier_url: &str) -> Self {
        let environment = vec![
            ("X402_KEYPAIR", key_file.display().to_string()),
            ("X402_RPC_URL", local.rpc_url().to_owned()),
            ("X402_PROGRAM", program_id().to_string()),
            ("X402_MINT", local.mint.to_string()),
            ("X402_VERIFIER_URL", verifier_url.to_owned()),
        ];
        Self { environment, folder: local.folder().to_owned() }
    }

    /// For an agent: with a session file and nothing else.
    pub fn with_session(local: &Local, session_file: &Path) -> Self {
        let environment = vec![("X402_SESSION", session_file.display().to_string())];
        Self { environment, folder: local.folder().to_owned() }
    }

    /// What the command line finds in its environment.
    pub fn environment(&self) -> &[(&'static str, String)] {
        &self.environment
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

    /// Runs a command with `--json` that fails, and returns the one object that it printed.
    ///
    /// # Errors
    /// If it succeeds, or prints something else.
    pub fn fail<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Value> {
        let (succeeded, mut objects, _) = self.end(arguments)?;
        ensure!(!succeeded && objects.len() == 1, "the agent printed {objects:?} instead of one error");
        Ok(objects.remove(0))
    }

    /// Runs a command that prints any number of objects.
    ///
    /// # Errors
    /// Like [`Self::run`].
    pub fn run_lines<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Vec<Value>> {
        let (succeeded, objects, told) = self.end(arguments)?;
        if succeeded {
            return Ok(objects);
        }
        let error = objects.last().map(|object| &object["error"]);
        let parts = error.map(|error| [&error["message"], &error["remedy"]].map(|part| part.as_str()));
        let reason = parts.map(|parts| parts.into_iter().flatten().collect::<Vec<_>>().join("; "));
        bail!("{}", reason.filter(|reason| !reason.is_empty()).unwrap_or(told))
    }

    /// Whether a command succeeded, the objects that it printed, and what it told people.
    fn end<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<(bool, Vec<Value>, String)> {
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
        let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Ok((output.status.success(), objects.filter_map(Result::ok).collect(), told))
    }
}
