//! The package's examples, run by node: an Express server that sells, and an agent that buys.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use solana_sdk::signature::{Keypair, Signer};
use x402_escrow_tests::{
    local::{checkout, free_ports},
    program_id,
};

use crate::shop::{DEPOSIT, Shop};

/// A running Express server. It is killed when it is dropped.
pub(crate) struct Express {
    key: Keypair,
    base_url: String,
    arguments: Vec<String>,
    script: &'static str,
    folder: PathBuf,
    child: Child,
}

impl Express {
    /// Starts a script of the package's `build` folder.
    pub(crate) fn start(shop: &Shop, script: &'static str) -> Self {
        Self::start_behind(shop, script, &shop.verifier.url)
    }

    /// The same with the verifier behind another URL.
    pub(crate) fn start_behind(shop: &Shop, script: &'static str, facilitator: &str) -> Self {
        let (key, key_file) = shop.local.key_file("express").unwrap();
        shop.local.chain.give_tokens(&key.pubkey(), &shop.local.mint, 0).unwrap();
        let port = free_ports(1).unwrap();
        let arguments = vec![
            facilitator.to_owned(),
            key_file.display().to_string(),
            shop.local.mint.to_string(),
            port.to_string(),
            program_id().to_string(),
        ];
        let base_url = format!("http://127.0.0.1:{port}");
        let folder = shop.local.folder().to_owned();
        let child = spawn(script, &arguments, &folder);
        let express = Self { key, base_url, arguments, script, folder, child };
        express.wait_until_ready(shop);
        express
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// Ends it as a crash would, by SIGKILL, and starts it again with the same key, port and file.
    pub(super) fn crash_and_restart(&mut self, shop: &Shop) {
        self.kill();
        self.child = spawn(self.script, &self.arguments, &self.folder);
        self.wait_until_ready(shop);
    }

    /// Whether a payment is noted whose request is being served.
    pub(super) fn is_serving(&self) -> bool {
        let file = self.folder.join("merchant-state/purchases.jsonl");
        fs::read_to_string(file).is_ok_and(|noted| noted.contains("serving"))
    }

    /// Fails unless the Express server has `earned`, `held` is held, and nothing was lost or made, where the Rust
    /// merchant sold nothing.
    #[track_caller]
    pub(super) fn assert_books(&self, shop: &Shop, earned: u64, held: u64) {
        self.wait_until_earned(shop, earned);
        let escrow = shop.escrow();
        assert_eq!(self.earned(shop), earned, "earned");
        assert_eq!((escrow.balance, escrow.held), (DEPOSIT - earned, held), "balance and held");
        assert_eq!(shop.local.chain.supply(&shop.local.mint).unwrap(), DEPOSIT, "supply");
    }

    /// Waits until it was paid so much: a charge may be answered in a block that is not confirmed yet.
    pub(crate) fn wait_until_earned(&self, shop: &Shop, earned: u64) {
        shop.wait_until_earned(&self.key.pubkey(), earned);
    }

    /// What it was paid so far.
    pub(crate) fn earned(&self, shop: &Shop) -> u64 {
        shop.local.chain.tokens(&self.key.pubkey(), &shop.local.mint).unwrap()
    }

    fn wait_until_ready(&self, shop: &Shop) {
        let ready = || Ok(reqwest::blocking::get(self.url("/")).is_ok());
        let waited =
            shop.local.chain.wait_until("the Express server to listen", Duration::from_secs(90), ready);
        assert!(waited.is_ok(), "{waited:?}\n{}", fs::read_to_string(log(&self.folder)).unwrap_or_default());
    }

    fn kill(&mut self) {
        // Either fails only if the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Express {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(script: &str, arguments: &[String], folder: &Path) -> Child {
    let file = fs::File::options().create(true).append(true).open(log(folder)).unwrap();
    Command::new("node")
        .arg(built(script))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .spawn()
        .unwrap()
}

fn log(folder: &Path) -> PathBuf {
    folder.join("express.log")
}

/// Has the TypeScript agent buy, with nothing but the session file. The error is what it says.
pub(super) fn buy(shop: &Shop, arguments: &[&str]) -> Result<Value> {
    let printed = run(shop, "examples/agent.js", arguments)?;
    serde_json::from_str(&printed).context("the agent's output")
}

/// Runs a script that has the session file, and returns what it printed. The error is what it says.
pub(super) fn run(shop: &Shop, script: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new("node")
        .arg(built(script))
        .args(arguments)
        .env("X402_SESSION", shop.local.folder().join("session.json"))
        .output()
        .context("running node")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).context("the script's output")
}

pub(crate) fn built(script: &str) -> PathBuf {
    let package = checkout().join("packages/auth-capture-svm");
    let path = package.join("build").join(script);
    let folder = package.display();
    assert!(path.is_file(), "{} is missing: run `npm ci && npm run build` in {folder}", path.display());
    path
}
