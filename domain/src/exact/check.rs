//! Whether a payment is right by itself.

use solana_sdk::transaction::VersionedTransaction;
use x402_escrow_interface::{Address, message::Digest};
use x402_escrow_wire::error_code::ErrorCode;

use super::{
    instructions::{self, Transfer},
    payment::Payment,
    requirements::Request,
    transaction,
};
use crate::{
    identifier::{self, Purchase},
    verify::{Facilitator, Rejection},
};

/// A payment that is right by itself.
#[derive(Clone, Debug)]
pub struct Checked {
    /// SHA-256 of the transaction's message.
    pub id: Digest,
    /// Who pays.
    pub payer: Address,
    /// What the transaction does.
    pub transfer: Transfer,
    /// The client's transaction; the fee payer has not signed.
    pub transaction: VersionedTransaction,
}

/// The purchase, if it has an id, accepted at `now`, unix seconds.
pub fn purchase(request: &Request, checked: &Checked, now: i64) -> Option<Purchase> {
    let identifier = request.identifier.as_ref()?;
    Some(identifier.purchase(checked.payer, identifier::signed(&[&checked.id]), request.asked.amount, now))
}

/// Checks all that can be told without the chain.
///
/// # Errors
/// With the code of the rule that is broken.
pub fn check(request: &Request, facilitator: &Facilitator) -> Result<Checked, Rejection> {
    let transaction = transaction::decode(&request.transaction)?;
    let payer = transaction::check_signers(&transaction, &facilitator.fee_payer)?;
    let bounds = facilitator.policy.exact_fee_bounds;
    let transfer = instructions::check(&transaction.message, &payer, &request.asked, bounds)?;
    Ok(Checked { id: transaction::payment_id(&transaction), payer, transfer, transaction })
}

/// The verdict on a payment that somebody was already told is paid.
pub fn already_claimed() -> Rejection {
    Rejection::new(
        ErrorCode::DuplicateSettlement,
        "paymentPayload.payload.transaction: this payment was settled before, and counts once",
    )
}

/// The verdict on a payment that came to nothing.
pub fn came_to_nothing(payment: &Payment) -> Rejection {
    let failed = payment.state.landing().and_then(|landing| landing.error.clone());
    match failed {
        Some(problem) => Rejection::new(problem.code, problem.message),
        None => Rejection::new(
            ErrorCode::ExactTransactionFailed,
            "the transaction expired before a block took it, and nothing was paid; make a new one",
        ),
    }
}
