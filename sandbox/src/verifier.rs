use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use reqwest::blocking::Client;
use serde_json::Value;
use solana_sdk::signature::Signer;
use x402_escrow_interface::Address;

use crate::{Local, binary, ports::free_ports, process::Process, program_id};

/// How long a service may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(90);

/// How long it may take to end what is asked.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// What a fee payer is given, in lamports.
pub(crate) const FEE_PAYER_LAMPORTS: u64 = 10_000_000_000;

/// A running verifier.
pub struct Verifier {
    /// Where it listens.
    pub url: String,
    /// Who pays fees and the rent of holds.
    pub fee_payer: Address,
    command: Vec<(&'static str, String)>,
    folder: PathBuf,
    process: Process,
}

impl Verifier {
    /// Starts a verifier with a new database and a fee payer that has SOL.
    ///
    /// # Errors
    /// If it doesn't become ready.
    pub fn start(local: &Local) -> Result<Self> {
        Self::start_with(local, &[])
    }

    /// Starts a verifier that takes the local cluster for `network`, as clients that know only public networks must.
    ///
    /// # Errors
    /// If it doesn't become ready.
    pub fn start_as(local: &Local, network: &str) -> Result<Self> {
        Self::start_with(local, &[("X402_NETWORK", network)])
    }

    /// Starts a verifier with more settings, as environment variables.
    ///
    /// # Errors
    /// If it doesn't become ready.
    pub fn start_with(local: &Local, settings: &[(&'static str, &str)]) -> Result<Self> {
        let (fee_payer, key_file) = local.key_file("fee-payer")?;
        local.chain.give_sol(&fee_payer.pubkey(), FEE_PAYER_LAMPORTS)?;
        Self::start_at(local, free_ports(1)?, fee_payer.pubkey(), &key_file, settings)
    }

    /// Starts a verifier at a port, with a fee payer that has SOL already.
    pub(crate) fn start_at(
        local: &Local,
        port: u16,
        fee_payer: Address,
        key_file: &Path,
        settings: &[(&'static str, &str)],
    ) -> Result<Self> {
        let address = format!("127.0.0.1:{port}");
        let mut command = vec![
            ("X402_LISTEN", address.clone()),
            ("X402_OPERATOR_LISTEN", "none".to_owned()),
            ("X402_RPC_URL", local.rpc_url().to_owned()),
            ("X402_PROGRAM_ID", program_id().to_string()),
            ("X402_FEE_PAYER", key_file.display().to_string()),
            ("X402_TOKENS", format!("[{{ mint = '{}', minimum = '1' }}]", local.mint)),
            ("X402_DATABASE", local.folder().join("verifier.sqlite").display().to_string()),
            // Balances are looked at as soon as a capture is answered.
            ("X402_FINALITY_ON_CONFIRMED_HOLD", "[{ commitment = 'confirmed' }]".to_owned()),
            ("X402_FINALITY_ON_FINALIZED_HOLD", "[{ commitment = 'confirmed' }]".to_owned()),
        ];
        command.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let url = format!("http://{address}");
        let process = spawn_verifier(&command, local.folder(), &url)?;
        let folder = local.folder().to_owned();
        Ok(Self { url, fee_payer, command, folder, process })
    }

    /// Starts another over the same database, with the same settings and fee payer, at a port of its own.
    ///
    /// # Errors
    /// If it doesn't become ready.
    pub fn start_another(&self) -> Result<Self> {
        let address = format!("127.0.0.1:{}", free_ports(1)?);
        let url = format!("http://{address}");
        let mut command = self.command.clone();
        // Of two equal names the last counts.
        command.push(("X402_LISTEN", address));
        let process = spawn_verifier(&command, &self.folder, &url)?;
        Ok(Self { url, fee_payer: self.fee_payer, command, folder: self.folder.clone(), process })
    }

    /// Ends it as a crash would, by SIGKILL. Does not wait, so that others may be using it.
    pub fn kill_now(&self) {
        self.process.kill_now();
    }

    /// Ends it as a crash would, by SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Freezes it, by SIGSTOP, until the returned value is dropped: it keeps its memory, its locks and its connections, and
    /// learns of nothing.
    pub fn freeze(&self) -> Frozen<'_> {
        self.process.signal("-STOP");
        Frozen(&self.process)
    }

    /// Compares its database, payments that are over included, with final blocks, by `verifier reconcile`. Returns what that
    /// prints.
    ///
    /// # Errors
    /// If they differ, with what does.
    pub fn reconcile(&self) -> Result<Value> {
        let output = command(&self.command, &self.folder)?
            .args(["reconcile", "--all", "--json"])
            .output()
            .context("running the verifier")?;
        let [said, complaint] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        ensure!(
            output.status.success(),
            "the books are not the chain's: {}{}",
            said.trim(),
            complaint.trim()
        );
        serde_json::from_str(&said).with_context(|| format!("`verifier reconcile` printed {said}"))
    }

    /// Has it answer what was asked and end.
    pub fn stop(&mut self) {
        self.process.stop(STOP_TIMEOUT);
    }

    /// How it ended, with the end of its log, if it did.
    ///
    /// # Errors
    /// If the system doesn't tell.
    pub fn death(&mut self) -> Result<Option<String>> {
        self.process.death()
    }

    /// The system's id of its process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// The log file.
    pub fn log(&self) -> &Path {
        self.process.log()
    }

    /// Starts it again after [`Self::kill`], with the same database and port.
    ///
    /// # Errors
    /// If it doesn't become ready.
    pub fn restart(&mut self) -> Result<()> {
        self.process = spawn_verifier(&self.command, &self.folder, &self.url)?;
        Ok(())
    }

    /// What `GET /payments/{id}` says.
    ///
    /// # Errors
    /// If it doesn't answer with JSON.
    pub fn payment(&self, id: &str) -> Result<Value> {
        get_json(&format!("{}/payments/{id}", self.url))
    }

    /// Whether a payment has ended, or was charged, in blocks that are confirmed, as [`super::Chain`] reads balances: for the verifier a
    /// transaction counts from the first block on that has it.
    ///
    /// # Errors
    /// If it doesn't answer with JSON.
    pub fn has_ended(&self, id: &str) -> Result<bool> {
        let payment = self.payment(id)?;
        let mut operations = payment["operations"].as_array().into_iter().flatten();
        let is_only_processed = |operation: &Value| operation["status"] == "processed";
        let is_over = payment["state"] == "ended" || payment["state"] == "paid";
        Ok(is_over && !operations.any(is_only_processed))
    }

    /// Whether it says that it leads, of those over the same database.
    ///
    /// # Errors
    /// If it doesn't answer with JSON.
    pub fn is_leading(&self) -> Result<bool> {
        Ok(self.health()?["role"] == "leader")
    }

    /// What `GET /health` says, ready or not.
    ///
    /// # Errors
    /// If it doesn't answer with JSON.
    pub fn health(&self) -> Result<Value> {
        get_json(&format!("{}/health", self.url))
    }
}

/// A verifier that is frozen, until this is dropped.
#[must_use = "it goes on as soon as this is dropped"]
pub struct Frozen<'a>(&'a Process);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.0.signal("-CONT");
    }
}

/// The verifier's command line with these variables.
fn command(environment: &[(&'static str, String)], folder: &Path) -> Result<Command> {
    let mut command = Command::new(binary("verifier")?);
    command.envs(environment.iter().cloned()).current_dir(folder);
    Ok(command)
}

fn spawn_verifier(environment: &[(&'static str, String)], folder: &Path, url: &str) -> Result<Process> {
    let mut process = Process::start("verifier", folder, &mut command(environment, folder)?)?;
    process.wait_until(START_TIMEOUT, || is_ok(&format!("{url}/health")))?;
    Ok(process)
}

/// Fetches JSON from one of the services.
///
/// # Errors
/// If it doesn't answer with JSON.
fn get_json(url: &str) -> Result<Value> {
    Client::new()
        .get(url)
        .send()
        .and_then(|response| response.json())
        .with_context(|| format!("asking {url}"))
}

fn is_ok(url: &str) -> bool {
    Client::new().get(url).send().is_ok_and(|response| response.status().is_success())
}
