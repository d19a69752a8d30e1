//! Who allowed it: a signature over one of the messages, or the key itself as signer of the transaction.

use anchor_lang::prelude::*;
use brine_ed25519::hasher::{FastSha512, Hasher};
use x402_escrow_interface::message::{DIGEST_BYTES, Digest, MAX_TAG_BYTES};

use crate::error::EscrowError;

/// R and the public key, which the challenge hash starts with.
const PREFIX_BYTES: usize = 64;

/// What one SHA-512 block takes besides its padding (FIPS 180-4 5.1.2).
const _: () = assert!(PREFIX_BYTES + MAX_TAG_BYTES + DIGEST_BYTES <= 111);

/// Requires `signature` to be a strict Ed25519 signature by `key` over `tag` and `digest`.
///
/// Strict: canonical encodings of R, S and the key, none of small order, the equation without cofactor. Kept in one
/// place: the verification is inlined, and its unrolled hash is most of the program's size.
#[inline(never)]
pub(crate) fn verify(key: &Address, signature: &[u8; 64], tag: &[u8], digest: &Digest) -> Result<()> {
    let mut block = [0u8; PREFIX_BYTES + MAX_TAG_BYTES + DIGEST_BYTES];
    let tag_end = PREFIX_BYTES + tag.len();
    let end = tag_end + DIGEST_BYTES;
    block[..32].copy_from_slice(&signature[..32]);
    block[32..64].copy_from_slice(key.as_ref());
    block[PREFIX_BYTES..tag_end].copy_from_slice(tag);
    block[tag_end..end].copy_from_slice(digest);
    let challenge = FastSha512::hash(&block[..end]);
    brine_ed25519::verify_prehashed_strict(key, signature, &challenge)
        .map_err(|_| EscrowError::InvalidSignature.into())
}

/// Requires `authorizer`'s consent: its signature where there is one, else that the next of `remaining` is the
/// authorizer and signed the transaction. Returns the accounts that are left.
pub(crate) fn require_authorizer<'a>(
    authorizer: &Address,
    signature: Option<&[u8; 64]>,
    tag: &[u8],
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
