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

/// Compute units that a transaction may use, of which the priority fee is paid whether they are used or not. About half
/// as much again as `cargo xtask bench program` measures in the worst case.
fn compute_unit_limit(action: &Action) -> u32 {
    match action {
        Action::Authorize | Action::Void { .. } => 30_000,
        Action::Capture { .. } => 45_000,
        Action::Reclaim | Action::CloseHold => 15_000,
    }
}

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
    let instruction = instruction::authorize(&terms.fee_payer.pubkey(), &payment.intent, &payment.signature);
    sign(terms, compute_unit_limit(&Action::Authorize), instruction)
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
    let instruction = match *action {
        Action::Authorize => return authorize(terms, payment),
        Action::Capture { amount, fee, last, signature } => {
            let capture = Capture { intent_digest: payment.id, amount, fee, last };
            instruction::capture(accounts, &capture, Proof::Signature(signature))
        }
        Action::Void { amount, signature } => {
            let release = Release { intent_digest: payment.id, amount };
            instruction::void(accounts, &release, Proof::Signature(signature))
        }
        Action::Reclaim => instruction::reclaim(accounts),
        Action::CloseHold => instruction::close_hold(&accounts.hold_address, &state.hold),
    };
    sign(terms, compute_unit_limit(action), instruction)
}

fn sign(
    terms: Terms<'_>,
    compute_unit_limit: u32,
    instruction: solana_sdk::instruction::Instruction,
) -> Result<Signed, bincode::Error> {
    let instructions = [
        ComputeBudgetInstruction::set_compute_unit_limit(compute_unit_limit),
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
