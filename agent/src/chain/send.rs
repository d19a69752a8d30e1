//! Transactions: what they cost, whether the cluster would take them, and sending them.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use solana_rpc_client_api::{
    client_error::ErrorKind as ClientErrorKind, config::RpcSimulateTransactionConfig,
};
use solana_rpc_client_nonce_utils as nonce_utils;
use solana_sdk::{
    hash::Hash,
    instruction::{Instruction, InstructionError},
    message::Message,
    signature::Signature,
    transaction::{Transaction, TransactionError},
};
use tokio::time::{Instant, sleep};
use x402_escrow_interface::{Address, error::EscrowError};

use super::Chain;
use crate::problem::{Code, Problem, snake_case};

/// A blockhash dies after some 150 slots.
const CONFIRMATION_TIMEOUT: Duration = Duration::from_secs(90);

/// How often to ask whether a transaction is confirmed.
const POLL_INTERVAL: Duration = Duration::from_millis(400);

/// How long a transaction can land.
pub(crate) enum Lifetime {
    /// For about a minute: until this block height.
    Blockhash { hash: Hash, last_valid_block_height: u64 },
    /// Until the nonce of this account is used.
    Nonce { account: Address, authority: Address, hash: Hash },
}

impl Lifetime {
    /// The message of a transaction that `payer` pays for.
    pub(crate) fn message(&self, instructions: &[Instruction], payer: &Address) -> Message {
        match self {
            Self::Blockhash { hash, .. } => Message::new_with_blockhash(instructions, Some(payer), hash),
            Self::Nonce { account, authority, hash } => {
                let instructions = instructions.to_vec();
                let mut message = Message::new_with_nonce(instructions, Some(payer), account, authority);
                message.recent_blockhash = *hash;
                message
            }
        }
    }
}

/// A transaction that is confirmed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) signature: Signature,
    /// All that the signer paid, in lamports.
    pub(crate) rent: u64,
    pub(crate) fee: u64,
}

impl Chain {
    /// A blockhash, or the nonce that the account has.
    pub(crate) async fn lifetime(&self, nonce_account: Option<Address>) -> Result<Lifetime> {
        let Some(account) = nonce_account else {
            let commitment = self.rpc.commitment();
            let latest = self.rpc.get_latest_blockhash_with_commitment(commitment).await;
            let (hash, last_valid_block_height) =
                latest.map_err(|error| self.failed("for a blockhash", error))?;
            return Ok(Lifetime::Blockhash { hash, last_valid_block_height });
        };
        let not_a_nonce = |reason: String| {
            Problem::argument("--nonce", format!("{account} is no nonce account: {reason}"))
                .remedy("make one with solana create-nonce-account")
        };
        let stored =
            self.rpc_account(&account).await?.ok_or_else(|| not_a_nonce("it doesn't exist".into()))?;
        let data = nonce_utils::data_from_account(&stored);
        let data = data.map_err(|error| not_a_nonce(error.to_string()))?;
        Ok(Lifetime::Nonce { account, authority: data.authority, hash: data.blockhash() })
    }

    /// The transaction's fee, in lamports; rent is not part of it.
    pub(crate) async fn fee(&self, message: &Message) -> Result<u64> {
        let fee = self.rpc.get_fee_for_message(message).await;
        Ok(fee.map_err(|error| self.failed("for the fee", error))?)
    }

    /// Has the node try the transaction, without signatures and without sending it.
    pub(crate) async fn try_out(&self, title: &str, message: &Message) -> Result<()> {
        let payer = message.account_keys.first().copied().unwrap_or_default();
        let config = RpcSimulateTransactionConfig {
            sig_verify: false,
            replace_recent_blockhash: true,
            commitment: Some(self.rpc.commitment()),
            ..RpcSimulateTransactionConfig::default()
        };
        let transaction = Transaction::new_unsigned(message.clone());
        let tried = self.rpc.simulate_transaction_with_config(&transaction, config).await;
        let tried = tried.map_err(|error| self.failed("to try the transaction", error))?.value;
        match tried.err {
            Some(error) => Err(refused(title, &error.into(), &payer).into()),
            None => Ok(()),
        }
    }

    /// Sends a signed transaction and waits until it is confirmed.
    pub(crate) async fn send(&self, title: &str, transaction: &Transaction) -> Result<Signature> {
        let signature = *transaction.signatures.first().context("a transaction without a signature")?;
        let payer = transaction.message.account_keys.first().copied().unwrap_or_default();
        if let Err(error) = self.rpc.send_transaction(transaction).await {
            return Err(match (error.get_transaction_error(), error.kind()) {
                (Some(error), _) => refused(title, &error, &payer),
                // The node answered, and did not take it.
                (None, ClientErrorKind::RpcError(_)) => self.failed("to send the transaction", error),
                (None, _) => not_confirmed(title, &signature, &error.to_string()),
            }
            .into());
        }
        let until = Instant::now() + CONFIRMATION_TIMEOUT;
        while Instant::now() < until {
            // An error here says nothing about the transaction: it was sent, and can still land.
            if let Ok(Some(status)) = self.rpc.get_signature_status(&signature).await {
                return match status {
                    Ok(()) => Ok(signature),
                    Err(error) => Err(refused(title, &error, &payer).into()),
                };
            }
            sleep(POLL_INTERVAL).await;
        }
        Err(not_confirmed(title, &signature, "no confirmed block has it").into())
    }
}

/// Names the transaction: before repeating the command, the owner must know whether it landed.
fn not_confirmed(title: &str, signature: &Signature, reason: &str) -> Problem {
    Problem::new(
        Code::NotConfirmed,
        format!("{title}: {signature} was sent and not seen confirmed: {reason}"),
    )
    .remedy(format!("check whether it landed before you repeat the command: solana confirm {signature}"))
    .details(json!({ "transaction": signature.to_string() }))
}

/// The rule that the program says was broken, or what the runtime says.
pub(super) fn refused(title: &str, error: &TransactionError, payer: &Address) -> Problem {
    let problem =
        |reason: String| Problem::new(Code::TransactionRefused, format!("{title} failed: {reason}"));
    match error {
        TransactionError::InstructionError(_, InstructionError::Custom(code)) => {
            match EscrowError::from_code(*code) {
                Some(error) => problem(format!("{error} ({})", error.name()))
                    .named(snake_case(error.name()))
                    // Time changes these: the next slot, or the end of the holds.
                    .retry(matches!(error, EscrowError::ClosedInOpeningSlot | EscrowError::SessionHasHolds)),
                None => problem(format!("a program refused it with code {code}")),
            }
        }
        TransactionError::AccountNotFound
        | TransactionError::InsufficientFundsForFee
        | TransactionError::InsufficientFundsForRent { .. } => {
            let message = format!("{title} failed: {payer} has too little SOL to pay fees and rent with");
            Problem::new(Code::InsufficientSol, message)
                .of("--keypair")
                .remedy(format!("send SOL to {payer}"))
        }
        other => problem(other.to_string()),
    }
}
