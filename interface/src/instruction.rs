//! Builders for every instruction. Data is a one-byte discriminator and the arguments as Borsh writes them; accounts
//! are in the order of the IDL. `program` is the escrow program's address on the cluster.

mod consent;
mod escrow;
mod payment;
mod session;

use alloc::vec::Vec;

use borsh::BorshSerialize;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

pub use consent::{Consent, Signature};
pub use escrow::{
    close_escrow, create_associated_token, deposit, open_escrow, refund, set_guardian, sync, withdraw,
};
pub use payment::{
    Charge, ChargeCapture, HoldAccounts, authorize, capture, capture_and_release, charge, reclaim, void,
};
pub use session::{
    SessionLimits, close_session, open_session, revoke_session, revoke_sessions, update_session,
};

/// An instruction of the escrow program. Serialising into memory can't fail.
fn instruction(
    program: &Address,
    discriminator: u8,
    arguments: impl BorshSerialize,
    accounts: Vec<AccountMeta>,
) -> Instruction {
    let mut data = alloc::vec![discriminator];
    arguments.serialize(&mut data).expect("writing to memory does not fail");
    Instruction { program_id: *program, accounts, data }
}

fn writable(address: Address) -> AccountMeta {
    AccountMeta::new(address, false)
}

fn writable_signer(address: Address) -> AccountMeta {
    AccountMeta::new(address, true)
}

fn readonly(address: Address) -> AccountMeta {
    AccountMeta::new_readonly(address, false)
}

fn signer(address: Address) -> AccountMeta {
    AccountMeta::new_readonly(address, true)
}
