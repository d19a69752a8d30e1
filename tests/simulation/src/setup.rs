//! Who is there at the start of a run, and what the verifier is configured to.

use std::{
    fs,
    path::Path,
    sync::{OnceLock, atomic::AtomicU64},
};

use ed25519_dalek::SigningKey;
use litesvm::LiteSVM;
use solana_sdk::{
    account::Account,
    clock::Clock,
    hash::hashv,
    instruction::Instruction,
    program_option::COption,
    program_pack::Pack,
    signer::{Signer, keypair::Keypair},
    transaction::Transaction,
};
use spl_token_interface::state::{Account as TokenAccount, AccountState, Mint};
use x402_escrow_interface::{
    Address,
    account::{Escrow, Session},
    address::{self, TOKEN_PROGRAM_ID},
    deployment::LOCAL_PROGRAM_ID,
    instruction::{self, SessionLimits},
    receivers,
};
use x402_escrow_verifier::config::{self, Config};

use crate::clock::START;

/// What the cluster says it is.
pub const GENESIS_HASH: &str = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG";

/// The same as an id.
pub const NETWORK: &str = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1";

/// What each escrow has at the start, in base units.
pub const FUNDS: u64 = 1_000_000_000;

/// The name of the stranger who sends what others signed.
pub const RELAYER: &str = "relayer";

/// What the fee payer has at the start.
pub const FEE_PAYER_LAMPORTS: u64 = 100_000_000_000;

/// The program: `X402_ESCROW_PROGRAM_ID` if that is set, else a local cluster's.
///
/// # Panics
/// If the variable is no address.
pub fn program() -> Address {
    std::env::var("X402_ESCROW_PROGRAM_ID")
        .map_or(LOCAL_PROGRAM_ID, |text| text.parse().expect("X402_ESCROW_PROGRAM_ID is an address"))
}

/// The seed of the key with this name; public, and the same in every run.
fn seed(name: &str) -> [u8; 32] {
    hashv(&[b"simulation", name.as_bytes()]).to_bytes()
}

/// The key with this name.
pub fn keypair(name: &str) -> Keypair {
    Keypair::new_from_array(seed(name))
}

/// The same for messages.
pub fn signing_key(name: &str) -> SigningKey {
    SigningKey::from_bytes(&seed(name))
}

/// A payer's session.
#[derive(Debug)]
pub struct Wallet {
    /// The payer's name.
    pub payer: String,
    /// The name of the session's key.
    pub key: String,
    /// The escrow.
    pub escrow: Address,
    /// The session's incarnation.
    pub incarnation: [u8; 32],
    /// The next nonce that nobody has used.
    pub nonce: AtomicU64,
}

/// What the chain starts with.
pub struct Genesis {
    /// The accounts.
    pub svm: LiteSVM,
    /// The token.
    pub mint: Address,
    /// One for each payer.
    pub wallets: Vec<Wallet>,
    /// The merchants' names.
    pub merchants: Vec<String>,
}

impl Genesis {
    /// So many payers and merchants.
    ///
    /// # Panics
    /// If the program is not built, or can't be set up.
    pub fn new(payers: usize, merchants: usize) -> Self {
        // The same in every run, and most of the work.
        static MACHINE: OnceLock<LiteSVM> = OnceLock::new();
        let svm = MACHINE.get_or_init(machine).clone();
        let mint = keypair("mint").pubkey();
        let mut genesis = Self { svm, mint, wallets: Vec::new(), merchants: Vec::new() };
        genesis.airdrop(keypair("fee payer").pubkey(), FEE_PAYER_LAMPORTS);
        genesis.airdrop(keypair(RELAYER).pubkey(), 10_000_000_000);
        let state = Mint {
            mint_authority: COption::None,
            supply: 1_000_000_000_000_000,
            decimals: 6,
            is_initialized: true,
            freeze_authority: COption::None,
        };
        genesis.set_packed(mint, &state);
        for index in 0..merchants {
            let name = format!("merchant {index}");
            genesis.airdrop(keypair(&name).pubkey(), 1_000_000_000);
            genesis.token_account(keypair(&name).pubkey(), 0);
            genesis.merchants.push(name);
        }
        for index in 0..payers {
            genesis.add_payer(index);
        }
        genesis
    }

    fn add_payer(&mut self, index: usize) {
        let (payer, key) = (format!("payer {index}"), format!("session of payer {index}"));
        let owner = keypair(&payer);
        self.airdrop(owner.pubkey(), 10_000_000_000);
        let source = self.token_account(owner.pubkey(), 10 * FUNDS);
        let at = owner.pubkey();
        self.execute(&instruction::open_escrow(&program(), &at, &at, &self.mint, &TOKEN_PROGRAM_ID), &owner);
        let escrow = address::escrow(&program(), &at, &self.mint);
        let stored = Escrow::decode(&self.data(&escrow)).expect("the escrow was opened");
        self.execute(&[instruction::deposit(&program(), &at, &source, &escrow, &stored, FUNDS)], &owner);
        let limits = SessionLimits {
            expires_at: START + 86_400,
            maximum_payment: FUNDS,
            maximum_total: 1000 * FUNDS,
            maximum_per_period: 0,
            period_seconds: 0,
            receivers_root: receivers::ANYONE,
        };
        let session_key = keypair(&key).pubkey();
        let open = instruction::open_session(&program(), &at, &at, &escrow, &session_key, &limits);
        self.execute(&[open], &owner);
        let session = address::session(&program(), &escrow, &session_key);
        let session = Session::decode(&self.data(&session)).expect("the session was opened");
        let incarnation = session.incarnation;
        self.wallets.push(Wallet { payer, key, escrow, incarnation, nonce: AtomicU64::new(1) });
    }

    fn airdrop(&mut self, address: Address, lamports: u64) {
        self.svm.airdrop(&address, lamports).expect("the faucet has enough");
    }

    fn data(&self, address: &Address) -> Vec<u8> {
        self.svm.get_account(address).expect("it was made").data
    }

    fn execute(&mut self, instructions: &[Instruction], signer: &Keypair) {
        let hash = self.svm.latest_blockhash();
        let transaction =
            Transaction::new_signed_with_payer(instructions, Some(&signer.pubkey()), &[signer], hash);
        self.svm.send_transaction(transaction).expect("the set-up is sound");
    }

    fn token_account(&mut self, owner: Address, amount: u64) -> Address {
        let address = address::associated_token(&owner, &self.mint, &TOKEN_PROGRAM_ID);
        let account = TokenAccount {
            mint: self.mint,
            owner,
            amount,
            delegate: COption::None,
            state: AccountState::Initialized,
            is_native: COption::None,
            delegated_amount: 0,
            close_authority: COption::None,
        };
        self.set_packed(address, &account);
        address
    }

    fn set_packed<T: Pack>(&mut self, address: Address, value: &T) {
        let mut data = vec![0; T::LEN];
        value.pack_into_slice(&mut data);
        let account =
            Account { lamports: 10_000_000, data, owner: TOKEN_PROGRAM_ID, executable: false, rent_epoch: 0 };
        self.svm.set_account(address, account).expect("it fits");
    }
}

/// A cluster with nothing but the program on it.
fn machine() -> LiteSVM {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/deploy/x402_escrow.so");
    let mut svm = LiteSVM::new().with_transaction_history(0).with_blockhash_check(false);
    svm.add_program_from_file(program(), &file)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask build`", file.display()));
    svm.warp_to_slot(100);
    let mut clock: Clock = svm.get_sysvar();
    clock.unix_timestamp = START;
    svm.set_sysvar(&clock);
    svm
}

/// The verifier's configuration, read as the service reads it: what is not here has its default.
///
/// # Panics
/// If a key is wrong, or the folder can't be written to.
pub fn configuration(folder: &Path, keys: &str) -> Config {
    let key = folder.join("fee-payer.json");
    let bytes: Vec<String> = keypair("fee payer").to_bytes().iter().map(u8::to_string).collect();
    fs::write(&key, format!("[{}]", bytes.join(","))).expect("the folder takes a file");
    restrict(&key);
    let file = folder.join("verifier.toml");
    let text = format!(
        "rpc_url = \"http://127.0.0.1:8899\"\nws_url = \"none\"\nprogram_id = \"{}\"\ndatabase = {:?}\nfee_payer = {key:?}\n\
         tokens = [{{ mint = \"{}\", minimum = \"100\" }}]\n{keys}",
        program(),
        folder.join("verifier.sqlite"),
        keypair("mint").pubkey(),
    );
    fs::write(&file, text).expect("the folder takes a file");
    config::read(Some(&file), []).unwrap_or_else(|error| panic!("the simulation's configuration: {error}"))
}

/// Key files that others can read are refused.
fn restrict(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("it is ours");
}
