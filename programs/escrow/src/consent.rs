//! Who allowed it: a signature over one of the messages, or the key itself as signer of the transaction.

use anchor_lang::prelude::*;
use brine_ed25519::hasher::{FastSha512, Hasher};
use x402_escrow_interface::message::{Digest, SIGNED_BYTES, TAG_BYTES, signed_bytes};

use crate::{error::EscrowError, remaining::RemainingAccounts};

/// The challenge hash covers R, the public key and the signed bytes.
const CHALLENGE_BYTES: usize = 64 + SIGNED_BYTES;

/// What one SHA-512 block takes besides its padding (FIPS 180-4 5.1.2).
const _: () = assert!(CHALLENGE_BYTES <= 111);

/// How an authorizer consents.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy)]
pub enum Consent<'a> {
    /// By this signature over the message; anyone may relay it.
    Signature(&'a [u8; 64]),
    /// As signer of the transaction, who names the payment or the revocation by its digest: a transaction that lingers
    /// can't hit another one at the same address.
    Signer(&'a [u8; 32]),
}

impl Consent<'_> {
    /// Requires that this is `authorizer`'s consent to `message`, which is about what `subject` names.
    pub(crate) fn require(
        &self,
        authorizer: &Address,
        subject: &Digest,
        tag: &[u8; TAG_BYTES],
        message: impl FnOnce() -> Digest,
        remaining: RemainingAccounts<'_>,
    ) -> Result<()> {
        match self {
            Self::Signature(signature) => verify(authorizer, signature, tag, &message()),
            Self::Signer(named) => {
                require!(*named == subject, EscrowError::WrongConsent);
                require!(remaining.has_signer(authorizer), EscrowError::MissingAuthorizer);
                Ok(())
            }
        }
    }
}

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
