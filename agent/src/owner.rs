//! What an owner does on chain: the only module of the command line that talks to a Solana node.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use solana_client::{nonblocking::rpc_client::RpcClient, rpc_request::RpcError};
use solana_commitment_config::CommitmentConfig;
use solana_sdk::{
    account::Account,
    instruction::{Instruction, InstructionError},
    program_pack::Pack,
    signature::{Keypair, Signature, Signer, read_keypair_file},
    transaction::{Transaction, TransactionError},
};
use spl_token_interface::state::{Account as TokenAccount, Mint};
use x402_escrow_interface::{
    Address,
    account::{Escrow, Session},
    address::{self, TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID},
    error::EscrowError,
};

/// An owner at a node, with the escrow of one mint.
pub(crate) struct Owner {
    pub(crate) keypair: Keypair,
    pub(crate) mint: Address,
    rpc: RpcClient,
}

/// What an escrow has to know of its mint.
pub(crate) struct Token {
    pub(crate) program: Address,
    pub(crate) decimals: u8,
}

impl Owner {
    pub(crate) fn new(keypair: Option<PathBuf>, rpc_url: String, mint: Address) -> Result<Self> {
        let path = match keypair {
            Some(path) => path,
            None => default_keypair_file()?,
        };
        let keypair = read_keypair_file(&path).map_err(|error| {
            anyhow!(
                "{}: {error}; name another with --keypair, or make one with solana-keygen new",
                path.display()
            )
        })?;
        // What an owner is told and what a session pins must not vanish with a fork.
        let rpc = RpcClient::new_with_commitment(rpc_url, CommitmentConfig::confirmed());
        Ok(Self { keypair, mint, rpc })
    }

    pub(crate) fn address(&self) -> Address {
        self.keypair.pubkey()
    }

    pub(crate) fn escrow_address(&self) -> Address {
        address::escrow(&self.address(), &self.mint)
    }

    /// The owner's own associated token account. `token_program` is the mint's owner.
    pub(crate) fn token_address(&self, token_program: &Address) -> Address {
        address::associated_token(&self.address(), &self.mint, token_program)
    }

    /// The owner's escrow, or an error that says how to open one.
    pub(crate) async fn escrow(&self) -> Result<Escrow> {
        self.find_escrow().await?.with_context(|| {
            format!(
                "{} has no escrow of {} on this cluster: agent escrow open --mint {}",
                self.address(),
                self.mint,
                self.mint
            )
        })
    }

    pub(crate) async fn find_escrow(&self) -> Result<Option<Escrow>> {
        let data = self.account(&self.escrow_address()).await?;
        data.map(|data| Escrow::decode(&data).context("reading the escrow")).transpose()
    }

    pub(crate) async fn session(&self, session: &Address) -> Result<Option<Session>> {
        let data = self.account(session).await?;
        data.map(|data| Session::decode(&data).context("reading the session")).transpose()
    }

    /// The mint's token program, SPL Token or Token-2022, and its decimals.
    pub(crate) async fn token(&self) -> Result<Token> {
        let account = self.rpc_account(&self.mint).await?;
        let account = account.with_context(|| format!("there is no mint {} on this cluster", self.mint))?;
        let not_a_mint = || format!("{} is not a mint of SPL Token or Token-2022", self.mint);
        ensure!([TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID].contains(&account.owner), not_a_mint());
        // Token-2022 keeps its extensions behind the part that both programs share.
        let mint = account.data.get(..Mint::LEN).with_context(not_a_mint)?;
        let decimals = Mint::unpack(mint).with_context(not_a_mint)?.decimals;
        Ok(Token { program: account.owner, decimals })
    }

    /// Balance of a token account in base units; 0 if it doesn't exist.
    pub(crate) async fn token_balance(&self, token_account: &Address) -> Result<u64> {
        let Some(data) = self.account(token_account).await? else { return Ok(0) };
        let data = data.get(..TokenAccount::LEN).context("the token account is too short")?;
        Ok(TokenAccount::unpack(data).context("reading the token account")?.amount)
    }

    /// The cluster's CAIP-2 id.
    pub(crate) async fn network(&self) -> Result<String> {
        let genesis_hash = self.rpc.get_genesis_hash().await.context("asking the node for its cluster")?;
        Ok(x402_escrow_wire::network_id(&genesis_hash.to_string()))
    }

    /// Sends instructions signed by the owner and waits until they are confirmed.
    pub(crate) async fn send(&self, title: &str, instructions: &[Instruction]) -> Result<Signature> {
        eprintln!("{title}…");
        let blockhash = self.rpc.get_latest_blockhash().await.context("asking the node for a blockhash")?;
        let transaction = Transaction::new_signed_with_payer(
            instructions,
            Some(&self.address()),
            &[&self.keypair],
            blockhash,
        );
        self.rpc.send_and_confirm_transaction(&transaction).await.map_err(|error| {
            let reason = error.get_transaction_error().map(|error| describe(&error));
            anyhow!("{}", reason.unwrap_or_else(|| error.to_string())).context(format!("{title} failed"))
        })
    }

    async fn account(&self, address: &Address) -> Result<Option<Vec<u8>>> {
        Ok(self.rpc_account(address).await?.map(|account| account.data))
    }

    async fn rpc_account(&self, address: &Address) -> Result<Option<Account>> {
        let account = self.rpc.get_account_with_commitment(address, CommitmentConfig::confirmed()).await;
        match account {
            Ok(response) => Ok(response.value),
            Err(error) => match error.kind() {
                solana_client::client_error::ClientErrorKind::RpcError(RpcError::ForUser(message)) => {
                    bail!("{message}")
                }
                _ => Err(anyhow!(error).context(format!("asking {} for {address}", self.rpc.url()))),
            },
        }
    }
}

fn default_keypair_file() -> Result<PathBuf> {
    let home = std::env::var_os("HOME").context("HOME is not set: name a keypair file with --keypair")?;
    Ok(Path::new(&home).join(".config/solana/id.json"))
}

/// The rule that the program says was broken, or what the runtime says.
fn describe(error: &TransactionError) -> String {
    match error {
        TransactionError::InstructionError(_, InstructionError::Custom(code)) => {
            match EscrowError::from_code(*code) {
                Some(error) => format!("{error} ({})", error.name()),
                None => format!("a program refused it with code {code}"),
            }
        }
        TransactionError::AccountNotFound => "the owner's account has no SOL to pay fees with".into(),
        other => other.to_string(),
    }
}
