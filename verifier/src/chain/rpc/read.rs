//! What a node's answers about transactions say.

use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, EncodedTransactionWithStatusMeta,
    TransactionConfirmationStatus, TransactionStatus, UiTransactionTokenBalance,
    option_serializer::OptionSerializer,
};
use x402_escrow_domain::cluster::{Executed, Logged, Status, TokenBalance};
use x402_escrow_interface::Address;
use x402_escrow_wire::{auth_capture::Commitment, text::Base58};

use crate::chain::ChainError;

pub(super) fn read_status(status: TransactionStatus) -> Status {
    let commitment = match status.confirmation_status {
        Some(TransactionConfirmationStatus::Finalized) => Commitment::Finalized,
        Some(TransactionConfirmationStatus::Confirmed) => Commitment::Confirmed,
        Some(TransactionConfirmationStatus::Processed) => Commitment::Processed,
        // Nodes before 1.4 don't tell; a rooted block has no confirmations.
        None if status.confirmations.is_none() => Commitment::Finalized,
        None => Commitment::Processed,
    };
    Status { slot: status.slot, commitment, error: status.err }
}

/// `None` where the node doesn't tell what the transaction did, or it failed.
pub(super) fn read_logged(
    signature: &str,
    answer: EncodedConfirmedTransactionWithStatusMeta,
) -> Option<Logged> {
    let signature: Base58<64> = signature.parse().ok()?;
    let meta = answer.transaction.meta.filter(|meta| meta.err.is_none())?;
    let logs = Option::from(meta.log_messages)?;
    Some(Logged { signature: signature.0, slot: answer.slot, logs })
}

pub(super) fn read_executed(answer: EncodedTransactionWithStatusMeta) -> Result<Executed, ChainError> {
    let unreadable = |what: &str| ChainError::answer("getTransaction", format!("{what} can't be read"));
    let transaction = answer.transaction.decode().ok_or_else(|| unreadable("the transaction"))?;
    let meta = answer.meta.ok_or_else(|| unreadable("what the transaction did"))?;
    let keys = transaction.message.static_account_keys();
    let balance = |balance: &UiTransactionTokenBalance| {
        let account = *keys.get(usize::from(balance.account_index))?;
        let mint: Base58<32> = balance.mint.parse().ok()?;
        Some((account, Address::from(mint), balance.ui_token_amount.amount.parse::<u64>().ok()?))
    };
    let read = |balances: OptionSerializer<Vec<UiTransactionTokenBalance>>| {
        let balances: Option<Vec<_>> = Option::from(balances);
        let balances: Option<Vec<_>> = balances.unwrap_or_default().iter().map(balance).collect();
        balances.ok_or_else(|| unreadable("a token balance"))
    };
    let (before, after) = (read(meta.pre_token_balances)?, read(meta.post_token_balances)?);
    let before = |account| before.iter().find(|(of, ..)| *of == account).map_or(0, |(.., amount)| *amount);
    let token_balances = after
        .into_iter()
        .map(|(account, mint, after)| TokenBalance { account, mint, before: before(account), after })
        .collect();
    Ok(Executed { message: transaction.message.serialize(), error: meta.err.map(Into::into), token_balances })
}
