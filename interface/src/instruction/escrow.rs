use alloc::{vec, vec::Vec};

use solana_address::Address;
use solana_instruction::Instruction;

use super::{instruction, readonly, signer, writable, writable_signer};
use crate::{
    account::Escrow,
    address::{self, ASSOCIATED_TOKEN_PROGRAM_ID, SYSTEM_PROGRAM_ID},
    message::Digest,
};

/// Creates `owner`'s associated token account unless it exists. `token_program` is the mint's owner.
pub fn create_associated_token(
    rent_payer: &Address,
    owner: &Address,
    mint: &Address,
    token_program: &Address,
) -> Instruction {
    let account = address::associated_token(owner, mint, token_program);
    /// `CreateIdempotent` of the Associated Token Account program.
    const CREATE_IDEMPOTENT: u8 = 1;
    Instruction {
        program_id: ASSOCIATED_TOKEN_PROGRAM_ID,
        accounts: vec![
            writable_signer(*rent_payer),
            writable(account),
            readonly(*owner),
            readonly(*mint),
            readonly(SYSTEM_PROGRAM_ID),
            readonly(*token_program),
        ],
        data: vec![CREATE_IDEMPOTENT],
    }
}

/// Opens `payer`'s escrow, its vault included: two instructions, in this order. `token_program` is the mint's owner.
pub fn open_escrow(
    program: &Address,
    rent_payer: &Address,
    payer: &Address,
    mint: &Address,
    token_program: &Address,
) -> Vec<Instruction> {
    let escrow = address::escrow(program, payer, mint);
    let open = instruction(
        program,
        0,
        (),
        vec![
            writable_signer(*rent_payer),
            signer(*payer),
            readonly(*mint),
            writable(escrow),
            readonly(address::associated_token(&escrow, mint, token_program)),
            readonly(*token_program),
            readonly(SYSTEM_PROGRAM_ID),
        ],
    );
    vec![create_associated_token(rent_payer, &escrow, mint, token_program), open]
}

/// Names who may revoke sessions besides the payer; all zero bytes for nobody.
pub fn set_guardian(
    program: &Address,
    payer: &Address,
    escrow_address: &Address,
    guardian: &Address,
) -> Instruction {
    instruction(program, 1, guardian, vec![signer(*payer), writable(*escrow_address)])
}

/// Moves `amount` base units from `source`, a token account of `depositor`, into the escrow.
pub fn deposit(
    program: &Address,
    depositor: &Address,
    source: &Address,
    escrow_address: &Address,
    escrow: &Escrow,
    amount: u64,
) -> Instruction {
    deposit_naming(program, None, depositor, source, escrow_address, escrow, amount)
}

/// Returns `amount` base units of a payment to the escrow it came from: a deposit that names the payment. It counts as a
/// refund where the depositor is the payment's receiver.
pub fn refund(
    program: &Address,
    intent_digest: &Digest,
    receiver: &Address,
    source: &Address,
    escrow_address: &Address,
    escrow: &Escrow,
    amount: u64,
) -> Instruction {
    deposit_naming(program, Some(*intent_digest), receiver, source, escrow_address, escrow, amount)
}

fn deposit_naming(
    program: &Address,
    refunded_payment: Option<Digest>,
    depositor: &Address,
    source: &Address,
    escrow_address: &Address,
    escrow: &Escrow,
    amount: u64,
) -> Instruction {
    instruction(
        program,
        2,
        (amount, refunded_payment),
        vec![
            signer(*depositor),
            writable(*source),
            writable(*escrow_address),
            writable(escrow.vault),
            readonly(escrow.mint),
            readonly(escrow.token_program),
        ],
    )
}

/// Credits what reached the vault by plain transfer.
pub fn sync(program: &Address, escrow_address: &Address, escrow: &Escrow) -> Instruction {
    instruction(program, 3, (), vec![writable(*escrow_address), readonly(escrow.vault)])
}

/// Pays `amount` base units of the free balance, or all of it, to the token account `destination`.
pub fn withdraw(
    program: &Address,
    escrow_address: &Address,
    escrow: &Escrow,
    destination: &Address,
    amount: Option<u64>,
) -> Instruction {
    instruction(
        program,
        4,
        amount,
        vec![
            signer(escrow.payer),
            writable(*escrow_address),
            writable(escrow.vault),
            writable(*destination),
            readonly(escrow.mint),
            readonly(escrow.token_program),
        ],
    )
}

/// Closes an escrow without sessions, and its vault. All that the vault has goes to the token account `destination`.
pub fn close_escrow(
    program: &Address,
    escrow_address: &Address,
    escrow: &Escrow,
    destination: &Address,
) -> Instruction {
    instruction(
        program,
        5,
        (),
        vec![
            signer(escrow.payer),
            writable(*escrow_address),
            writable(escrow.vault),
            writable(*destination),
            writable(escrow.rent_payer),
            readonly(escrow.mint),
            readonly(escrow.token_program),
        ],
    )
}
