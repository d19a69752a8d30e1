use alloc::vec;

use borsh::{BorshDeserialize, BorshSerialize};
use solana_address::Address;
use solana_instruction::Instruction;

use super::{Consent, instruction, readonly, signer, writable, writable_signer};
use crate::{
    account::Session,
    address::{self, SYSTEM_PROGRAM_ID},
    message::{Digest, Revoke, RevokeScope},
};

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
    /// Root of the receivers that may be paid, without fees ([`crate::receivers`]); all zero bytes for anyone.
    pub receivers_root: Digest,
}

/// Opens a session for `session_key`.
pub fn open_session(
    program: &Address,
    rent_payer: &Address,
    payer: &Address,
    escrow: &Address,
    session_key: &Address,
    limits: &SessionLimits,
) -> Instruction {
    instruction(
        program,
        6,
        limits,
        vec![
            writable_signer(*rent_payer),
            signer(*payer),
            writable(*escrow),
            readonly(*session_key),
            writable(address::session(program, escrow, session_key)),
            readonly(SYSTEM_PROGRAM_ID),
        ],
    )
}

/// Changes a session's limits.
pub fn update_session(
    program: &Address,
    payer: &Address,
    escrow: &Address,
    session: &Address,
    limits: &SessionLimits,
) -> Instruction {
    instruction(program, 7, limits, vec![signer(*payer), readonly(*escrow), writable(*session)])
}

/// Stops a session at once. `revoker` is the escrow's payer or guardian; `session` is what the session's account stores.
pub fn revoke_session(
    program: &Address,
    revoker: &Address,
    session: &Session,
    consent: Consent,
) -> Instruction {
    let Session { escrow, session_key, incarnation, .. } = *session;
    let message = Revoke::new(*program, escrow, RevokeScope::Session { session_key, incarnation });
    let revoker = if consent == Consent::Signer { signer(*revoker) } else { readonly(*revoker) };
    let session = address::session(program, &escrow, &session_key);
    instruction(program, 8, consent.to(message.digest()), vec![revoker, readonly(escrow), writable(session)])
}

/// Stops every session of `escrow` opened in this slot or before. `revoker` is the escrow's payer or guardian.
pub fn revoke_sessions(
    program: &Address,
    revoker: &Address,
    escrow: &Address,
    opened_through_slot: u64,
    consent: Consent,
) -> Instruction {
    let message = Revoke::new(*program, *escrow, RevokeScope::OpenedThroughSlot(opened_through_slot));
    let revoker = if consent == Consent::Signer { signer(*revoker) } else { readonly(*revoker) };
    let arguments = (opened_through_slot, consent.to(message.digest()));
    instruction(program, 9, arguments, vec![revoker, writable(*escrow)])
}

/// Closes a session without open holds; `rent_payer` is the one the session names.
pub fn close_session(
    program: &Address,
    payer: &Address,
    escrow: &Address,
    session: &Address,
    rent_payer: &Address,
) -> Instruction {
    instruction(
        program,
        10,
        (),
        vec![signer(*payer), writable(*escrow), writable(*session), writable(*rent_payer)],
    )
}
