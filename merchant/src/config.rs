//! States what a merchant sets up once, and signs with its key. Uses `base`; no
//! I/O.

use std::path::PathBuf;

use ed25519_dalek::{Signer, SigningKey};
use x402_escrow_interface::message::MAXIMUM_CAPTURE_SECONDS;
use x402_escrow_wire::{
    auth_capture::Commitment,
    text::{Base58, Key},
};

use crate::base;

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
    /// Folder of the merchant's record: what was served, and the captures that it signed. It is made if
    /// it isn't there. One merchant at a time uses it, and each instance has its own.
    pub state_folder: PathBuf,
    /// How long a payment may take, in seconds.
    pub maximum_timeout_seconds: u64,
    /// From challenge to capture deadline, in seconds; at most [`MAXIMUM_CAPTURE_SECONDS`].
    pub capture_window_seconds: i64,
    /// How long after the capture deadline the merchant promises to give refunds, in seconds; 0 for
    /// no promise. Nothing on chain bounds when it gives them.
    pub refund_window_seconds: u32,
    /// How final a capture must be before the facilitator says yes; at least its own policy, which
    /// may be satisfied with having it on disk.
    pub capture_commitment: Option<Commitment>,
    /// How long nobody must have used a streamed hold before it is captured and closed, in seconds.
    pub stream_idle_seconds: u64,
    /// Whether streamed holds are closed before their deadlines. False where several instances sell
    /// with one key: a release that one signs would take back what another has sold meanwhile. Then
    /// the facilitator captures the last voucher before the deadline.
    pub closes_streams: bool,
    /// The token's decimals, where the facilitator does not tell them.
    pub decimals: Option<u8>,
    /// The longest request body.
    pub maximum_body_bytes: usize,
}

/// Why a merchant can't be set up so: the setting, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {message}")]
pub struct ConfigError {
    pub(crate) setting: &'static str,
    pub(crate) message: String,
}

impl MerchantConfig {
    /// Pays the owner of `authorizer`; an hour to capture, no refunds, streams closed after a
    /// minute, bodies up to 64 KiB.
    pub fn new(
        facilitator: String,
        public_url: String,
        asset: Key,
        authorizer: SigningKey,
        state_folder: PathBuf,
    ) -> Self {
        Self {
            facilitator,
            public_url,
            asset,
            pay_to: Base58(authorizer.verifying_key().to_bytes()),
            authorizer,
            state_folder,
            maximum_timeout_seconds: 60,
            capture_window_seconds: 3600,
            refund_window_seconds: 0,
            capture_commitment: None,
            stream_idle_seconds: 60,
            closes_streams: true,
            decimals: None,
            maximum_body_bytes: 64 * 1024,
        }
    }

    /// Checks what can be checked without anybody else. Returns the base URLs of the facilitator and
    /// of the merchant, normalised.
    ///
    /// # Errors
    /// Names the first setting that can't be used.
    pub(crate) fn check(&self) -> Result<(String, String), ConfigError> {
        let wrong = |setting, message| ConfigError { setting, message };
        let facilitator =
            base::normalise(&self.facilitator).map_err(|message| wrong("facilitator", message))?;
        let public_url = base::normalise(&self.public_url).map_err(|message| wrong("public_url", message))?;
        let windows = 1..=MAXIMUM_CAPTURE_SECONDS;
        let message = match self {
            _ if !windows.contains(&self.capture_window_seconds) => {
                ("capture_window_seconds", format!("must be 1 to {MAXIMUM_CAPTURE_SECONDS} seconds"))
            }
            _ if self.maximum_timeout_seconds == 0 => {
                ("maximum_timeout_seconds", "must be at least 1 second: no payment is that fast".to_owned())
            }
            _ if self.stream_idle_seconds == 0 => (
                "stream_idle_seconds",
                "must be at least 1 second: a stream would be closed between two requests".to_owned(),
            ),
            _ if self.maximum_body_bytes == 0 => ("maximum_body_bytes", "must be at least 1 byte".to_owned()),
            _ => return Ok((facilitator, public_url)),
        };
        Err(wrong(message.0, message.1))
    }

    /// The key that verifies what the merchant signs.
    pub(crate) fn authorizer_key(&self) -> Key {
        Base58(self.authorizer.verifying_key().to_bytes())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Base58<64> {
        Base58(self.authorizer.sign(message).to_bytes())
    }
}
