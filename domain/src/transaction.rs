//! Builds and signs the transactions that carry out operations. Uses `cluster`, `payment`, `priority_fee`.

mod layout;

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
    address,
    instruction::{self, Charge, ChargeCapture, Consent, HoldAccounts, Signature},
    message::{Capture, Release},
};

use crate::{
    cluster::Blockhash,
    payment::{Action, HoldTerms},
};

pub(crate) use layout::sign_legacy;
pub use layout::{ESCROW_INSTRUCTION, SignError, Version, fee_lamports, first_operation, sign, widest};

/// Compute units that an operation may use, of which the priority fee is paid whether they are used or not. About half
/// as much again as `cargo xtask bench program` measures in the worst case.
pub(crate) const AUTHORIZE_COMPUTE_UNIT_LIMIT: u32 = 30_000;
pub(crate) const CHARGE_COMPUTE_UNIT_LIMIT: u32 = 50_000;
pub(crate) const CAPTURE_COMPUTE_UNIT_LIMIT: u32 = 45_000;
pub(crate) const CLOSE_COMPUTE_UNIT_LIMIT: u32 = 55_000;
const VOID_COMPUTE_UNIT_LIMIT: u32 = 30_000;
const RECLAIM_COMPUTE_UNIT_LIMIT: u32 = 15_000;
pub(crate) const REFUND_COMPUTE_UNIT_LIMIT: u32 = 15_000;
pub(crate) const REVOKE_COMPUTE_UNIT_LIMIT: u32 = 25_000;

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

/// An operation's part of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What carries it out.
    pub instruction: Instruction,
    /// Compute units that it may use.
    pub compute_unit_limit: u32,
    /// How many instructions of other programs it calls.
    pub calls: u8,
}

/// How often tokens are moved where `fee` is taken for somebody else.
const fn payouts(fee: u64) -> u8 {
    if fee > 0 { 2 } else { 1 }
}

/// What authorizes `hold`. The fee payer pays the hold's rent.
pub fn authorize(fee_payer: &Address, hold: &HoldTerms) -> Part {
    Part {
        instruction: instruction::authorize(fee_payer, &hold.intent, &hold.signature, &hold.receiver_proof),
        compute_unit_limit: AUTHORIZE_COMPUTE_UNIT_LIMIT,
        calls: 1,
    }
}

/// What charges an intent, for `action`; none for any other. `escrow` is the escrow that pays.
pub fn charge(signed: &HoldTerms, action: &Action, escrow: &Escrow) -> Option<Part> {
    let Action::Charge { amount, fee, last, signature } = *action else { return None };
    let HoldTerms { intent, signature: by_session_key, receiver_proof } = signed;
    let capture = signature.map(|signature| {
        let capture = Capture { intent_digest: intent.digest(), amount, fee, last };
        ChargeCapture::new(&capture, Consent::Signature(signature))
    });
    let charge = Charge { amount, capture, release: None };
    Some(Part {
        instruction: instruction::charge(intent, by_session_key, receiver_proof, escrow, &charge),
        compute_unit_limit: CHARGE_COMPUTE_UNIT_LIMIT,
        calls: payouts(fee),
    })
}

/// What carries out `action` on `hold`. None for an authorization, see [`authorize`], a charge, see [`charge`], and for what somebody else signs too.
pub fn on_hold(hold: &HoldTerms, action: &Action, state: &HoldState) -> Option<Part> {
    let (intent_digest, accounts) = (hold.intent.digest(), hold_accounts(hold, state));
    let (instruction, compute_unit_limit, calls) = match *action {
        Action::Authorize | Action::Transfer | Action::Charge { .. } | Action::Refund { .. } => return None,
        Action::Capture { amount, fee, last, signature } => {
            let capture = Capture { intent_digest, amount, fee, last };
            let consent = Consent::Signature(signature);
            (
                instruction::capture(accounts, amount, &capture, consent),
                CAPTURE_COMPUTE_UNIT_LIMIT,
                payouts(fee),
            )
        }
        Action::Close { amount, bound, fee, signature, release } => {
            let capture = Capture { intent_digest, amount: bound, fee, last: false };
            let consent = Consent::Signature(signature);
            let instruction = instruction::capture_and_release(accounts, amount, &capture, consent, &release);
            (instruction, CLOSE_COMPUTE_UNIT_LIMIT, payouts(fee))
        }
        Action::Void { amount, signature } => {
            let release = Release { intent_digest, amount };
            let consent = Consent::Signature(signature);
            (instruction::void(accounts, &release, consent), VOID_COMPUTE_UNIT_LIMIT, 0)
        }
        Action::Reclaim => (instruction::reclaim(accounts), RECLAIM_COMPUTE_UNIT_LIMIT, 0),
    };
    Some(Part { instruction, compute_unit_limit, calls })
}

fn hold_accounts<'a>(hold: &HoldTerms, state: &'a HoldState) -> HoldAccounts<'a> {
    HoldAccounts {
        program: hold.intent.program,
        escrow_address: hold.intent.escrow,
        escrow: &state.escrow,
        hold_address: hold.address(),
        hold: &state.hold,
    }
}

/// The message that returns `returns` base units of what `hold` paid out of the receiver's associated token account to `escrow`: to
/// be signed by the receiver and the fee payer.
pub fn refund(
    fee_payer: &Address,
    compute_unit_price_micro_lamports: u64,
    blockhash: [u8; 32],
    hold: &HoldTerms,
    escrow: &Escrow,
    returns: u64,
) -> Message {
    let intent = &hold.intent;
    let source = address::associated_token(&intent.receiver, &escrow.mint, &escrow.token_program);
    let refund = instruction::refund(
        &intent.program,
        &intent.digest(),
        &intent.receiver,
        &source,
        &intent.escrow,
        escrow,
        returns,
    );
    let part = Part { instruction: refund, compute_unit_limit: REFUND_COMPUTE_UNIT_LIMIT, calls: 1 };
    let instructions = layout::with_budget(compute_unit_price_micro_lamports, &[&part]);
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

/// What revokes sessions by the payer's or the guardian's signature.
pub fn revoke(instruction: Instruction) -> Part {
    Part { instruction, compute_unit_limit: REVOKE_COMPUTE_UNIT_LIMIT, calls: 0 }
}
