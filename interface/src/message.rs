//! The four signed messages. Each is laid out as Borsh writes it (fixed size, little-endian, no padding), hashed
//! with SHA-256, and signed with Ed25519 (RFC 8032) as an ASCII tag followed by the digest.
//!
//! The tag names the message and its version, so that a signature over one can't be read as another. It starts with
//! `x` (0x78): read as a Solana transaction that would claim 120 signers, more than a transaction can hold, so no
//! wallet can be tricked into signing an intent as a transaction or the reverse. Every tag has 15 bytes: with the
//! digest (32 bytes), the signature's R (32) and the public key (32) the hash's input is 111 bytes, the most that
//! fits one SHA-512 block, which saves a third of the cost of verification in the program.

mod capture;
mod intent;
mod release;
mod revoke;

pub use capture::Capture;
pub use intent::{Intent, PaymentFlow};
pub use release::Release;
pub use revoke::{Revoke, RevokeScope};

/// The longest that an intent may hold money: from its authorization to its capture deadline, in seconds (30 days).
pub const MAXIMUM_CAPTURE_SECONDS: i64 = 30 * 86_400;

/// Length of a SHA-256 digest in bytes.
pub const DIGEST_BYTES: usize = 32;

/// A SHA-256 digest of one of the messages. An intent's digest is the payment's identity.
pub type Digest = [u8; DIGEST_BYTES];

/// Length of every tag in bytes.
pub const TAG_BYTES: usize = 15;

/// Length of the signed bytes.
pub const SIGNED_BYTES: usize = TAG_BYTES + DIGEST_BYTES;

/// The exact bytes that are signed: the tag, then the digest.
pub fn signed_bytes(tag: &[u8; TAG_BYTES], digest: &Digest) -> [u8; SIGNED_BYTES] {
    let mut bytes = [0; SIGNED_BYTES];
    bytes[..TAG_BYTES].copy_from_slice(tag);
    bytes[TAG_BYTES..].copy_from_slice(digest);
    bytes
}
