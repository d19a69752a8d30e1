use std::{env, path::Path, process::Command, time::Duration};

use anyhow::Result;
use solana_client::rpc_client::RpcClient;
use tempfile::TempDir;
use x402_escrow_interface::{Address, ID};

use super::process::{Process, free_ports};

/// Ports that a validator takes besides JSON-RPC's two and the faucet's.
const DYNAMIC_PORTS: u16 = 40;

pub(super) struct Validator {
    pub(super) rpc_url: String,
    _process: Process,
    /// The ledger. Dropped after the process that writes it.
    _folder: TempDir,
}

impl Validator {
    /// Starts a fresh chain with the program in its genesis; `faucet` owns the SOL.
    pub(super) fn start(folder: TempDir, program: &Path, faucet: &Address) -> Result<Self> {
        // RPC, WebSocket, faucet, gossip, then the dynamic range.
        let port = free_ports(4 + DYNAMIC_PORTS)?;
        let binary = env::var_os("X402_ESCROW_VALIDATOR").unwrap_or("solana-test-validator".into());
        let mut command = Command::new(binary);
        command
            .args(["--reset", "--quiet", "--bind-address", "127.0.0.1"])
            .args(["--rpc-port", &port.to_string()])
            .args(["--faucet-port", &(port + 2).to_string()])
            .args(["--gossip-port", &(port + 3).to_string()])
            .args(["--dynamic-port-range", &format!("{}-{}", port + 4, port + 4 + DYNAMIC_PORTS)])
            .args(["--mint", &faucet.to_string()])
            .args(["--bpf-program", &ID.to_string()])
            .arg(program)
            .arg("--ledger")
            .arg(folder.path().join("ledger"));
        let mut process = Process::start("solana-test-validator", folder.path(), &mut command)?;
        let rpc_url = format!("http://127.0.0.1:{port}");
        let client = RpcClient::new(rpc_url.clone());
        process.wait_until(Duration::from_secs(180), || client.get_slot().is_ok_and(|slot| slot > 0))?;
        Ok(Self { rpc_url, _process: process, _folder: folder })
    }
}
