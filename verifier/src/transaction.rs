//! Builds and signs the transactions that carry out operations.

use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_sdk::{
    hash::Hash,
    signer::{Signer, keypair::Keypair},
    transaction::Transaction,
};
use x402_escrow_interface::{
    account::{Escrow, Hold},
    instruction::{self, HoldAccounts, Proof, Signature},
    message::{Capture, Release},
};

use crate::{
    chain::Blockhash,
    payment::{Action, Payment},
};

/// Index of the escrow program's instruction in every transaction: after those that set the compute budget.
pub const ESCROW_INSTRUCTION: u8 = 2;

/// Compute units that a transaction may use. Each instruction of the program takes less than half of it; what is not
/// used costs no more than its share of the priority fee.
const COMPUTE_UNIT_LIMIT: u32 = 80_000;

/// What an operation on a hold needs from the chain.
#[derive(Clone, Copy, Debug)]
pub struct HoldState {
    /// The escrow.
    pub escrow: Escrow,
    /// The hold.
    pub hold: Hold,
}

/// A signed transaction.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The fee payer's signature, which is the transaction's id.
    pub signature: Signature,
    /// As it goes over the wire.
    pub bytes: Vec<u8>,
}

/// What every transaction has in common.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Pays the fee, and the rent of holds.
    pub fee_payer: &'a Keypair,
    /// Priority fee, in millionths of a lamport for each compute unit.
    pub compute_unit_price_micro_lamports: u64,
    /// How long it can land.
    pub blockhash: Blockhash,
}

/// The transaction that authorizes `payment`.
///
/// # Errors
/// If it can't be serialised.
pub fn authorize(terms: Terms<'_>, payment: &Payment) -> Result<Signed, bincode::Error> {
    sign(terms, instruction::authorize(&terms.fee_payer.pubkey(), &payment.intent, &payment.signature))
}

/// The transaction that carries out `action` on the hold of `payment`; for the action `Authorize` see [`authorize`].
///
/// # Errors
/// If it can't be serialised.
pub fn on_hold(
    terms: Terms<'_>,
    payment: &Payment,
    action: &Action,
    state: &HoldState,
) -> Result<Signed, bincode::Error> {
    let accounts = HoldAccounts {
        escrow_address: payment.intent.escrow,
        escrow: &state.escrow,
        hold_address: payment.hold(),
        hold: &state.hold,
    };
    match *action {
        Action::Authorize => authorize(terms, payment),
        Action::Capture { amount, fee, last, signature } => {
            let capture = Capture { intent_digest: payment.id, amount, fee, last };
            sign(terms, instruction::capture(accounts, &capture, Proof::Signature(signature)))
        }
        Action::Void { amount, signature } => {
            let release = Release { intent_digest: payment.id, amount };
            sign(terms, instruction::void(accounts, &release, Proof::Signature(signature)))
        }
        Action::Reclaim => sign(terms, instruction::reclaim(accounts)),
        Action::CloseHold => sign(terms, instruction::close_hold(&accounts.hold_address, &state.hold)),
    }
}

fn sign(
    terms: Terms<'_>,
    instruction: solana_sdk::instruction::Instruction,
) -> Result<Signed, bincode::Error> {
    let instructions = [
        ComputeBudgetInstruction::set_compute_unit_limit(COMPUTE_UNIT_LIMIT),
        ComputeBudgetInstruction::set_compute_unit_price(terms.compute_unit_price_micro_lamports),
        instruction,
    ];
    let transaction = Transaction::new_signed_with_payer(
        &instructions,
        Some(&terms.fee_payer.pubkey()),
        &[terms.fee_payer],
        Hash::new_from_array(terms.blockhash.hash),
    );
    Ok(Signed { signature: transaction.signatures[0].into(), bytes: bincode::serialize(&transaction)? })
}
