use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client::rpc_client::RpcClient;
use x402_escrow_interface::Address;

use crate::{Ports, folder::Folder, ports::free_ports, process::Process, program_id};

/// JSON-RPC's usual port; WebSockets are at the next.
const RPC_PORT: u16 = 8899;

/// Ports that a validator takes besides JSON-RPC's two, the faucet's and that of gossip.
const DYNAMIC_PORTS: u16 = 40;

/// What to do where the validator can't be started.
const MISSING: &str = "solana-test-validator can't be started: install Solana's tools from \
    https://docs.anza.xyz/cli/install, or name it in X402_ESCROW_VALIDATOR";

/// How long it may take to start, and to read a ledger again.
const START_TIMEOUT: Duration = Duration::from_secs(180);

/// A stopped process may still be inside a call to the system; this is ample for it to come out.
const STOPPING: Duration = Duration::from_millis(100);

/// solana-test-validator, which can be killed, started again, and sent back in time.
pub struct Validator {
    pub(crate) rpc_url: String,
    listens: Listens,
    program: PathBuf,
    faucet: Address,
    process: Mutex<Process>,
    /// The ledger. Dropped after the process that writes it.
    folder: Folder,
}

/// The first ports of each group.
#[derive(Clone, Copy)]
struct Listens {
    /// JSON-RPC, then WebSockets.
    rpc: u16,
    /// The faucet, gossip, then the dynamic range.
    others: u16,
}

impl Validator {
    /// Starts a fresh chain with the program in its genesis, `without` that feature; `faucet` owns the SOL.
    pub(crate) fn start(
        folder: Folder,
        program: &Path,
        faucet: &Address,
        ports: Ports,
        without: Option<&Address>,
    ) -> Result<Self> {
        let rpc = ports.choose(RPC_PORT, 2, "solana-test-validator")?;
        let listens = Listens { rpc, others: free_ports(2 + DYNAMIC_PORTS)? };
        let process = Mutex::new(spawn(folder.path(), listens, program, faucet, without)?);
        let (program, faucet) = (program.to_owned(), *faucet);
        let rpc_url = format!("http://127.0.0.1:{rpc}");
        let validator = Self { rpc_url, listens, program, faucet, process, folder };
        // Blocks are confirmed a second after the start, and final only fifteen seconds later.
        validator.wait_until_up(CommitmentConfig::confirmed())?;
        Ok(validator)
    }

    /// Ends it as a crash would, by SIGKILL.
    pub fn kill(&self) {
        self.process().kill();
    }

    /// Starts it again with the ledger that it finds.
    pub(crate) fn restart(&self) -> Result<()> {
        *self.process() = spawn(self.folder.path(), self.listens, &self.program, &self.faucet, None)?;
        self.wait_until_up(CommitmentConfig::finalized())
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

    /// URL of the node's WebSockets.
    pub fn web_socket_url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.listens.rpc + 1)
    }

    /// How it ended, with the end of its log, if it did.
    ///
    /// # Errors
    /// If the system doesn't tell.
    pub fn death(&self) -> Result<Option<String>> {
        self.process().death()
    }

    /// Waits until there is a block after the first that is as sure as that.
    fn wait_until_up(&self, commitment: CommitmentConfig) -> Result<()> {
        let client = RpcClient::new_with_commitment(self.rpc_url.clone(), commitment);
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
fn spawn(
    folder: &Path,
    listens: Listens,
    program: &Path,
    faucet: &Address,
    without: Option<&Address>,
) -> Result<Process> {
    let binary = env::var_os("X402_ESCROW_VALIDATOR").unwrap_or("solana-test-validator".into());
    let Listens { rpc, others } = listens;
    let mut command = Command::new(binary);
    command
        .args(["--quiet", "--bind-address", "127.0.0.1"])
        .args(["--rpc-port", &rpc.to_string()])
        .args(["--faucet-port", &others.to_string()])
        .args(["--gossip-port", &(others + 1).to_string()])
        .args(["--dynamic-port-range", &format!("{}-{}", others + 2, others + 1 + DYNAMIC_PORTS)])
        .args(["--mint", &faucet.to_string()])
        .args(["--bpf-program", &program_id().to_string()])
        .arg(program)
        .arg("--ledger")
        .arg(ledger(folder));
    if let Some(feature) = without {
        command.args(["--deactivate-feature", &feature.to_string()]);
    }
    Process::start("solana-test-validator", folder, &mut command).context(MISSING)
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
