//! An owner: a keypair, and its escrow of one mint.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use solana_sdk::{
    instruction::Instruction,
    signature::{Keypair, Signature, Signer, read_keypair_file},
};
use x402_escrow_interface::{Address, account::Escrow, address};

use crate::chain::Chain;

/// An owner at a node, with the escrow of one mint.
pub(crate) struct Owner {
    pub(crate) keypair: Keypair,
    pub(crate) mint: Address,
    /// The escrow program.
    pub(crate) program: Address,
    pub(crate) chain: Chain,
}

impl Owner {
    /// # Errors
    /// If no escrow program is known on the node's cluster, or the node does not say which cluster
    /// it is.
    pub(crate) async fn new(keypair: Keypair, mint: Address, chain: Chain) -> Result<Self> {
        Ok(Self { keypair, mint, program: chain.program().await?, chain })
    }

    pub(crate) fn address(&self) -> Address {
        self.keypair.pubkey()
    }

    pub(crate) fn escrow_address(&self) -> Address {
        address::escrow(&self.program, &self.address(), &self.mint)
    }

    /// The owner's own associated token account. `token_program` is the mint's owner.
    pub(crate) fn token_address(&self, token_program: &Address) -> Address {
        address::associated_token(&self.address(), &self.mint, token_program)
    }

    /// The owner's escrow, or an error that says how to open one. Amounts are read by its decimals, so they must be the
    /// mint's.
    pub(crate) async fn escrow(&self) -> Result<Escrow> {
        let escrow = self.chain.escrow(&self.escrow_address()).await?.with_context(|| {
            format!(
                "{} has no escrow of {} on this cluster: agent escrow open --mint {}",
                self.address(),
                self.mint,
                self.mint
            )
        })?;
        let decimals = self.chain.token(&self.mint).await?.decimals;
        ensure!(
            (escrow.mint, escrow.decimals) == (self.mint, decimals),
            "the node says that the escrow has {} decimals of {}, and the mint {} has {decimals}: it lies about one of \
             them, ask another with --rpc-url",
            escrow.decimals,
            escrow.mint,
            self.mint
        );
        Ok(escrow)
    }

    /// Sends instructions signed by the owner and waits until they are confirmed.
    pub(crate) async fn send(&self, title: &str, instructions: &[Instruction]) -> Result<Signature> {
        self.chain.send(title, instructions, &self.keypair).await
    }
}

/// The keypair in `file`, or in the file that Solana's command line uses.
pub(crate) fn read_keypair(file: Option<PathBuf>) -> Result<Keypair> {
    let path = match file {
        Some(path) => path,
        None => default_keypair_file()?,
    };
    read_keypair_file(&path).map_err(|error| {
        anyhow!(
            "{}: {error}; name another with --keypair, or make one with solana-keygen new",
            path.display()
        )
    })
}

fn default_keypair_file() -> Result<PathBuf> {
    let home = std::env::var_os("HOME").context("HOME is not set: name a keypair file with --keypair")?;
    Ok(Path::new(&home).join(".config/solana/id.json"))
}
