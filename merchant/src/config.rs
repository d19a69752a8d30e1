//! States what a merchant sets up once, and signs with its key. No I/O.

use std::path::PathBuf;

use ed25519_dalek::{Signer, SigningKey};
use x402_escrow_wire::{
    auth_capture::Commitment,
    text::{Base58, Key},
};

/// What a merchant sets up once.
#[derive(Clone, Debug)]
pub struct MerchantConfig {
    /// Base URL of the facilitator.
    pub facilitator: String,
    /// Base URL under which clients reach the routes.
    pub public_url: String,
    /// The token's mint.
    pub asset: Key,
    /// Who is paid.
    pub pay_to: Key,
    /// Signs captures and releases.
    pub authorizer: SigningKey,
    /// File of the signed captures and releases that the facilitator doesn't have yet. One merchant
    /// at a time uses it.
    pub unsettled: PathBuf,
    /// How long a payment may take, in seconds.
    pub maximum_timeout_seconds: u64,
    /// From challenge to capture deadline, in seconds; at most
    /// [`MAXIMUM_CAPTURE_SECONDS`](x402_escrow_interface::message::MAXIMUM_CAPTURE_SECONDS).
    pub capture_window_seconds: i64,
    /// How long after the capture deadline the merchant promises to give refunds, in seconds; 0 for
    /// no promise. Nothing on chain bounds when it gives them.
    pub refund_window_seconds: u32,
    /// How final a capture must be before the facilitator says yes; at least its own policy, which
    /// may be satisfied with having it on disk.
    pub capture_commitment: Option<Commitment>,
    /// How long nobody must have used a streamed hold before it is captured and closed, in seconds.
    pub stream_idle_seconds: u64,
    /// The longest request body.
    pub maximum_body_bytes: usize,
}

impl MerchantConfig {
    /// Pays the owner of `authorizer`; an hour to capture, no refunds, streams closed after a
    /// minute, bodies up to 64 KiB.
    pub fn new(
        facilitator: String,
        public_url: String,
        asset: Key,
        authorizer: SigningKey,
        unsettled: PathBuf,
    ) -> Self {
        Self {
            facilitator,
            public_url,
            asset,
            pay_to: Base58(authorizer.verifying_key().to_bytes()),
            authorizer,
            unsettled,
            maximum_timeout_seconds: 60,
            capture_window_seconds: 3600,
            refund_window_seconds: 0,
            capture_commitment: None,
            stream_idle_seconds: 60,
            maximum_body_bytes: 64 * 1024,
        }
    }

    /// The key that verifies what the merchant signs.
    pub(crate) fn authorizer_key(&self) -> Key {
        Base58(self.authorizer.verifying_key().to_bytes())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Base58<64> {
        Base58(self.authorizer.sign(message).to_bytes())
    }
}
