//! The servers and clients in `tests/clients`, run by node and Python.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use solana_sdk::signature::{Keypair, Signer};
use x402_escrow_tests::local::{Local, Verifier, checkout, free_ports};

/// A running server. It is killed when it is dropped.
pub(super) struct Server {
    /// Who is paid.
    pub(super) key: Keypair,
    base_url: String,
    child: Child,
}

impl Server {
    /// Starts a script of `tests/clients` whose receiver has a token account.
    pub(super) fn start(local: &Local, verifier: &Verifier, script: &str) -> Self {
        let (key, _) = local.key_file(script).unwrap();
        local.chain.give_tokens(&key.pubkey(), &local.mint, 0).unwrap();
        let port = free_ports(1).unwrap().to_string();
        let log = local.folder().join(format!("{script}.log"));
        let file = fs::File::create(&log).unwrap();
        let child = Command::new("node")
            .arg(in_clients(script))
            .args([&verifier.url, &key.pubkey().to_string(), &local.mint.to_string(), &port])
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let server = Self { key, base_url: format!("http://127.0.0.1:{port}"), child };
        let ready = || Ok(reqwest::blocking::get(server.url("/")).is_ok());
        let waited = local.chain.wait_until("the server to listen", Duration::from_secs(60), ready);
        assert!(waited.is_ok(), "{waited:?}\n{}", fs::read_to_string(&log).unwrap_or_default());
        server
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either fails only if the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that buys with unchanged packages.
#[derive(Clone, Copy, Debug)]
pub(super) enum Client {
    /// `@x402/fetch`, of npm.
    Fetch,
    /// `x402` with `httpx`, of PyPI.
    Python,
}

impl Client {
    /// Has the client buy, with a keypair and a node. The error is what it says.
    pub(super) fn buy(self, local: &Local, key_file: &Path, arguments: &[&str]) -> Result<Value> {
        let mut command = match self {
            Self::Fetch => Command::new("node"),
            Self::Python => Command::new(python()),
        };
        command.arg(in_clients(match self {
            Self::Fetch => "buy.js",
            Self::Python => "buy.py",
        }));
        let output = command
            .arg(key_file)
            .arg(local.rpc_url())
            .args(arguments)
            .output()
            .context("running a client")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).context("the client's output")
    }
}

pub(crate) fn in_clients(script: &str) -> PathBuf {
    let folder = checkout().join("tests/clients");
    assert!(folder.join("node_modules").is_dir(), "its packages are missing: run `cargo xtask test`");
    folder.join(script)
}

pub(crate) fn python() -> PathBuf {
    let python = env::var_os("X402_ESCROW_CLIENTS_PYTHON");
    python.expect("X402_ESCROW_CLIENTS_PYTHON names a Python with x402: run `cargo xtask test`").into()
}
