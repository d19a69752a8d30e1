//! Seeds and derived addresses.

use solana_address::{Address, address};

/// SPL Token.
pub const TOKEN_PROGRAM_ID: Address = address!("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");
/// Token-2022.
pub const TOKEN_2022_PROGRAM_ID: Address = address!("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb");
/// The Associated Token Account program.
pub const ASSOCIATED_TOKEN_PROGRAM_ID: Address = address!("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");
/// The system program.
pub const SYSTEM_PROGRAM_ID: Address = address!("11111111111111111111111111111111");

/// First seed of an escrow.
pub const ESCROW_SEED: &[u8] = b"escrow";
/// First seed of a session.
pub const SESSION_SEED: &[u8] = b"session";
/// First seed of a hold.
pub const HOLD_SEED: &[u8] = b"hold";

/// The escrow of `payer` for `mint`, by the escrow program at `program`.
pub fn escrow(program: &Address, payer: &Address, mint: &Address) -> Address {
    derive(&[ESCROW_SEED, payer.as_ref(), mint.as_ref()], program)
}

/// The session of `session_key` under `escrow`, by the escrow program at `program`.
pub fn session(program: &Address, escrow: &Address, session_key: &Address) -> Address {
    derive(&[SESSION_SEED, escrow.as_ref(), session_key.as_ref()], program)
}

/// The hold of the intent with `nonce` under `session`, by the escrow program at `program`.
pub fn hold(program: &Address, session: &Address, nonce: u64) -> Address {
    derive(&[HOLD_SEED, session.as_ref(), &nonce.to_le_bytes()], program)
}

/// The associated token account of `owner`, which may be an escrow or a wallet.
pub fn associated_token(owner: &Address, mint: &Address, token_program: &Address) -> Address {
    derive(&[owner.as_ref(), token_program.as_ref(), mint.as_ref()], &ASSOCIATED_TOKEN_PROGRAM_ID)
}

fn derive(seeds: &[&[u8]], program: &Address) -> Address {
    Address::find_program_address(seeds, program).0
}
