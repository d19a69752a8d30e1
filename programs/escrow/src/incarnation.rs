//! The 32 bytes that tie signatures to one opening of one session on one cluster and fork.

use anchor_lang::prelude::*;

/// `SlotHashes` sysvar: a `u64` count, then entries of slot (`u64`) and bank hash (32 bytes), newest first.
const SLOT_HASHES_ID: Address = anchor_lang::address!("SysvarS1otHashes111111111111111111111111111");
const FIRST_HASH_OFFSET: usize = 8 + 8;

/// The newest bank hash: chosen by nobody, and never the same in another slot, fork or cluster.
pub(crate) fn newest_slot_hash() -> Result<[u8; 32]> {
    let mut hash = [0u8; 32];
    pinocchio::sysvars::get_sysvar(&mut hash, &SLOT_HASHES_ID, FIRST_HASH_OFFSET)?;
    Ok(hash)
}
