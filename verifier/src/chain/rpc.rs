//! [`Chain`] over Solana's JSON-RPC.

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use solana_client::{
    client_error::{ClientError, ClientErrorKind},
    nonblocking::rpc_client::RpcClient,
    rpc_config::RpcBlockConfig,
    rpc_request::{RpcError, RpcRequest},
};
use solana_commitment_config::CommitmentConfig;
use solana_sdk::signature;
use solana_transaction_status_client_types::{
    TransactionConfirmationStatus, TransactionDetails, TransactionStatus,
};
use x402_escrow_interface::{Address, instruction::Signature};
use x402_escrow_wire::{auth_capture::Commitment, text::Base58};

use super::{Account, Blockhash, Chain, ChainError, FINAL_CONFIRMATIONS, SendError, Snapshot, Status};

/// A Solana node.
pub struct RpcChain {
    client: RpcClient,
}

impl RpcChain {
    /// The node at `url`; requests fail after `timeout`.
    pub fn new(url: String, timeout: Duration) -> Self {
        Self {
            client: RpcClient::new_with_timeout_and_commitment(url, timeout, CommitmentConfig::confirmed()),
        }
    }
}

#[async_trait]
impl Chain for RpcChain {
    async fn genesis_hash(&self) -> Result<String, ChainError> {
        let hash = self.client.get_genesis_hash().await.map_err(failed("getGenesisHash"))?;
        Ok(hash.to_string())
    }

    async fn accounts(&self, addresses: &[Address], commitment: Commitment) -> Result<Snapshot, ChainError> {
        let response = self
            .client
            .get_multiple_accounts_with_commitment(addresses, commitment_config(commitment))
            .await
            .map_err(failed("getMultipleAccounts"))?;
        let accounts = response.value.into_iter().map(|account| {
            account.map(|account| Account {
                owner: account.owner,
                data: account.data,
                lamports: account.lamports,
            })
        });
        Ok(Snapshot { slot: response.context.slot, accounts: accounts.collect() })
    }

    async fn blockhash(&self) -> Result<Blockhash, ChainError> {
        let (hash, last_valid_block_height) = self
            .client
            .get_latest_blockhash_with_commitment(CommitmentConfig::confirmed())
            .await
            .map_err(failed("getLatestBlockhash"))?;
        Ok(Blockhash { hash: hash.to_bytes(), last_valid_block_height })
    }

    async fn recent_prices(&self, writable: &[Address]) -> Result<Vec<u64>, ChainError> {
        let prices = self.client.get_recent_prioritization_fees(writable).await;
        let prices = prices.map_err(failed("getRecentPrioritizationFees"))?;
        Ok(prices.into_iter().map(|price| price.prioritization_fee).collect())
    }

    async fn block_height(&self) -> Result<u64, ChainError> {
        self.client
            .get_block_height_with_commitment(CommitmentConfig::confirmed())
            .await
            .map_err(failed("getBlockHeight"))
    }

    async fn send(&self, transaction: &[u8], preflight: bool) -> Result<(), SendError> {
        // The verifier repeats what is not seen; the node need not.
        let config = json!({
            "encoding": "base64",
            "skipPreflight": !preflight,
            "preflightCommitment": "processed",
            "maxRetries": 0,
        });
        let parameters = json!([STANDARD.encode(transaction), config]);
        match self.client.send::<String>(RpcRequest::SendTransaction, parameters).await {
            Ok(_) => Ok(()),
            Err(error) => Err(match error.get_transaction_error() {
                Some(reason) => SendError::Simulation(reason),
                None => SendError::Unknown(failed("sendTransaction")(error)),
            }),
        }
    }

    async fn statuses(
        &self,
        signatures: &[Signature],
        search_history: bool,
    ) -> Result<Vec<Option<Status>>, ChainError> {
        let signatures: Vec<_> = signatures.iter().copied().map(signature::Signature::from).collect();
        let response = if search_history {
            self.client.get_signature_statuses_with_history(&signatures).await
        } else {
            self.client.get_signature_statuses(&signatures).await
        };
        let statuses = response.map_err(failed("getSignatureStatuses"))?.value;
        if statuses.len() != signatures.len() {
            return Err(ChainError {
                request: "getSignatureStatuses",
                message: format!("{} statuses for {} signatures", statuses.len(), signatures.len()),
            });
        }
        Ok(statuses.into_iter().map(|status| status.map(read_status)).collect())
    }

    async fn block_hash(&self, slot: u64) -> Result<[u8; 32], ChainError> {
        let config = RpcBlockConfig {
            transaction_details: Some(TransactionDetails::None),
            rewards: Some(false),
            commitment: Some(CommitmentConfig::confirmed()),
            max_supported_transaction_version: Some(0),
            ..RpcBlockConfig::default()
        };
        let block = self.client.get_block_with_config(slot, config).await.map_err(failed("getBlock"))?;
        let hash: Base58<32> = block.blockhash.parse().map_err(|message| ChainError {
            request: "getBlock",
            message: format!("blockhash: {message}"),
        })?;
        Ok(hash.0)
    }
}

fn read_status(status: TransactionStatus) -> Status {
    let commitment = match status.confirmation_status {
        Some(TransactionConfirmationStatus::Finalized) => Commitment::Finalized,
        Some(TransactionConfirmationStatus::Confirmed) => Commitment::Confirmed,
        Some(TransactionConfirmationStatus::Processed) => Commitment::Processed,
        // Nodes before 1.4 don't tell; a rooted block has no confirmations.
        None if status.confirmations.is_none() => Commitment::Finalized,
        None => Commitment::Processed,
    };
    let confirmations = match commitment {
        Commitment::Finalized => FINAL_CONFIRMATIONS,
        _ => status.confirmations.unwrap_or(0) as u64,
    };
    Status { slot: status.slot, confirmations, commitment, error: status.err }
}

fn commitment_config(commitment: Commitment) -> CommitmentConfig {
    match commitment {
        Commitment::Processed => CommitmentConfig::processed(),
        Commitment::Confirmed => CommitmentConfig::confirmed(),
        Commitment::Finalized => CommitmentConfig::finalized(),
    }
}

fn failed(request: &'static str) -> impl FnOnce(ClientError) -> ChainError {
    move |error| {
        let message = match error.kind() {
            ClientErrorKind::RpcError(RpcError::RpcResponseError { code, message, .. }) => {
                format!("{message} ({code})")
            }
            // An URL can hold an API key.
            ClientErrorKind::Reqwest(error) if error.is_timeout() => "it did not answer in time".to_owned(),
            ClientErrorKind::Reqwest(error) if error.is_connect() => "it can't be reached".to_owned(),
            ClientErrorKind::Reqwest(error) => match error.status() {
                Some(status) => format!("HTTP status {status}"),
                None => "the connection broke".to_owned(),
            },
            other => other.to_string(),
        };
        ChainError { request, message }
    }
}
