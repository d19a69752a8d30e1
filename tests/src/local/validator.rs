use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use solana_client::rpc_client::RpcClient;
use tempfile::TempDir;
use x402_escrow_interface::Address;

use super::process::{Process, free_ports};
use crate::program_id;

/// Ports that a validator takes besides JSON-RPC's two and the faucet's.
const DYNAMIC_PORTS: u16 = 40;

/// How long it may take to start, and to read a ledger again.
const START_TIMEOUT: Duration = Duration::from_secs(180);

/// A stopped process may still be inside a call to the system; this is ample for it to come out.
const STOPPING: Duration = Duration::from_millis(100);

/// solana-test-validator, which can be killed, started again, and sent back in time.
pub struct Validator {
    pub(super) rpc_url: String,
    first_port: u16,
    program: PathBuf,
    faucet: Address,
    process: Mutex<Process>,
    /// The ledger. Dropped after the process that writes it.
    folder: TempDir,
}

impl Validator {
    /// Starts a fresh chain with the program in its genesis; `faucet` owns the SOL.
    pub(super) fn start(folder: TempDir, program: &Path, faucet: &Address) -> Result<Self> {
        // RPC, WebSocket, faucet, gossip, then the dynamic range.
        let first_port = free_ports(4 + DYNAMIC_PORTS)?;
        let process = Mutex::new(spawn(folder.path(), first_port, program, faucet)?);
        let (program, faucet) = (program.to_owned(), *faucet);
        let rpc_url = format!("http://127.0.0.1:{first_port}");
        let validator = Self { rpc_url, first_port, program, faucet, process, folder };
        validator.wait_until_up()?;
        Ok(validator)
    }

    /// Ends it as a crash would, by SIGKILL.
    pub fn kill(&self) {
        self.process().kill();
    }

    /// Starts it again after [`Self::kill`], with the ledger that it finds.
    ///
    /// # Errors
    /// If it doesn't answer.
    pub fn restart(&self) -> Result<()> {
        *self.process() = spawn(self.folder.path(), self.first_port, &self.program, &self.faucet)?;
        self.wait_until_up()
    }

    /// Keeps a copy of the ledger as a crash at this moment would leave it.
    ///
    /// # Errors
    /// If the files can't be copied.
    pub fn copy_ledger(&self) -> Result<()> {
        let process = self.process();
        process.signal("-STOP");
        thread::sleep(STOPPING);
        let copied = copy(&ledger(self.folder.path()), &self.folder.path().join("copy"));
        process.signal("-CONT");
        copied
    }

    /// Puts the copy in the ledger's place, after [`Self::kill`]: whatever is younger never happened.
    ///
    /// # Errors
    /// If the files can't be copied.
    pub fn put_ledger_back(&self) -> Result<()> {
        copy(&self.folder.path().join("copy"), &ledger(self.folder.path()))
    }

    fn wait_until_up(&self) -> Result<()> {
        let client = RpcClient::new(self.rpc_url.clone());
        self.process().wait_until(START_TIMEOUT, || client.get_slot().is_ok_and(|slot| slot > 0))
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ledger(folder: &Path) -> PathBuf {
    folder.join("ledger")
}

/// A ledger that is there already is gone on with, and what concerns a new one is ignored.
fn spawn(folder: &Path, first_port: u16, program: &Path, faucet: &Address) -> Result<Process> {
    let binary = env::var_os("X402_ESCROW_VALIDATOR").unwrap_or("solana-test-validator".into());
    let mut command = Command::new(binary);
    command
        .args(["--quiet", "--bind-address", "127.0.0.1"])
        .args(["--rpc-port", &first_port.to_string()])
        .args(["--faucet-port", &(first_port + 2).to_string()])
        .args(["--gossip-port", &(first_port + 3).to_string()])
        .args(["--dynamic-port-range", &format!("{}-{}", first_port + 4, first_port + 4 + DYNAMIC_PORTS)])
        .args(["--mint", &faucet.to_string()])
        .args(["--bpf-program", &program_id().to_string()])
        .arg(program)
        .arg("--ledger")
        .arg(ledger(folder));
    Process::start("solana-test-validator", folder, &mut command)
}

/// Puts a copy of the folder `from` at `to`, for what is there.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).with_context(|| format!("removing {}", to.display()))?;
    }
    let status = Command::new("cp").arg("-Rp").args([from, to]).status().context("running cp")?;
    ensure!(status.success(), "{} could not be copied ({status})", from.display());
    Ok(())
}
