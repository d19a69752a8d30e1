use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use reqwest::blocking::Client;
use serde_json::{Value, json};
use solana_sdk::signature::{Keypair, Signer};
use x402_escrow_interface::Address;

use super::{
    Local, binary,
    process::{Process, free_ports},
};
use crate::program_id;

/// How long a service may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(90);

/// The verifier waits up to 45 s for a transaction.
const REFUND_TIMEOUT: Duration = Duration::from_secs(60);

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
        local.chain.give_sol(&fee_payer.pubkey(), 10_000_000_000)?;
        let address = format!("127.0.0.1:{}", free_ports(1)?);
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
        Ok(Self { url, fee_payer: fee_payer.pubkey(), command, folder, process })
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

    /// Whether a payment has ended in blocks that are confirmed, as [`super::Chain`] reads balances: for the verifier a
    /// transaction counts from the first block on that has it.
    ///
    /// # Errors
    /// If it doesn't answer with JSON.
    pub fn has_ended(&self, id: &str) -> Result<bool> {
        let payment = self.payment(id)?;
        let mut operations = payment["operations"].as_array().into_iter().flatten();
        let is_only_processed = |operation: &Value| operation["status"] == "processed";
        Ok(payment["state"] == "ended" && !operations.any(is_only_processed))
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

fn spawn_verifier(environment: &[(&'static str, String)], folder: &Path, url: &str) -> Result<Process> {
    let mut command = Command::new(binary("verifier")?);
    command.envs(environment.iter().cloned()).current_dir(folder);
    let mut process = Process::start("verifier", folder, &mut command)?;
    process.wait_until(START_TIMEOUT, || is_ok(&format!("{url}/health")))?;
    Ok(process)
}

/// A running merchant: the verifier crate's example, an HTTP API with prices.
pub struct Merchant {
    /// Where it listens.
    pub url: String,
    /// Who is paid, and who signs captures and releases.
    pub key: Keypair,
    /// As it calls itself.
    pub name: String,
    admin_url: String,
    arguments: Vec<String>,
    folder: PathBuf,
    process: Process,
}

impl Merchant {
    /// Starts a merchant that is paid through `verifier`. It gets a token account first, as every merchant needs one.
    ///
    /// # Errors
    /// If it doesn't become ready.
    pub fn start(local: &Local, verifier: &Verifier, name: &str) -> Result<Self> {
        Self::start_with(local, verifier, name, &[])
    }

    /// Starts a merchant with more arguments.
    ///
    /// # Errors
    /// If it doesn't become ready.
    pub fn start_with(
        local: &Local,
        verifier: &Verifier,
        name: &str,
        more_arguments: &[&str],
    ) -> Result<Self> {
        let (key, key_file) = local.key_file(name)?;
        local.chain.give_tokens(&key.pubkey(), &local.mint, 0)?;
        let address = format!("127.0.0.1:{}", free_ports(1)?);
        let admin = format!("127.0.0.1:{}", free_ports(1)?);
        let url = format!("http://{address}");
        let admin_url = format!("http://{admin}");
        let arguments = [
            ["--name", name, "--listen", &address, "--public-url", &url, "--facilitator", &verifier.url]
                .as_slice(),
            &[
                "--admin-listen",
                &admin,
                "--asset",
                &local.mint.to_string(),
                "--key",
                &key_file.display().to_string(),
            ],
            more_arguments,
        ]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>();
        let folder = local.folder().to_owned();
        let process = spawn_merchant(name, &arguments, &folder, &url)?;
        Ok(Self { url, key, admin_url, name: name.to_owned(), arguments, folder, process })
    }

    /// Has the merchant refund `amount` base units in all of a payment, and returns the settlement.
    ///
    /// # Errors
    /// If it is refused.
    pub fn refund(&self, payment_id: &str, amount: u64) -> Result<Value> {
        let wanted = json!({ "paymentId": payment_id, "amount": amount.to_string() });
        let request =
            Client::builder().timeout(REFUND_TIMEOUT).build()?.post(format!("{}/refunds", self.admin_url));
        let response = request.json(&wanted).send().context("asking for a refund")?;
        let (status, body) = (response.status(), response.text()?);
        let settled: Value = serde_json::from_str(&body).with_context(|| format!("{status}: {body}"))?;
        if settled["success"] != true {
            bail!("the refund was refused: {body}");
        }
        Ok(settled)
    }

    /// Starts it again after [`Self::kill`], with the same key, port and record.
    ///
    /// # Errors
    /// If it doesn't become ready.
    pub fn restart(&mut self) -> Result<()> {
        self.process = spawn_merchant(&self.name, &self.arguments, &self.folder, &self.url)?;
        Ok(())
    }

    /// Ends it as a crash would, by SIGKILL. Does not wait, so that others may be using it.
    pub fn kill_now(&self) {
        self.process.kill_now();
    }

    /// Ends it as a crash would, by SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

fn spawn_merchant(name: &str, arguments: &[String], folder: &Path, url: &str) -> Result<Process> {
    let mut command = Command::new(binary("examples/merchant")?);
    command.args(arguments).current_dir(folder);
    let mut process = Process::start(name, folder, &mut command)?;
    process.wait_until(START_TIMEOUT, || is_reachable(url))?;
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

fn is_reachable(url: &str) -> bool {
    Client::new().get(url).send().is_ok()
}
