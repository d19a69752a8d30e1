//! Transactions of version 1 (SIMD-0385: up to 4,096 bytes, no lookup tables), on solana-test-validator.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client::rpc_client::RpcClient;
use solana_rpc_client_api::request::RpcRequest;
use solana_sdk::{
    hash::Hash,
    instruction::Instruction,
    message::{VersionedMessage, v1},
    signature::{Keypair, Signature, Signer},
    transaction::{Transaction, VersionedTransaction},
};
use spl_token_interface::instruction::mint_to;
use x402_escrow_interface::{
    Address,
    address::{self, TOKEN_PROGRAM_ID},
    instruction::create_associated_token,
};
use x402_escrow_tests::{keys::test_key, local::Local};
use x402_escrow_wire::clock::unix_now;

use crate::cast::{Cluster, Cost, RELAY, Size};

/// The most that a transaction may use. One of version 1 names its limits, or has nothing to use.
const COMPUTE_UNIT_LIMIT: u32 = 1_400_000;
/// Enough for the program, the token program and all accounts.
const LOADED_BYTES_LIMIT: u32 = 4 * 1024 * 1024;
/// Fees and rents of a run: 100 SOL.
const RELAY_LAMPORTS: u64 = 100_000_000_000;
/// How long a transaction may take to be confirmed.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Version1 {
    local: Local,
    rpc: RpcClient,
    keys: Vec<Keypair>,
}

impl Version1 {
    pub(crate) fn new(tell: &dyn Fn(&str)) -> Result<Self> {
        let local = Local::start(tell)?;
        local.chain.give_sol(&test_key(RELAY).pubkey(), RELAY_LAMPORTS)?;
        let rpc = RpcClient::new_with_commitment(local.rpc_url().to_owned(), CommitmentConfig::confirmed());
        let keys = vec![local.chain.faucet.insecure_clone()];
        Ok(Self { local, rpc, keys })
    }

    fn signers(&self, addresses: &[Address]) -> Result<Vec<&Keypair>> {
        let signer = |address: &Address| {
            let key = self.keys.iter().find(|key| key.pubkey() == *address);
            key.with_context(|| format!("{address} is none of the keys"))
        };
        addresses.iter().map(signer).collect()
    }

    /// Waits until all of these transactions are confirmed; none of them may have failed.
    fn wait_for(&self, signatures: &[Signature]) -> Result<()> {
        let started = Instant::now();
        loop {
            let statuses = self.rpc.get_signature_statuses(signatures)?.value;
            for status in statuses.iter().flatten() {
                if let Some(error) = &status.err {
                    bail!("a transaction that prepares payments failed: {error}");
                }
            }
            let confirmed = statuses
                .iter()
                .flatten()
                .filter(|status| status.satisfies_commitment(CommitmentConfig::confirmed()));
            if confirmed.count() == signatures.len() {
                return Ok(());
            }
            ensure!(started.elapsed() < PATIENCE, "transactions are not confirmed after a minute");
            thread::sleep(Duration::from_millis(100));
        }
    }
}

fn message(fee_payer: &Address, instructions: &[Instruction], blockhash: Hash) -> Result<v1::Message> {
    let config = v1::TransactionConfig::empty()
        .with_compute_unit_limit(COMPUTE_UNIT_LIMIT)
        .with_loaded_accounts_data_size_limit(LOADED_BYTES_LIMIT);
    v1::Message::try_compile_with_config(fee_payer, instructions, blockhash, config)
        .context("compiling a message of version 1")
}

impl Cluster for Version1 {
    const VERSION: u8 = 1;
    const NAME: &str = "solana-test-validator";

    fn mint(&self) -> Address {
        self.local.mint
    }

    fn time(&self) -> Result<i64> {
        Ok(unix_now())
    }

    fn learn(&mut self, name: &str) -> Result<Address> {
        let key = test_key(name);
        let address = key.pubkey();
        self.keys.push(key);
        Ok(address)
    }

    fn fund(&mut self, owners: &[Address], amount: u64) -> Result<()> {
        let (issuer, mint) = (self.local.chain.faucet.pubkey(), self.local.mint);
        let fund = |owner: &Address| {
            let account = address::associated_token(owner, &mint, &TOKEN_PROGRAM_ID);
            let create = create_associated_token(&issuer, owner, &mint, &TOKEN_PROGRAM_ID);
            Ok(vec![create, mint_to(&TOKEN_PROGRAM_ID, &mint, &account, &issuer, &[], amount)?])
        };
        self.run(&owners.iter().map(fund).collect::<Result<Vec<_>>>()?)
    }

    fn data(&self, address: &Address) -> Result<Option<Vec<u8>>> {
        let account = self.rpc.get_account_with_commitment(address, CommitmentConfig::confirmed())?;
        Ok(account.value.map(|account| account.data))
    }

    fn rent(&self, bytes: u64) -> Result<u64> {
        Ok(self.rpc.get_minimum_balance_for_rent_exemption(usize::try_from(bytes)?)?)
    }

    fn tokens(&self, owner: &Address) -> Result<u64> {
        self.local.chain.tokens(owner, &self.local.mint)
    }

    fn run(&mut self, transactions: &[Vec<Instruction>]) -> Result<()> {
        let blockhash = self.rpc.get_latest_blockhash()?;
        let mut signatures = Vec::new();
        for instructions in transactions {
            let relay = test_key(RELAY);
            let mut transaction = Transaction::new_with_payer(instructions, Some(&relay.pubkey()));
            let message = &transaction.message;
            let signers = usize::from(message.header.num_required_signatures);
            let signers = self.signers(&message.account_keys[..signers])?;
            transaction.try_sign(&signers, blockhash)?;
            signatures.push(self.rpc.send_transaction(&transaction)?);
        }
        self.wait_for(&signatures)
    }

    fn set_table(&mut self, addresses: &[Address]) -> Result<()> {
        ensure!(addresses.is_empty(), "transactions of version 1 have no lookup tables");
        Ok(())
    }

    fn size(&self, fee_payer: &Address, instructions: &[Instruction]) -> Result<Size> {
        let message = message(fee_payer, instructions, Hash::default())?;
        let signatures = usize::from(message.header.num_required_signatures);
        let accounts = message.account_keys.len();
        let bytes = 64 * signatures + VersionedMessage::V1(message).serialize().len();
        Ok(Size { bytes, accounts, instructions: instructions.len() })
    }

    fn send(&mut self, fee_payer: &Address, instructions: &[Instruction]) -> Result<Result<Cost, String>> {
        let message = message(fee_payer, instructions, self.rpc.get_latest_blockhash()?)?;
        let signers = usize::from(message.header.num_required_signatures);
        let signers = self.signers(&message.account_keys[..signers])?;
        let transaction = VersionedTransaction::try_new(VersionedMessage::V1(message), &signers)?;
        let signature = match self.rpc.send_and_confirm_transaction(&transaction) {
            Ok(signature) => signature,
            Err(error) => match error.get_transaction_error() {
                Some(refused) => return Ok(Err(refused.to_string())),
                None => return Err(error).context("sending a transaction of version 1"),
            },
        };
        let parameters = json!([
            signature.to_string(),
            { "encoding": "base64", "commitment": "confirmed", "maxSupportedTransactionVersion": 1 }
        ]);
        let stored: Value = self.rpc.send(RpcRequest::GetTransaction, parameters)?;
        ensure!(stored["version"] == 1, "the cluster stored a transaction of version {}", stored["version"]);
        let number = |name: &str| {
            let value = stored["meta"][name].as_u64();
            value.with_context(|| format!("the cluster did not tell {name}"))
        };
        Ok(Ok(Cost { compute_units: number("computeUnitsConsumed")?, fee_lamports: number("fee")? }))
    }
}
