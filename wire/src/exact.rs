//! The scheme `exact` on Solana: the client signs a transaction with one token transfer, and the facilitator signs as
//! its fee payer and sends it. `specs/schemes/exact/scheme_exact_svm.md` of x402.

use serde::{Deserialize, Serialize};

use crate::{
    auth_capture::Level,
    text::{Key, null_as_default},
};

/// The scheme's name.
pub const SCHEME: &str = "exact";

/// Longest `extra.memo`, in bytes of UTF-8.
pub const MAXIMUM_MEMO_BYTES: usize = 256;

/// Members of `extra` that help a client to build its transaction and bind nobody: a server may offer others with each
/// challenge.
pub const HINTS: [&str; 2] = ["recentBlockhash", "lastValidBlockHeight"];

/// In which order a server verifies, serves and settles: `extra.paymentFlow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flow {
    /// Verify, serve, settle.
    Authorization,
    /// Settle, serve: for what takes longer than a blockhash lives.
    Upfront,
}

/// What `extra` of the requirements holds, as far as a facilitator needs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extra {
    /// Who pays the transaction's fee: the facilitator.
    pub fee_payer: Key,
    /// What the transaction's one memo must be, if the server asks for one.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Option::is_none")]
    pub memo: Option<String>,
    /// In which order the server goes; absent for [`Flow::Authorization`]. A settlement is the same in either.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Option::is_none")]
    pub payment_flow: Option<Flow>,
    /// How final the transfer must be before the server serves; absent leaves it to the facilitator's policy. An
    /// addition of this facilitator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitment: Option<Level>,
}

/// The scheme's payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// The transaction in base64 (RFC 4648 section 4), signed by the payer and not yet by the fee payer.
    pub transaction: String,
}
