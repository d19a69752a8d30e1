//! Builds and signs the transactions that carry out operations.

use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_sdk::{
    hash::Hash,
    instruction::Instruction,
    message::Message,
    signer::{Signer, keypair::Keypair},
    transaction::Transaction,
};
use x402_escrow_interface::{
    Address,
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
        Action::Close { .. } => 55_000,
        Action::Refund { .. } => REFUND_COMPUTE_UNIT_LIMIT,
        Action::Reclaim | Action::CloseHold => 15_000,
    }
}

const REFUND_COMPUTE_UNIT_LIMIT: u32 = 15_000;

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
/// None for a refund: the receiver signs it, see [`refund`].
///
/// # Errors
/// If it can't be serialised.
pub fn on_hold(
    terms: Terms<'_>,
    payment: &Payment,
    action: &Action,
    state: &HoldState,
) -> Result<Option<Signed>, bincode::Error> {
    let accounts = hold_accounts(payment, state);
    let instruction = match *action {
        Action::Refund { .. } => return Ok(None),
        Action::Authorize => return authorize(terms, payment).map(Some),
        Action::Capture { amount, fee, last, signature } => {
            let capture = Capture { intent_digest: payment.id, amount, fee, last };
            instruction::capture(accounts, &capture, Proof::Signature(signature))
        }
        // Captured meanwhile, nothing but the rest is left to do; captured whole, there is no rest.
        Action::Close { amount, release, .. } if state.hold.captured >= amount => {
            let message = Release { intent_digest: payment.id, amount };
            instruction::void(accounts, &message, Proof::Signature(release))
        }
        Action::Close { amount, fee, signature, release } => {
            let capture = Capture { intent_digest: payment.id, amount, fee, last: false };
            let proof = Proof::Signature(signature);
            if amount < state.hold.amount {
                instruction::capture_and_release(accounts, &capture, proof, &release)
            } else {
                instruction::capture(accounts, &capture, proof)
            }
        }
        Action::Void { amount, signature } => {
            let release = Release { intent_digest: payment.id, amount };
            instruction::void(accounts, &release, Proof::Signature(signature))
        }
        Action::Reclaim => instruction::reclaim(accounts),
        Action::CloseHold => instruction::close_hold(&accounts.hold_address, &state.hold),
    };
    sign(terms, compute_unit_limit(action), instruction).map(Some)
}

fn hold_accounts<'a>(payment: &Payment, state: &'a HoldState) -> HoldAccounts<'a> {
    HoldAccounts {
        escrow_address: payment.intent.escrow,
        escrow: &state.escrow,
        hold_address: payment.hold(),
        hold: &state.hold,
    }
}

/// The message that refunds `amount` base units out of the receiver's associated token account: to be signed by the
/// receiver and the fee payer.
pub fn refund(
    fee_payer: &Address,
    compute_unit_price_micro_lamports: u64,
    blockhash: [u8; 32],
    payment: &Payment,
    state: &HoldState,
    amount: u64,
) -> Message {
    let accounts = hold_accounts(payment, state);
    let refund = instruction::refund(accounts, &state.hold.receiver_token_account, amount);
    let instructions =
        with_compute_budget(REFUND_COMPUTE_UNIT_LIMIT, compute_unit_price_micro_lamports, refund);
    Message::new_with_blockhash(&instructions, Some(fee_payer), &Hash::new_from_array(blockhash))
}

/// The transaction of a refund's message and the receiver's signature over it.
///
/// # Errors
/// If it can't be serialised.
pub fn sign_refund(
    fee_payer: &Keypair,
    message: Message,
    by_receiver: Signature,
) -> Result<Signed, bincode::Error> {
    let signature = fee_payer.sign_message(&message.serialize());
    let transaction = Transaction { signatures: vec![signature, by_receiver.into()], message };
    Ok(Signed { signature: signature.into(), bytes: bincode::serialize(&transaction)? })
}

fn with_compute_budget(
    unit_limit: u32,
    price_micro_lamports: u64,
    instruction: Instruction,
) -> [Instruction; 3] {
    [
        ComputeBudgetInstruction::set_compute_unit_limit(unit_limit),
        ComputeBudgetInstruction::set_compute_unit_price(price_micro_lamports),
        instruction,
    ]
}

fn sign(terms: Terms<'_>, unit_limit: u32, instruction: Instruction) -> Result<Signed, bincode::Error> {
    let instructions = with_compute_budget(unit_limit, terms.compute_unit_price_micro_lamports, instruction);
    let transaction = Transaction::new_signed_with_payer(
        &instructions,
        Some(&terms.fee_payer.pubkey()),
        &[terms.fee_payer],
        Hash::new_from_array(terms.blockhash.hash),
    );
    Ok(Signed { signature: transaction.signatures[0].into(), bytes: bincode::serialize(&transaction)? })
}
