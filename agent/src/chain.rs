//! A Solana node: the only module of the command line that talks to one.

use anyhow::{Context, Result, anyhow, bail, ensure};
use solana_client::{nonblocking::rpc_client::RpcClient, rpc_request::RpcError};
use solana_commitment_config::CommitmentConfig;
use solana_sdk::{
    account::Account,
    instruction::{Instruction, InstructionError},
    program_pack::Pack,
    signature::{Keypair, Signature, Signer},
    transaction::{Transaction, TransactionError},
};
use spl_token_interface::state::{Account as TokenAccount, Mint};
use x402_escrow_interface::{
    Address,
    account::{Escrow, Session},
    address::{TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID},
    deployment,
    error::EscrowError,
};
use x402_escrow_wire::usdc;

/// A node of a cluster, and the escrow program there.
pub(crate) struct Chain {
    rpc: RpcClient,
    /// If it was named.
    program: Option<Address>,
}

/// What an escrow has to know of its mint.
pub(crate) struct Token {
    pub(crate) program: Address,
    pub(crate) decimals: u8,
}

impl Chain {
    pub(crate) fn new(rpc_url: String, program: Option<Address>) -> Self {
        // What an owner is told and what a session pins must not vanish with a fork.
        let rpc = RpcClient::new_with_commitment(rpc_url, CommitmentConfig::confirmed());
        Self { rpc, program }
    }

    /// The escrow program: as named, or as it is deployed on the node's cluster.
    pub(crate) async fn program(&self) -> Result<Address> {
        if let Some(program) = self.program {
            return Ok(program);
        }
        let network = self.network().await?;
        deployment::program_id(&network).with_context(|| {
            format!(
                "nobody has deployed the escrow program on {network} yet: name yours with --program ADDRESS"
            )
        })
    }

    /// The cluster's CAIP-2 id.
    pub(crate) async fn network(&self) -> Result<String> {
        let genesis_hash = self.rpc.get_genesis_hash().await.context("asking the node for its cluster")?;
        Ok(x402_escrow_wire::network_id(&genesis_hash.to_string()))
    }

    /// The newest confirmed slot.
    pub(crate) async fn slot(&self) -> Result<u64> {
        self.rpc.get_slot().await.context("asking the node for its slot")
    }

    pub(crate) async fn escrow(&self, escrow: &Address) -> Result<Option<Escrow>> {
        let data = self.account(escrow).await?;
        data.map(|data| Escrow::decode(&data).context("reading the escrow")).transpose()
    }

    pub(crate) async fn session(&self, session: &Address) -> Result<Option<Session>> {
        let data = self.account(session).await?;
        data.map(|data| Session::decode(&data).context("reading the session")).transpose()
    }

    /// The mint's token program, SPL Token or Token-2022, and its decimals.
    pub(crate) async fn token(&self, mint: &Address) -> Result<Token> {
        let account = self.rpc_account(mint).await?;
        let account = account.with_context(|| format!("there is no mint {mint} on this cluster"))?;
        let not_a_mint = || format!("{mint} is not a mint of SPL Token or Token-2022");
        ensure!([TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID].contains(&account.owner), not_a_mint());
        // Token-2022 keeps its extensions behind the part that both programs share.
        let data = account.data.get(..Mint::LEN).with_context(not_a_mint)?;
        let decimals = Mint::unpack(data).with_context(not_a_mint)?.decimals;
        // No node has to tell USDC's.
        if [usdc::MAINNET_MINT, usdc::DEVNET_MINT].contains(&mint.to_string().as_str()) {
            ensure!(
                decimals == usdc::DECIMALS,
                "the node says that USDC has {decimals} decimals: it lies, ask another with --rpc-url"
            );
        }
        Ok(Token { program: account.owner, decimals })
    }

    /// Balance of a token account in base units; 0 if it doesn't exist.
    pub(crate) async fn token_balance(&self, token_account: &Address) -> Result<u64> {
        let Some(data) = self.account(token_account).await? else { return Ok(0) };
        let data = data.get(..TokenAccount::LEN).context("the token account is too short")?;
        Ok(TokenAccount::unpack(data).context("reading the token account")?.amount)
    }

    /// Sends instructions that `keypair` signs and pays for, and waits until they are confirmed.
    pub(crate) async fn send(
        &self,
        title: &str,
        instructions: &[Instruction],
        keypair: &Keypair,
    ) -> Result<Signature> {
        eprintln!("{title}…");
        let blockhash = self.rpc.get_latest_blockhash().await.context("asking the node for a blockhash")?;
        let payer = keypair.pubkey();
        let transaction =
            Transaction::new_signed_with_payer(instructions, Some(&payer), &[keypair], blockhash);
        self.rpc.send_and_confirm_transaction(&transaction).await.map_err(|error| {
            let reason = error.get_transaction_error().map(|error| describe(&error, &payer));
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

/// The rule that the program says was broken, or what the runtime says.
fn describe(error: &TransactionError, payer: &Address) -> String {
    match error {
        TransactionError::InstructionError(_, InstructionError::Custom(code)) => {
            match EscrowError::from_code(*code) {
                Some(error) => format!("{error} ({})", error.name()),
                None => format!("a program refused it with code {code}"),
            }
        }
        TransactionError::AccountNotFound => format!("{payer} has no SOL to pay fees with"),
        other => other.to_string(),
    }
}
