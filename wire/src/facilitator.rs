//! What a facilitator takes and answers: x402 version 2, section 7. A verdict of "no" is an answer with HTTP status
//! 200.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    claim::Claim,
    payment::{PaymentPayload, PaymentRequirements},
    text::{Base58, Decimal, Hex32, Key},
};

/// Body of `POST /verify` and `POST /settle`: of version 2, unless it names other types.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FacilitatorRequest<Payload = PaymentPayload, Requirements = PaymentRequirements> {
    /// The protocol's version.
    pub x402_version: u64,
    /// What the client sent.
    pub payment_payload: Payload,
    /// What the server asked for.
    pub payment_requirements: Requirements,
    /// Who asks to settle an intent or a voucher: the facilitator keeps the first claim of each, and
    /// says yes again to nobody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
}

/// Answer of `POST /verify`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyResponse {
    /// Whether the payment would settle.
    pub is_valid: bool,
    /// A code of [`crate::error_code`] if it would not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_reason: Option<String>,
    /// What was wrong, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_message: Option<String>,
    /// Whose money it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<Key>,
    /// What else is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Map<String, Value>>,
}

/// Answer of `POST /settle`, and content of the `PAYMENT-RESPONSE` header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettleResponse {
    /// Whether the payment settled.
    pub success: bool,
    /// A code of [`crate::error_code`] if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_reason: Option<String>,
    /// What was wrong, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Whose money it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<Key>,
    /// The transaction's signature; empty if none was sent.
    pub transaction: String,
    /// Where: a CAIP-2 id.
    pub network: String,
    /// What this settlement moved or held, in base units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Decimal>,
    /// What else is known: payment id, slot, block hash, commitment asked and observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Map<String, Value>>,
}

/// Answer of `GET /supported`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SupportedResponse {
    /// What can be verified and settled.
    pub kinds: Vec<SupportedKind>,
    /// Extensions, by name.
    pub extensions: Vec<String>,
    /// Keys that sign transactions, by CAIP-2 id.
    pub signers: Map<String, Value>,
}

/// One thing that can be verified and settled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SupportedKind {
    /// The protocol's version.
    pub x402_version: u64,
    /// The scheme.
    pub scheme: String,
    /// The network.
    pub network: String,
    /// What a server puts into its requirements' `extra`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// Body of `POST /refunds`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundRequest {
    /// Digest of the intent.
    pub payment_id: Hex32,
    /// All that is to be refunded of the payment, earlier refunds included, in base units.
    pub amount: Decimal,
}

/// Answer of `GET /receivers/{receiver}/{asset}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiverReport {
    /// The receiver's associated token account.
    pub token_account: Key,
    /// Whether it exists and is not frozen.
    pub can_receive: bool,
    /// The token's decimals.
    pub decimals: u8,
    /// The rent of such an account, in lamports.
    pub rent_lamports: Decimal,
}

/// Answer of `POST /refunds`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundDraft {
    /// Message of the Solana transaction that the receiver signs, in base64.
    pub message: String,
    /// What it returns to the payer's escrow, in base units.
    pub returns: Decimal,
}

/// Body of `POST /refunds/signed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedRefund {
    /// Digest of the intent.
    pub payment_id: Hex32,
    /// As it was asked for.
    pub amount: Decimal,
    /// As it was drafted.
    pub message: String,
    /// By the receiver over the message.
    pub signature: Base58<64>,
}
