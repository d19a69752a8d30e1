//! Who allowed it: a signature over one of the messages, or the key itself as signer of the transaction.

use anchor_lang::prelude::*;
use brine_ed25519::hasher::{FastSha512, Hasher};
use x402_escrow_interface::message::{Digest, SIGNED_BYTES, TAG_BYTES, signed_bytes};

use crate::error::EscrowError;

/// The challenge hash covers R, the public key and the signed bytes.
const CHALLENGE_BYTES: usize = 64 + SIGNED_BYTES;

/// What one SHA-512 block takes besides its padding (FIPS 180-4 5.1.2).
const _: () = assert!(CHALLENGE_BYTES <= 111);

/// Requires `signature` to be a strict Ed25519 signature by `key` over `tag` and `digest`.
///
/// Strict: canonical encodings of R, S and the key, none of small order, the equation without cofactor. Kept in one
/// place and of one length: the unrolled hash is 40 KB of program, and must not be there twice.
#[inline(never)]
pub(crate) fn verify(
    key: &Address,
    signature: &[u8; 64],
    tag: &[u8; TAG_BYTES],
    digest: &Digest,
) -> Result<()> {
    let mut challenge = [0u8; CHALLENGE_BYTES];
    challenge[..32].copy_from_slice(&signature[..32]);
    challenge[32..64].copy_from_slice(key.as_ref());
    challenge[64..].copy_from_slice(&signed_bytes(tag, digest));
    brine_ed25519::verify_prehashed_strict(key, signature, &FastSha512::hash(&challenge))
        .map_err(|_| EscrowError::InvalidSignature.into())
}

/// Requires `authorizer`'s consent: its signature where there is one, else that the next of `remaining` is the
/// authorizer and signed the transaction. Returns the accounts that are left.
pub(crate) fn require_authorizer<'a>(
    authorizer: &Address,
    signature: Option<&[u8; 64]>,
    tag: &[u8; TAG_BYTES],
    digest: impl FnOnce() -> Digest,
    remaining: &'a [AccountView],
) -> Result<&'a [AccountView]> {
    if let Some(signature) = signature {
        verify(authorizer, signature, tag, &digest())?;
        return Ok(remaining);
    }
    match remaining.split_first() {
        Some((signer, rest)) if signer.is_signer() && signer.address() == authorizer => Ok(rest),
        _ => Err(EscrowError::MissingAuthorizer.into()),
    }
}
