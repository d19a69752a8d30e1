//! Whether the transaction that is on chain paid: what the cluster says that it did, not what it was to do.

use solana_sdk::hash;
use x402_escrow_wire::error_code::ErrorCode;

use crate::{
    cluster::Executed,
    payment::{Payment, TransferTerms},
    verify::{Rejection, require},
};

/// Checks that the executed transaction is the payment's, and that it brought the receiver's token account exactly the
/// amount.
///
/// # Errors
/// If not.
pub fn check(payment: &Payment, transfer: &TransferTerms, executed: &Executed) -> Result<(), Rejection> {
    let code = ErrorCode::PostSettlementTransferNotConfirmed;
    require(hash::hash(&executed.message).to_bytes() == payment.id, code, || {
        "the node has another transaction under this signature".to_owned()
    })?;
    require(executed.error.is_none(), code, || "the transaction failed".to_owned())?;
    let balance = executed
        .token_balances
        .iter()
        .find(|balance| balance.account == transfer.destination && balance.mint == payment.mint);
    let received = balance.and_then(|balance| balance.after.checked_sub(balance.before));
    require(received == Some(payment.amount), code, || {
        format!(
            "the transaction is on chain, but {} received {} base units instead of {}",
            transfer.destination,
            received.unwrap_or(0),
            payment.amount
        )
    })
}
