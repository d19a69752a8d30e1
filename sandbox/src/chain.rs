use std::{cell::RefCell, thread, time::Duration};

use anyhow::{Context, Result, bail};
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client::rpc_client::{GetConfirmedSignaturesForAddress2Config, RpcClient};
use solana_rpc_client_api::config::RpcTransactionConfig;
use solana_sdk::{
    instruction::Instruction,
    program_pack::Pack,
    signature::{Keypair, Signature, Signer},
    transaction::Transaction,
};
use solana_system_interface::instruction::{create_account, transfer};
use spl_token_interface::{
    instruction::{initialize_mint2, mint_to},
    state::{Account as TokenAccount, Mint},
};
use x402_escrow_interface::{
    Address,
    account::{Escrow, Hold, Session},
    address, instruction,
};

use crate::program_id;

/// As many accounts as a node tells at once.
const ACCOUNTS_AT_ONCE: usize = 100;

/// The node, asked directly: what the demo and the tests hold the services' answers against.
pub struct Chain {
    /// URL of the JSON-RPC.
    pub rpc_url: String,
    /// Has SOL, and is the mint authority of every mint made here.
    pub faucet: Keypair,
    rpc: RpcClient,
}

/// What somebody is given.
pub struct Grant {
    /// Who.
    pub owner: Address,
    /// SOL, in lamports.
    pub lamports: u64,
    /// A token account with so many base units.
    pub tokens: Option<u64>,
}

impl Chain {
    pub(crate) fn new(rpc_url: String, faucet: Keypair) -> Self {
        let rpc = RpcClient::new_with_commitment(rpc_url.clone(), CommitmentConfig::confirmed());
        Self { rpc_url, faucet, rpc }
    }

    pub(crate) fn create_mint(&self, decimals: u8) -> Result<Address> {
        let mint = Keypair::new();
        let rent = self.rpc.get_minimum_balance_for_rent_exemption(Mint::LEN)?;
        let faucet = self.faucet.pubkey();
        let create =
            create_account(&faucet, &mint.pubkey(), rent, Mint::LEN as u64, &spl_token_interface::ID);
        let initialize =
            initialize_mint2(&spl_token_interface::ID, &mint.pubkey(), &faucet, Some(&faucet), decimals)?;
        self.send(&[create, initialize], &[&mint]).context("making the mint")?;
        Ok(mint.pubkey())
    }

    /// Gives `owner` SOL, in lamports.
    ///
    /// # Errors
    /// If the transaction fails.
    pub fn give_sol(&self, owner: &Address, lamports: u64) -> Result<Signature> {
        self.send(&[transfer(&self.faucet.pubkey(), owner, lamports)], &[])
    }

    /// Gives `owner` a token account and `amount` base units in it.
    ///
    /// # Errors
    /// If the transaction fails.
    pub fn give_tokens(&self, owner: &Address, mint: &Address, amount: u64) -> Result<Signature> {
        self.give(mint, &[Grant { owner: *owner, lamports: 0, tokens: Some(amount) }])
    }

    /// Gives several owners SOL and tokens in one transaction, which has room for about five.
    ///
    /// # Errors
    /// If the transaction fails.
    pub fn give(&self, mint: &Address, grants: &[Grant]) -> Result<Signature> {
        let faucet = self.faucet.pubkey();
        let mut instructions = Vec::new();
        for Grant { owner, lamports, tokens } in grants {
            if *lamports > 0 {
                instructions.push(transfer(&faucet, owner, *lamports));
            }
            let Some(tokens) = tokens else { continue };
            let account = address::associated_token(owner, mint, &address::TOKEN_PROGRAM_ID);
            instructions.push(instruction::create_associated_token(
                &faucet,
                owner,
                mint,
                &address::TOKEN_PROGRAM_ID,
            ));
            instructions.push(mint_to(&spl_token_interface::ID, mint, &account, &faucet, &[], *tokens)?);
        }
        self.send(&instructions, &[])
    }

    /// What `owner`'s associated token account has, in base units; 0 if there is none.
    ///
    /// # Errors
    /// If the node doesn't answer, or the account is no token account.
    pub fn tokens(&self, owner: &Address, mint: &Address) -> Result<u64> {
        let account = address::associated_token(owner, mint, &address::TOKEN_PROGRAM_ID);
        match self.data(&account)? {
            Some(data) => Ok(TokenAccount::unpack(&data).context("reading a token account")?.amount),
            None => Ok(0),
        }
    }

    /// What `owner` has, in lamports.
    ///
    /// # Errors
    /// If the node doesn't answer.
    pub fn lamports(&self, owner: &Address) -> Result<u64> {
        Ok(self.rpc.get_balance(owner)?)
    }

    /// All that there is of a mint, in base units.
    ///
    /// # Errors
    /// If the node doesn't answer, or the account is no mint.
    pub fn supply(&self, mint: &Address) -> Result<u64> {
        let data = self.data(mint)?.context("the mint is gone")?;
        Ok(Mint::unpack(&data).context("reading the mint")?.supply)
    }

    /// The escrow of `payer`.
    ///
    /// # Errors
    /// If there is none.
    pub fn escrow(&self, payer: &Address, mint: &Address) -> Result<Escrow> {
        let data = self.data(&address::escrow(&program_id(), payer, mint))?.context("there is no escrow")?;
        Ok(Escrow::decode(&data)?)
    }

    /// The session at `address`.
    ///
    /// # Errors
    /// If there is none.
    pub fn session(&self, address: &Address) -> Result<Session> {
        Ok(Session::decode(&self.data(address)?.context("there is no session")?)?)
    }

    /// The holds at these addresses; none where there is none (any more).
    ///
    /// # Errors
    /// If the node doesn't answer, or an account is no hold.
    pub fn holds(&self, addresses: &[Address]) -> Result<Vec<Option<Hold>>> {
        let mut holds = Vec::new();
        for addresses in addresses.chunks(ACCOUNTS_AT_ONCE) {
            for account in self.rpc.get_multiple_accounts(addresses)? {
                holds.push(account.map(|account| Hold::decode(&account.data)).transpose()?);
            }
        }
        Ok(holds)
    }

    /// What a transaction cost whoever paid for it, in lamports.
    ///
    /// # Errors
    /// If the node doesn't know it.
    pub fn fee(&self, signature: &Signature) -> Result<u64> {
        let config = RpcTransactionConfig {
            commitment: Some(CommitmentConfig::confirmed()),
            max_supported_transaction_version: Some(1),
            ..RpcTransactionConfig::default()
        };
        let found = RefCell::new(None);
        // A block that the verifier has seen confirmed may not be in the node's history yet.
        self.wait_until("the node to have a transaction in its history", Duration::from_secs(30), || {
            *found.borrow_mut() = self.rpc.get_transaction_with_config(signature, config).ok();
            Ok(found.borrow().is_some())
        })?;
        let meta = found.into_inner().and_then(|found| found.transaction.meta);
        Ok(meta.context("the node does not keep what transactions did")?.fee)
    }

    /// The transactions that `account` is named in and that are confirmed, whether they succeeded or not.
    ///
    /// # Errors
    /// If the node doesn't answer.
    pub fn signatures(&self, account: &Address) -> Result<Vec<Signature>> {
        let config = GetConfirmedSignaturesForAddress2Config {
            commitment: Some(CommitmentConfig::confirmed()),
            ..GetConfirmedSignaturesForAddress2Config::default()
        };
        let found = self.rpc.get_signatures_for_address_with_config(account, config)?;
        found.iter().map(|found| found.signature.parse().context("a signature from the node")).collect()
    }

    /// Waits until `holds`, asking again and again.
    ///
    /// # Errors
    /// If it doesn't within `timeout`.
    pub fn wait_until(&self, what: &str, timeout: Duration, holds: impl Fn() -> Result<bool>) -> Result<()> {
        let started = std::time::Instant::now();
        while !holds()? {
            if started.elapsed() > timeout {
                bail!("still waiting after {} s: {what}", timeout.as_secs());
            }
            thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// The newest slot.
    ///
    /// # Errors
    /// If the node doesn't answer.
    pub fn slot(&self) -> Result<u64> {
        Ok(self.rpc.get_slot_with_commitment(CommitmentConfig::processed())?)
    }

    /// Waits until all that is confirmed now is finalized, and no fork can take it back.
    ///
    /// # Errors
    /// If the node doesn't answer, or finalizes nothing for a minute.
    pub fn wait_until_final(&self) -> Result<()> {
        let slot = self.rpc.get_slot()?;
        self.wait_until("a slot to become final", Duration::from_secs(60), || {
            Ok(self.rpc.get_slot_with_commitment(CommitmentConfig::finalized())? >= slot)
        })
    }

    /// Sends instructions paid by the faucet, and waits until they are confirmed.
    ///
    /// # Errors
    /// If the transaction fails.
    pub fn send(&self, instructions: &[Instruction], signers: &[&Keypair]) -> Result<Signature> {
        let mut all = vec![&self.faucet];
        all.extend(signers);
        let blockhash = self.rpc.get_latest_blockhash()?;
        let transaction =
            Transaction::new_signed_with_payer(instructions, Some(&self.faucet.pubkey()), &all, blockhash);
        Ok(self.rpc.send_and_confirm_transaction(&transaction)?)
    }

    fn data(&self, address: &Address) -> Result<Option<Vec<u8>>> {
        let account = self.rpc.get_account_with_commitment(address, CommitmentConfig::confirmed())?;
        Ok(account.value.map(|account| account.data))
    }
}
