//! [`Chain`] over Solana's JSON-RPC.

mod failed;
mod read;

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client::{
    nonblocking::rpc_client::RpcClient, rpc_client::GetConfirmedSignaturesForAddress2Config,
};
use solana_rpc_client_api::{
    client_error::{Error as ClientError, ErrorKind as ClientErrorKind},
    config::{RpcAccountInfoConfig, RpcBlockConfig, UiAccountEncoding, UiDataSliceConfig},
    request::{RpcError, RpcRequest},
    response::{Response, RpcSimulateTransactionResult},
};
use solana_sdk::signature;
use solana_transaction_status_client_types::{EncodedConfirmedTransactionWithStatusMeta, TransactionDetails};
use tokio::{sync::Notify, time::timeout};
use x402_escrow_domain::cluster::{Account, Blockhash, Consensus, Executed, Logged, Sighting, Snapshot, Tip};
use x402_escrow_interface::{Address, instruction::Signature};
use x402_escrow_wire::{auth_capture::Commitment, text::Base58};

use super::{Chain, ChainError, MAXIMUM_LOGGED, SendError, agreement::MAXIMUM_SLOTS_APART};

use failed::{LATE, failed, of_lookup_table};
use read::{read_executed, read_logged, read_status};

/// How many transactions are read at once.
const READ_AT_ONCE: usize = 8;

/// More than any account has that is judged here. Whoever names one of megabytes can't have it sent.
const MOST_BYTES_OF_AN_ACCOUNT: usize = 10 * 1024;

/// A Solana node. It may drop slots that it has told of, but no more than a fork can have; one that is further behind
/// itself has started again and still reads its ledger, and what it says of accounts is not believed until it is done.
pub struct RpcChain {
    client: RpcClient,
    /// For a whole request: the client sends one several times by itself, and waits in between.
    timeout: Duration,
    /// The newest slot that it told of.
    newest_slot: AtomicU64,
    /// Whether it did not answer the last request.
    is_silent: AtomicBool,
    /// Tells when it answers again.
    answers_again: Notify,
}

impl RpcChain {
    /// The node at `url`; requests fail after `timeout`.
    pub fn new(url: String, timeout: Duration) -> Self {
        Self {
            client: RpcClient::new_with_timeout_and_commitment(url, timeout, CommitmentConfig::confirmed()),
            timeout,
            newest_slot: AtomicU64::new(0),
            is_silent: AtomicBool::new(false),
            answers_again: Notify::new(),
        }
    }

    /// What the client answers, if it does in time.
    async fn within<T>(
        &self,
        request: &'static str,
        answer: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ChainError> {
        let answer = match timeout(self.timeout, answer).await {
            Ok(answer) => answer.map_err(|error| failed(request, &error)),
            Err(_) => Err(ChainError::silence(request, LATE)),
        };
        let is_silent = answer.as_ref().is_err_and(|error| !error.is_answer);
        if self.is_silent.swap(is_silent, Ordering::Relaxed) && !is_silent {
            self.answers_again.notify_one();
        }
        answer
    }

    /// What the final transaction of this id logged, if the node tells.
    async fn logged_of(&self, signature: String) -> Result<Option<Logged>, ClientError> {
        let config = json!({
            "encoding": "base64",
            "commitment": "finalized",
            "maxSupportedTransactionVersion": 1,
        });
        let answer: Option<EncodedConfirmedTransactionWithStatusMeta> =
            self.client.send(RpcRequest::GetTransaction, json!([signature, config])).await?;
        Ok(answer.and_then(|answer| read_logged(&signature, answer)))
    }

    /// The oldest slot as of which it can still speak.
    fn oldest_slot(&self) -> u64 {
        self.newest_slot.load(Ordering::Relaxed).saturating_sub(MAXIMUM_SLOTS_APART)
    }
}

#[async_trait]
impl Chain for RpcChain {
    async fn genesis_hash(&self) -> Result<String, ChainError> {
        let hash = self.within("getGenesisHash", self.client.get_genesis_hash()).await?;
        Ok(hash.to_string())
    }

    async fn consensus(&self) -> Result<Consensus, ChainError> {
        const METHOD_NOT_FOUND: i64 = -32601;
        let request = "getAgGenesisCert";
        let answer = self.client.send::<Value>(RpcRequest::Custom { method: request }, json!([]));
        match timeout(self.timeout, answer).await {
            Ok(Ok(Value::Null)) => Ok(Consensus::TowerBft),
            Ok(Ok(_certificate)) => Ok(Consensus::Alpenglow),
            Ok(Err(error)) => match error.kind() {
                ClientErrorKind::RpcError(RpcError::RpcResponseError { code: METHOD_NOT_FOUND, .. }) => {
                    Ok(Consensus::Unknown)
                }
                _ => Err(failed(request, &error)),
            },
            Err(_) => Err(ChainError::silence(request, LATE)),
        }
    }

    async fn accounts(&self, addresses: &[Address], commitment: Commitment) -> Result<Snapshot, ChainError> {
        // A final slot is older by itself.
        let oldest_slot = (commitment != Commitment::Finalized).then(|| self.oldest_slot());
        let config = RpcAccountInfoConfig {
            encoding: Some(UiAccountEncoding::Base64),
            commitment: Some(commitment_config(commitment)),
            min_context_slot: oldest_slot,
            data_slice: Some(UiDataSliceConfig { offset: 0, length: MOST_BYTES_OF_AN_ACCOUNT }),
        };
        let request = "getMultipleAccounts";
        let answer = self.client.get_multiple_ui_accounts_with_config(addresses, config);
        let response = self.within(request, answer).await?;
        self.newest_slot.fetch_max(response.context.slot, Ordering::Relaxed);
        let accounts = response.value.into_iter().map(|account| {
            let Some(account) = account else { return Ok(None) };
            let account = account
                .to_account()
                .ok_or_else(|| ChainError::answer(request, "an account can't be read"))?;
            Ok(Some(Account { owner: account.owner, data: account.data, lamports: account.lamports }))
        });
        let accounts = accounts.collect::<Result<_, ChainError>>()?;
        Ok(Snapshot { slot: response.context.slot, accounts })
    }

    async fn blockhash(&self) -> Result<Blockhash, ChainError> {
        let answer = self.client.get_latest_blockhash_with_commitment(CommitmentConfig::confirmed());
        let (hash, last_valid_block_height) = self.within("getLatestBlockhash", answer).await?;
        Ok(Blockhash { hash: hash.to_bytes(), last_valid_block_height })
    }

    async fn recent_prices(&self, writable: &[Address]) -> Result<Vec<u64>, ChainError> {
        let answer = self.client.get_recent_prioritization_fees(writable);
        let prices = self.within("getRecentPrioritizationFees", answer).await?;
        Ok(prices.into_iter().map(|price| price.prioritization_fee).collect())
    }

    async fn tip(&self) -> Result<Tip, ChainError> {
        let answer = self.client.get_epoch_info_with_commitment(CommitmentConfig::confirmed());
        let told = self.within("getEpochInfo", answer).await?;
        Ok(Tip { slot: told.absolute_slot, block_height: told.block_height })
    }

    async fn send(&self, transaction: &[u8], preflight: bool) -> Result<(), SendError> {
        // The verifier repeats what is not seen; the node need not.
        let config = json!({
            "encoding": "base64",
            "skipPreflight": !preflight,
            "preflightCommitment": "processed",
            "maxRetries": 0,
            "minContextSlot": self.oldest_slot(),
        });
        let parameters = json!([STANDARD.encode(transaction), config]);
        let request = "sendTransaction";
        let answer = self.client.send::<String>(RpcRequest::SendTransaction, parameters);
        match timeout(self.timeout, answer).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(match error.get_transaction_error().or_else(|| of_lookup_table(&error)) {
                Some(reason) => SendError::Simulation(reason),
                None => SendError::Unknown(failed(request, &error)),
            }),
            Err(_) => Err(SendError::Unknown(ChainError::silence(request, LATE))),
        }
    }

    async fn simulate(&self, transaction: &[u8]) -> Result<(), SendError> {
        let config = json!({
            "encoding": "base64",
            "sigVerify": false,
            "replaceRecentBlockhash": false,
            "commitment": "confirmed",
            "minContextSlot": self.oldest_slot(),
        });
        let parameters = json!([STANDARD.encode(transaction), config]);
        let answer = self.client.send(RpcRequest::SimulateTransaction, parameters);
        let answer: Response<RpcSimulateTransactionResult> =
            self.within("simulateTransaction", answer).await?;
        match answer.value.err {
            Some(error) => Err(SendError::Simulation(error.into())),
            None => Ok(()),
        }
    }

    async fn executed(
        &self,
        signature: &Signature,
        commitment: Commitment,
    ) -> Result<Option<Executed>, ChainError> {
        let config = json!({
            "encoding": "base64",
            "commitment": commitment.as_str(),
            "maxSupportedTransactionVersion": 1,
        });
        let parameters = json!([signature::Signature::from(*signature).to_string(), config]);
        let answer = self.client.send(RpcRequest::GetTransaction, parameters);
        let answer: Option<EncodedConfirmedTransactionWithStatusMeta> =
            self.within("getTransaction", answer).await?;
        answer.map(|answer| read_executed(answer.transaction)).transpose()
    }

    async fn logged(&self, address: &Address, since: Option<&Signature>) -> Result<Vec<Logged>, ChainError> {
        let config = GetConfirmedSignaturesForAddress2Config {
            until: since.copied().map(signature::Signature::from),
            commitment: Some(CommitmentConfig::finalized()),
            ..GetConfirmedSignaturesForAddress2Config::default()
        };
        let read = async {
            let all = self.client.get_signatures_for_address_with_config(address, config).await?;
            // They come newest first.
            let newest: Vec<_> =
                all.into_iter().filter(|told| told.err.is_none()).take(MAXIMUM_LOGGED).collect();
            let told = newest.into_iter().rev().map(|told| self.logged_of(told.signature));
            stream::iter(told).buffered(READ_AT_ONCE).try_collect::<Vec<_>>().await
        };
        // All in one time: a hundred that are each in time could take many minutes.
        let logged = self.within("getSignaturesForAddress", read).await?;
        Ok(logged.into_iter().flatten().collect())
    }

    async fn logged_by(&self, signature: &Signature) -> Result<Option<Logged>, ChainError> {
        let signature = signature::Signature::from(*signature).to_string();
        self.within("getTransaction", self.logged_of(signature)).await
    }

    async fn statuses(
        &self,
        signatures: &[Signature],
        search_history: bool,
        since_slot: u64,
    ) -> Result<Vec<Sighting>, ChainError> {
        let signatures: Vec<_> = signatures.iter().copied().map(signature::Signature::from).collect();
        let request = "getSignatureStatuses";
        let answer = async {
            match search_history {
                true => self.client.get_signature_statuses_with_history(&signatures).await,
                false => self.client.get_signature_statuses(&signatures).await,
            }
        };
        let Response { context, value: statuses } = self.within(request, answer).await?;
        if statuses.len() != signatures.len() {
            let message = format!("{} statuses for {} signatures", statuses.len(), signatures.len());
            return Err(ChainError::answer(request, message));
        }
        let told = |status: Option<_>| Sighting::told(status.map(read_status), context.slot, since_slot);
        Ok(statuses.into_iter().map(told).collect())
    }

    async fn changed(&self) {
        self.answers_again.notified().await;
    }

    async fn block_hash(&self, slot: u64) -> Result<[u8; 32], ChainError> {
        let config = RpcBlockConfig {
            transaction_details: Some(TransactionDetails::None),
            rewards: Some(false),
            commitment: Some(CommitmentConfig::confirmed()),
            max_supported_transaction_version: Some(1),
            ..RpcBlockConfig::default()
        };
        let request = "getBlock";
        let block = self.within(request, self.client.get_block_with_config(slot, config)).await?;
        let hash = block.blockhash.parse::<Base58<32>>();
        let hash = hash.map_err(|message| ChainError::answer(request, format!("blockhash: {message}")))?;
        Ok(hash.0)
    }
}

fn commitment_config(commitment: Commitment) -> CommitmentConfig {
    match commitment {
        Commitment::Processed => CommitmentConfig::processed(),
        Commitment::Confirmed => CommitmentConfig::confirmed(),
        Commitment::Finalized => CommitmentConfig::finalized(),
    }
}
