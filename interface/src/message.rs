//! The three signed messages. Each is laid out as Borsh writes it (fixed size, little-endian, no padding), hashed
//! with SHA-256, and signed with Ed25519 (RFC 8032) as an ASCII tag followed by the digest.
//!
//! The tag names the message and its version, so that a signature over one can't be read as another. It starts with
//! `x` (0x78): read as a Solana transaction that would claim 120 signers, more than a transaction can hold, so no
//! wallet can be tricked into signing an intent as a transaction or the reverse. Tag and digest stay within 47
//! bytes: with the signature's R (32 bytes) and the public key (32 bytes) they fill one SHA-512 block of at most
//! 111 bytes, which saves a third of the cost of verification in the program.

mod capture;
mod intent;
mod release;

use alloc::vec::Vec;

pub use capture::Capture;
pub use intent::{Intent, PaymentFlow};
pub use release::Release;

/// Length of a SHA-256 digest in bytes.
pub const DIGEST_BYTES: usize = 32;

/// A SHA-256 digest of one of the messages. An intent's digest is the payment's identity.
pub type Digest = [u8; DIGEST_BYTES];

/// Bytes of the longest tag; tag and digest together are at most 47 bytes.
pub const MAX_TAG_BYTES: usize = 15;

/// The exact bytes that are signed: the tag, then the digest.
pub fn signed_bytes(tag: &[u8], digest: &Digest) -> Vec<u8> {
    [tag, digest].concat()
}

const _: () = assert!(Intent::TAG.len() <= MAX_TAG_BYTES);
const _: () = assert!(Capture::TAG.len() <= MAX_TAG_BYTES);
const _: () = assert!(Release::TAG.len() <= MAX_TAG_BYTES);
