use alloc::vec;

use borsh::{BorshDeserialize, BorshSerialize};
use solana_address::Address;
use solana_instruction::Instruction;

use super::{instruction, readonly, signer, writable, writable_signer};
use crate::address::{self, SYSTEM_PROGRAM_ID};

/// What a session may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SessionLimits {
    /// Last second at which the session can authorize, unix.
    pub expires_at: i64,
    /// The most a single payment may hold, in base units.
    pub maximum_payment: u64,
    /// The most that may be held and captured over the session's life, in base units.
    pub maximum_total: u64,
    /// The most that may be held and captured per period, in base units; 0 together with `period_seconds`.
    pub maximum_per_period: u64,
    /// Length of a period, counted from when it is set; 0 for no limit per period.
    pub period_seconds: u64,
    /// The only receiver that may be paid, without fees; all zero bytes for any.
    pub receiver: Address,
}

/// Opens a session for `session_key`.
pub fn open_session(
    rent_payer: &Address,
    payer: &Address,
    escrow: &Address,
    session_key: &Address,
    limits: &SessionLimits,
) -> Instruction {
    instruction(
        3,
        limits,
        vec![
            writable_signer(*rent_payer),
            signer(*payer),
            writable(*escrow),
            readonly(*session_key),
            writable(address::session(escrow, session_key)),
            readonly(SYSTEM_PROGRAM_ID),
        ],
    )
}

/// Changes a session's limits.
pub fn update_session(
    payer: &Address,
    escrow: &Address,
    session: &Address,
    limits: &SessionLimits,
) -> Instruction {
    instruction(15, limits, vec![signer(*payer), readonly(*escrow), writable(*session)])
}

/// Stops a session at once.
pub fn revoke_session(payer: &Address, escrow: &Address, session: &Address) -> Instruction {
    instruction(4, (), vec![signer(*payer), readonly(*escrow), writable(*session)])
}

/// Closes a session without open holds; `rent_payer` is the one the session names.
pub fn close_session(
    payer: &Address,
    escrow: &Address,
    session: &Address,
    rent_payer: &Address,
) -> Instruction {
    instruction(5, (), vec![signer(*payer), writable(*escrow), writable(*session), writable(*rent_payer)])
}
