//! x402 on the wire: version 2, what facilitators need of version 1, and the schemes `auth-capture` and `exact` on
//! Solana.
//!
//! - [`payment`]: challenge and payment, as headers carry them
//! - [`facilitator`]: what `/verify`, `/settle` and `/supported` take and answer
//! - [`bazaar`]: the extension by which what is sold gets into a catalogue
//! - [`claim`]: by what a verifier tells apart who asks
//! - [`clock`]: this machine's time
//! - [`auth_capture`]: the scheme's fields, and the intent that requirements and payload make together
//! - [`durable`]: files that outlive a crash
//! - [`exact`]: the fields of the scheme `exact`
//! - [`merchant_request`]: how a merchant signs what it asks a verifier for
//! - [`payment_identifier`]: the extension by which a purchase is asked for again
//! - [`revocation`]: an owner's signed word that sessions are over
//! - [`purchase`]: what seller and buyer know of one purchase, as state machines
//! - [`usdc`]: the token that most merchants ask for
//! - [`v1`]: version 1's shapes and network names
//! - [`field`]: reads JSON so that an error names the field
//! - [`amount`]: decimal amounts of tokens
//! - [`text`]: base58, hex, decimal amounts and base64 headers
//! - [`error_code`]: why a payment is refused
//!
//! Names follow the x402 specification; see `docs/http-api.md` and `docs/scheme-auth-capture-svm.md`.

pub mod amount;
pub mod auth_capture;
pub mod bazaar;
pub mod claim;
pub mod clock;
pub mod durable;
pub mod error_code;
pub mod exact;
pub mod facilitator;
pub mod field;
pub mod merchant_request;
pub mod payment;
pub mod payment_identifier;
pub mod purchase;
pub mod revocation;
pub mod text;
pub mod usdc;
pub mod v1;

/// The protocol version that this crate speaks; of version 1 it has what facilitators need, in [`v1`].
pub const X402_VERSION: u64 = 2;

/// The CAIP-2 network id of the Solana cluster with this genesis hash (base58): its first 32 characters.
pub fn network_id(genesis_hash: &str) -> String {
    let reference: String = genesis_hash.chars().take(32).collect();
    format!("solana:{reference}")
}
