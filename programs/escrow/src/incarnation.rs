//! The 32 bytes that tie signatures to one opening of one session.

use anchor_lang::prelude::*;

/// `SlotHashes` sysvar: a `u64` count, then entries of slot (`u64`) and bank hash (32 bytes), newest first.
const SLOT_HASHES_ID: Address = anchor_lang::address!("SysvarS1otHashes111111111111111111111111111");
const FIRST_HASH_OFFSET: usize = 8 + 8;

/// The bank hash of the newest slot before this one: chosen by nobody, and never the same in a later slot.
///
/// Sibling blocks of one slot share it, so it does not tell forks of one block apart; clusters are told apart by the
/// program's address, which intents name too.
pub(crate) fn newest_slot_hash() -> Result<[u8; 32]> {
    let mut hash = [0u8; 32];
    pinocchio::sysvars::get_sysvar(&mut hash, &SLOT_HASHES_ID, FIRST_HASH_OFFSET)?;
    Ok(hash)
}
