use std::{
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context, Result, anyhow};
use solana_sdk::signature::{Keypair, Signer};
use x402_escrow_interface::{Address, address};

use crate::{
    Agent, Grant, Local, Merchant, ONE_TOKEN, Ports, Verifier, binary, ports::free_ports, program_id,
    verifier::FEE_PAYER_LAMPORTS,
};

/// The usual ports of the verifier, the merchant, and the verifier's pages for operators.
const PORTS: [(u16, &str); 3] =
    [(4020, "the verifier"), (4021, "the merchant"), (4022, "the verifier's status page")];

/// What the owner is given, in lamports.
const OWNER_LAMPORTS: u64 = 1_000_000_000;

/// What a [`Sandbox`] is made of. Amounts of commands are in tokens.
#[derive(Clone, Debug)]
pub struct Settings<'a> {
    /// Where keys, databases and logs are; removed at the end. Without it, among temporary files.
    pub folder: Option<&'a Path>,
    /// On which ports the parts listen.
    pub ports: Ports,
    /// What the owner has before the escrow is opened, in base units.
    pub owned: u64,
    /// What the owner deposits of that, in tokens.
    pub deposit: &'a str,
    /// The session's limits, as `agent session open` takes them.
    pub limits: &'a [&'a str],
    /// More of the verifier's settings, as environment variables.
    pub verifier: &'a [(&'static str, &'a str)],
    /// More of the merchant's arguments.
    pub merchant: &'a [&'a str],
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self {
            folder: None,
            ports: Ports::Free,
            owned: 1_000 * ONE_TOKEN,
            deposit: "100",
            limits: &["--max-payment", "1", "--max-total", "50"],
            verifier: &[],
            merchant: &[],
        }
    }
}

/// A cluster on which everything is ready for the first purchase: an owner with an escrow, a session for an agent, a
/// verifier, and a merchant. Dropped from top to bottom, the cluster after those who use it.
pub struct Sandbox {
    /// Sells at fixed prices, by the unit, and streamed.
    pub merchant: Merchant,
    /// Takes the payments.
    pub verifier: Verifier,
    /// The owner's command line.
    pub owner: Agent,
    /// The owner's key.
    pub owner_key: Keypair,
    /// The owner's keypair file.
    pub owner_file: PathBuf,
    /// What an agent needs, and all it needs.
    pub session_file: PathBuf,
    /// URL of the status page and the metrics, for operators.
    pub operator_url: String,
    /// The cluster.
    pub local: Local,
}

impl Sandbox {
    /// Starts a cluster and everything on it. `tell` is told what is being waited for.
    ///
    /// # Errors
    /// If a part is missing, doesn't start, or needs a port that is in use; the error says which, and what to do.
    pub fn start(settings: &Settings<'_>, tell: &dyn Fn(&str)) -> Result<Self> {
        // Before anything is started.
        for program in ["verifier", "agent", "merchant", "examples/merchant"] {
            binary(program)?;
        }
        let ports = ports(settings.ports)?;
        let local = Local::start_in(settings.folder, settings.ports, tell)?;
        Self::at(ports, local, settings, tell)
    }

    /// Starts everything on a cluster, on free ports.
    ///
    /// # Errors
    /// Like [`Self::start`].
    pub fn on(local: Local, settings: &Settings<'_>, tell: &dyn Fn(&str)) -> Result<Self> {
        Self::at(ports(Ports::Free)?, local, settings, tell)
    }

    fn at(ports: [u16; 3], local: Local, settings: &Settings<'_>, tell: &dyn Fn(&str)) -> Result<Self> {
        let [verifier_port, merchant_port, operator_port] = ports;
        let (fee_payer, fee_payer_file) = local.key_file("fee-payer")?;
        let (owner_key, owner_file) = local.key_file("owner")?;
        let (merchant_key, merchant_file) = local.key_file("merchant")?;
        tell("giving the owner SOL and tokens, and the merchant a token account");
        let grant = |key: &Keypair, lamports, tokens| Grant { owner: key.pubkey(), lamports, tokens };
        let grants = [
            grant(&fee_payer, FEE_PAYER_LAMPORTS, None),
            grant(&owner_key, OWNER_LAMPORTS, Some(settings.owned)),
            grant(&merchant_key, 0, Some(0)),
        ];
        local.chain.give(&local.mint, &grants).context("giving SOL and tokens")?;

        let operator = format!("127.0.0.1:{operator_port}");
        let mut verifier_settings = vec![("X402_OPERATOR_LISTEN", operator.as_str())];
        verifier_settings.extend(settings.verifier);
        let owner = Agent::owner_before(&local, &owner_file, &format!("http://127.0.0.1:{verifier_port}"));
        let session_file = local.folder().join("session.json");
        let out = session_file.display().to_string();
        let open_session = [["session", "open"].as_slice(), settings.limits, &["--out", &out]].concat();

        tell("starting the verifier, and opening an escrow");
        let (opened, verifier) = thread::scope(|scope| {
            let opening = scope.spawn(|| owner.run(&["escrow", "open", "--amount", settings.deposit]));
            let payer = fee_payer.pubkey();
            let verifier =
                Verifier::start_at(&local, verifier_port, payer, &fee_payer_file, &verifier_settings);
            (joined(opening), verifier)
        });
        let verifier = verifier?;
        opened.context("opening an escrow")?;
        tell("starting the merchant, and opening a session");
        let (opened, merchant) = thread::scope(|scope| {
            let opening = scope.spawn(|| owner.run(&open_session));
            let key = (merchant_key, merchant_file.as_path());
            let merchant =
                Merchant::start_at(&local, &verifier, "shop", merchant_port, key, settings.merchant);
            (joined(opening), merchant)
        });
        let merchant = merchant?;
        opened.context("opening a session")?;
        let operator_url = format!("http://{operator}");
        Ok(Self { merchant, verifier, owner, owner_key, owner_file, session_file, operator_url, local })
    }

    /// The owner's escrow.
    pub fn escrow(&self) -> Address {
        address::escrow(&program_id(), &self.owner_key.pubkey(), &self.local.mint)
    }

    /// The first part that has ended, with the end of its log, if any has.
    ///
    /// # Errors
    /// If the system doesn't tell.
    pub fn death(&mut self) -> Result<Option<String>> {
        if let Some(death) = self.local.validator().death()? {
            return Ok(Some(death));
        }
        if let Some(death) = self.verifier.death()? {
            return Ok(Some(death));
        }
        self.merchant.death()
    }

    /// Ends everything in order: the merchant captures what streams paid, the verifier answers what it was asked.
    pub fn stop(mut self) {
        self.merchant.stop();
        self.verifier.stop();
    }
}

fn ports(ports: Ports) -> Result<[u16; 3]> {
    if ports == Ports::Free {
        let first = free_ports(3)?;
        return Ok([first, first + 1, first + 2]);
    }
    let mut chosen = [0; 3];
    for (chosen, (usual, part)) in chosen.iter_mut().zip(PORTS) {
        *chosen = ports.choose(usual, 1, part)?;
    }
    Ok(chosen)
}

fn joined<T>(handle: thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    handle.join().unwrap_or_else(|_| Err(anyhow!("a thread broke off")))
}
