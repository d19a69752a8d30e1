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
    rent_payer: &Address,
    payer: &Address,
    mint: &Address,
    token_program: &Address,
    withdraw_delay_seconds: u32,
) -> Vec<Instruction> {
    let escrow = address::escrow(payer, mint);
    let open = instruction(
        0,
        withdraw_delay_seconds,
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

/// Moves `amount` base units from `source`, a token account of `depositor`, into the escrow.
pub fn deposit(
    depositor: &Address,
    source: &Address,
    escrow_address: &Address,
    escrow: &Escrow,
    amount: u64,
) -> Instruction {
    deposit_naming(None, depositor, source, escrow_address, escrow, amount)
}

/// Returns `amount` base units of a charge to the escrow it came from: a deposit by the receiver that names the intent.
pub fn refund_charge(
    intent_digest: &Digest,
    receiver: &Address,
    source: &Address,
    escrow_address: &Address,
    escrow: &Escrow,
    amount: u64,
) -> Instruction {
    deposit_naming(Some(*intent_digest), receiver, source, escrow_address, escrow, amount)
}

fn deposit_naming(
    refunded_intent: Option<Digest>,
    depositor: &Address,
    source: &Address,
    escrow_address: &Address,
    escrow: &Escrow,
    amount: u64,
) -> Instruction {
    instruction(
        1,
        (amount, refunded_intent),
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
pub fn sync(escrow_address: &Address, escrow: &Escrow) -> Instruction {
    instruction(2, (), vec![writable(*escrow_address), readonly(escrow.vault)])
}

/// Announces a withdrawal of `amount` base units.
pub fn request_withdrawal(escrow_address: &Address, escrow: &Escrow, amount: u64) -> Instruction {
    instruction(12, amount, vec![signer(escrow.payer), writable(*escrow_address)])
}

/// Takes the announced withdrawal back.
pub fn cancel_withdrawal(escrow_address: &Address, escrow: &Escrow) -> Instruction {
    instruction(13, (), vec![signer(escrow.payer), writable(*escrow_address)])
}

/// Pays the announced withdrawal to the token account `destination`.
pub fn withdraw(escrow_address: &Address, escrow: &Escrow, destination: &Address) -> Instruction {
    instruction(
        14,
        (),
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

/// Closes an empty escrow without sessions, and its vault.
pub fn close_escrow(escrow_address: &Address, escrow: &Escrow) -> Instruction {
    instruction(
        16,
        (),
        vec![
            signer(escrow.payer),
            writable(*escrow_address),
            writable(escrow.vault),
            writable(escrow.rent_payer),
            readonly(escrow.token_program),
        ],
    )
}
