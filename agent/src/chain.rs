//! A Solana node: only this module and those below it talk to one.

mod history;
mod read;
mod send;

use anyhow::Result;
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::{
    client_error::{Error as ClientError, ErrorKind as ClientErrorKind},
    request::RpcError,
};
use x402_escrow_interface::{Address, deployment};

use crate::problem::{Code, Problem};

pub(crate) use history::Entry;
pub(crate) use read::{OpenHold, TOKEN_ACCOUNT_BYTES, Token, lies};
pub(crate) use send::{Lifetime, Sent};

/// A node of a cluster, and the escrow program there.
pub(crate) struct Chain {
    rpc: RpcClient,
    /// If it was named.
    program: Option<Address>,
}

impl Chain {
    pub(crate) fn new(rpc_url: String, program: Option<Address>) -> Self {
        // What an owner is told and what a session pins must not vanish with a fork.
        let rpc = RpcClient::new_with_commitment(rpc_url, CommitmentConfig::confirmed());
        Self { rpc, program }
    }

    /// The escrow program: as named, or as it is deployed on the node's cluster. It is not asked whether it is there.
    pub(crate) async fn program(&self) -> Result<Address> {
        if let Some(program) = self.program {
            return Ok(program);
        }
        let network = self.network().await?;
        Ok(deployment::program_id(&network).ok_or_else(|| {
            let message =
                format!("nobody has deployed the escrow program on {} yet", name(&network));
            Problem::new(Code::ProgramMissing, message).of("--rpc-url").remedy(
                "name the node of a cluster that has it with --rpc-url, or your own deployment with --program ADDRESS",
            )
        })?)
    }

    /// The escrow program, which is there.
    pub(crate) async fn deployed_program(&self) -> Result<Address> {
        let program = self.program().await?;
        let account = self.rpc_account(&program).await?;
        if account.is_some_and(|account| account.executable) {
            return Ok(program);
        }
        let network = name(&self.network().await?);
        let message =
            format!("{} is a node of {network}, where no program has the address {program}", self.url());
        Err(Problem::new(Code::ProgramMissing, message)
            .of("--rpc-url")
            .remedy(
                "name another node with --rpc-url, or the escrow program's address with --program ADDRESS",
            )
            .into())
    }

    /// The cluster's CAIP-2 id.
    pub(crate) async fn network(&self) -> Result<String> {
        let genesis_hash = self.rpc.get_genesis_hash().await;
        let genesis_hash = genesis_hash.map_err(|error| self.failed("which cluster it is of", error))?;
        Ok(x402_escrow_wire::network_id(&genesis_hash.to_string()))
    }

    pub(crate) fn url(&self) -> String {
        self.rpc.url()
    }

    /// A call that came to nothing; `what` was asked.
    fn failed(&self, what: &str, error: ClientError) -> Problem {
        let reason = match error.kind() {
            ClientErrorKind::RpcError(RpcError::ForUser(message)) => message.clone(),
            // The URL is said once.
            ClientErrorKind::Reqwest(source) => source_of(source),
            _ => error.to_string(),
        };
        Problem::new(Code::NodeUnreachable, format!("asking the node {} {what} failed: {reason}", self.url()))
            .of("--rpc-url")
            .remedy("try again, or name another node with --rpc-url")
    }
}

/// The innermost reason: those around it repeat the URL.
pub(crate) fn source_of(error: &dyn std::error::Error) -> String {
    let mut reason = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason.to_string()
}

/// A cluster's name for people.
pub(crate) fn name(network: &str) -> String {
    match network {
        "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp" => "mainnet".into(),
        "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1" => "devnet".into(),
        "solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z" => "testnet".into(),
        other => format!("the cluster {other}"),
    }
}
