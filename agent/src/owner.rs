//! An owner: a signer, its escrow of one mint, and how it has things done.

mod defaults;
mod plan;
mod signer;
mod verifier;

use anyhow::Result;
use x402_escrow_interface::{Address, account::Escrow, address};

use crate::{
    chain::Chain,
    problem::{Code, Problem},
};

pub(crate) use defaults::Defaults;
pub(crate) use plan::{Carried, Manner, Plan, costs, sol};
pub(crate) use signer::OwnerKey;
pub(crate) use verifier::Verifier;

/// An owner at a node, with the escrow of one mint.
pub(crate) struct Owner {
    pub(crate) key: OwnerKey,
    pub(crate) mint: Address,
    /// The escrow program.
    pub(crate) program: Address,
    pub(crate) chain: Chain,
    /// How its transactions are carried out.
    pub(crate) manner: Manner,
}

impl Owner {
    /// # Errors
    /// If the escrow program is not on the node's cluster, or the node does not answer.
    pub(crate) async fn new(key: OwnerKey, mint: Address, chain: Chain, manner: Manner) -> Result<Self> {
        Ok(Self { key, mint, program: chain.deployed_program().await?, chain, manner })
    }

    pub(crate) fn address(&self) -> Address {
        self.key.address()
    }

    /// Who pays fees and rent: the owner, unless it named another.
    pub(crate) fn fee_payer(&self) -> &OwnerKey {
        self.manner.fee_payer.as_ref().unwrap_or(&self.key)
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
        let escrow = self.chain.escrow(&self.escrow_address()).await?;
        let Some(escrow) = escrow else {
            let token = self.chain.token(&self.mint).await;
            let message = format!("{} has no escrow of {} on this cluster", self.address(), self.mint);
            // A mint of another cluster is the likelier reason.
            token?;
            return Err(Problem::new(Code::EscrowNotFound, message)
                .of("--mint")
                .remedy(format!(
                    "open one with agent escrow open --mint {}, or show all with agent escrow list",
                    self.mint
                ))
                .into());
        };
        let decimals = self.chain.token(&self.mint).await?.decimals;
        if (escrow.mint, escrow.decimals) != (self.mint, decimals) {
            let message = format!(
                "the node says that the escrow has {} decimals of {}, and the mint {} has {decimals}",
                escrow.decimals, escrow.mint, self.mint
            );
            return Err(crate::chain::lies(message).into());
        }
        Ok(escrow)
    }
}
