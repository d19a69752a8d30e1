//! What a payment costs at most.

use crate::{
    priority_fee::{LAMPORTS_PER_SIGNATURE, lamports},
    transaction,
};

/// What something costs at most, in lamports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Fees of transactions, with their priority fees.
    pub fees: u64,
    /// Rent that is locked.
    pub rent: u64,
}

/// Of a payment that is held: its authorization, the transaction that ends it, and `rent` lamports of its account. A
/// compute unit is paid with at most `price_micro_lamports`.
pub fn hold(price_micro_lamports: u64, rent: u64) -> Cost {
    let authorization = fee(price_micro_lamports, transaction::AUTHORIZE_COMPUTE_UNIT_LIMIT);
    let end = fee(price_micro_lamports, transaction::CLOSE_COMPUTE_UNIT_LIMIT);
    Cost { fees: authorization.saturating_add(end), rent }
}

/// Of a payment that is charged at once: its one transaction.
pub fn charge(price_micro_lamports: u64) -> Cost {
    Cost { fees: fee(price_micro_lamports, transaction::CHARGE_COMPUTE_UNIT_LIMIT), rent: 0 }
}

/// Of a capture besides the one that is charged with its hold.
pub fn capture(price_micro_lamports: u64) -> Cost {
    Cost { fees: fee(price_micro_lamports, transaction::CAPTURE_COMPUTE_UNIT_LIMIT), rent: 0 }
}

/// Of a transaction that failed in its block, by what it offered; nothing if it can't be read.
pub fn failed(transaction: &[u8]) -> Cost {
    Cost { fees: transaction::fee_lamports(transaction).unwrap_or(0), rent: 0 }
}

/// The fee of a transaction that the fee payer alone signs.
fn fee(price_micro_lamports: u64, compute_units: u32) -> u64 {
    LAMPORTS_PER_SIGNATURE.saturating_add(lamports(price_micro_lamports, compute_units.into()))
}

/// Of a client's transfer, which the payer and the fee payer sign, with its priority fee in lamports.
pub fn transfer(priority_fee_lamports: u64) -> Cost {
    Cost { fees: (2 * LAMPORTS_PER_SIGNATURE).saturating_add(priority_fee_lamports), rent: 0 }
}

/// Of a refund, which the receiver and the fee payer sign, at `price_micro_lamports` for a compute unit.
pub fn refund(price_micro_lamports: u64) -> Cost {
    transfer(lamports(price_micro_lamports, transaction::REFUND_COMPUTE_UNIT_LIMIT.into()))
}

/// Of a revocation that is relayed, at `price_micro_lamports` for a compute unit.
pub fn revocation(price_micro_lamports: u64) -> Cost {
    Cost { fees: fee(price_micro_lamports, transaction::REVOKE_COMPUTE_UNIT_LIMIT), rent: 0 }
}
