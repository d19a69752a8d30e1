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

use crate::{Local, Verifier, binary, ports::free_ports, process::Process};

/// How long a merchant may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(90);

/// How long it may take to capture what streams paid, and to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// The verifier waits up to 45 s for a transaction.
const REFUND_TIMEOUT: Duration = Duration::from_secs(60);

/// A running merchant: the merchant crate's example, an HTTP API with prices.
pub struct Merchant {
    /// Where it listens.
    pub url: String,
    /// Who is paid, and who signs captures and releases.
    pub key: Keypair,
    /// As it calls itself.
    pub name: String,
    place: Place,
    arguments: Vec<String>,
    folder: PathBuf,
    process: Process,
}

/// What no two instances share.
struct Place {
    url: String,
    admin_url: String,
    key_file: PathBuf,
}

impl Place {
    fn new(key_file: &Path, port: u16) -> Result<Self> {
        let url = |port| format!("http://127.0.0.1:{port}");
        Ok(Self { url: url(port), admin_url: url(free_ports(1)?), key_file: key_file.to_owned() })
    }
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
        Self::open(local, &verifier.url, name, None, more_arguments)
    }

    /// Starts a merchant that reaches its verifier at another URL.
    ///
    /// # Errors
    /// If it doesn't become ready.
    pub fn start_through(local: &Local, facilitator: &str, name: &str) -> Result<Self> {
        Self::open(local, facilitator, name, None, &[])
    }

    /// Starts the first of several instances that clients reach under `public_url`.
    ///
    /// # Errors
    /// If it doesn't become ready.
    pub fn start_behind(
        local: &Local,
        verifier: &Verifier,
        name: &str,
        public_url: &str,
        more_arguments: &[&str],
    ) -> Result<Self> {
        let more_arguments = [&["--one-of-several"], more_arguments].concat();
        Self::open(local, &verifier.url, name, Some(public_url), &more_arguments)
    }

    fn open(
        local: &Local,
        facilitator: &str,
        name: &str,
        public_url: Option<&str>,
        more_arguments: &[&str],
    ) -> Result<Self> {
        let (key, key_file) = local.key_file(name)?;
        local.chain.give_tokens(&key.pubkey(), &local.mint, 0)?;
        let place = Place::new(&key_file, free_ports(1)?)?;
        Self::open_at(local, facilitator, name, place, key, public_url, more_arguments)
    }

    /// Starts a merchant at a port, with a key that has a token account already.
    pub(crate) fn start_at(
        local: &Local,
        verifier: &Verifier,
        name: &str,
        port: u16,
        (key, key_file): (Keypair, &Path),
        more_arguments: &[&str],
    ) -> Result<Self> {
        Self::open_at(local, &verifier.url, name, Place::new(key_file, port)?, key, None, more_arguments)
    }

    fn open_at(
        local: &Local,
        facilitator: &str,
        name: &str,
        place: Place,
        key: Keypair,
        public_url: Option<&str>,
        more_arguments: &[&str],
    ) -> Result<Self> {
        let (asset, public_url) = (local.mint.to_string(), public_url.unwrap_or(&place.url));
        let standing =
            ["--name", name, "--public-url", public_url, "--facilitator", facilitator, "--asset", &asset];
        let arguments = [&standing, more_arguments].concat().into_iter().map(str::to_owned).collect();
        Self::spawn(place, key, name, arguments, local.folder().to_owned())
    }

    /// Starts another instance: with the same key, a record of its own, and at ports of its own.
    ///
    /// # Errors
    /// If it doesn't become ready.
    pub fn start_another(&self) -> Result<Self> {
        // The record is beside the key.
        let port = free_ports(1)?;
        let key_file = self.folder.join(format!("{}-{port}.json", self.name));
        std::fs::copy(&self.place.key_file, &key_file).context("copying the merchant's key")?;
        let (key, arguments) = (self.key.insecure_clone(), self.arguments.clone());
        Self::spawn(Place::new(&key_file, port)?, key, &self.name, arguments, self.folder.clone())
    }

    fn spawn(
        place: Place,
        key: Keypair,
        name: &str,
        arguments: Vec<String>,
        folder: PathBuf,
    ) -> Result<Self> {
        let process = spawn_merchant(name, &place, &arguments, &folder)?;
        let url = place.url.clone();
        Ok(Self { url, key, name: name.to_owned(), place, arguments, folder, process })
    }

    /// Who is paid.
    pub fn address(&self) -> Address {
        self.key.pubkey()
    }

    /// Where its owner asks for refunds.
    pub fn admin_url(&self) -> &str {
        &self.place.admin_url
    }

    /// Has the merchant refund `amount` base units in all of a payment, and returns the settlement.
    ///
    /// # Errors
    /// If it is refused.
    pub fn refund(&self, payment_id: &str, amount: u64) -> Result<Value> {
        let wanted = json!({ "paymentId": payment_id, "amount": amount.to_string() });
        let url = format!("{}/refunds", self.place.admin_url);
        let request = Client::builder().timeout(REFUND_TIMEOUT).build()?.post(url);
        let response = request.json(&wanted).send().context("asking for a refund")?;
        let (status, body) = (response.status(), response.text()?);
        let settled: Value = serde_json::from_str(&body).with_context(|| format!("{status}: {body}"))?;
        if settled["success"] != true {
            bail!("the refund was refused: {body}");
        }
        Ok(settled)
    }

    /// Has it answer what was asked, capture what streams paid, and end.
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

    /// The log file.
    pub fn log(&self) -> &Path {
        self.process.log()
    }

    /// Starts it again after [`Self::kill`], with the same key, port and record.
    ///
    /// # Errors
    /// If it doesn't become ready.
    pub fn restart(&mut self) -> Result<()> {
        self.process = spawn_merchant(&self.name, &self.place, &self.arguments, &self.folder)?;
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

fn spawn_merchant(name: &str, place: &Place, arguments: &[String], folder: &Path) -> Result<Process> {
    let address = |url: &str| url.trim_start_matches("http://").to_owned();
    let mut command = Command::new(binary("examples/merchant")?);
    command.args(arguments).current_dir(folder);
    command.args(["--listen", &address(&place.url), "--admin-listen", &address(&place.admin_url)]);
    command.arg("--key").arg(&place.key_file);
    let mut process = Process::start(name, folder, &mut command)?;
    process.wait_until(START_TIMEOUT, || is_reachable(&place.url))?;
    Ok(process)
}

fn is_reachable(url: &str) -> bool {
    Client::new().get(url).send().is_ok()
}
