//! Challenge and payment: x402 version 2, sections 5.1 and 5.2; the headers of its HTTP transport.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::text::{Decimal, Key, null_as_default};

/// Response header of a challenge: base64 of [`PaymentRequired`].
pub const PAYMENT_REQUIRED: &str = "PAYMENT-REQUIRED";
/// Request header of a payment: base64 of [`PaymentPayload`].
pub const PAYMENT_SIGNATURE: &str = "PAYMENT-SIGNATURE";
/// Response header of a settled payment: base64 of [`crate::facilitator::SettleResponse`].
pub const PAYMENT_RESPONSE: &str = "PAYMENT-RESPONSE";

/// What a server answers with status 402.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequired {
    /// The protocol's version.
    pub x402_version: u64,
    /// Why the request was not served, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What is being sold.
    pub resource: ResourceInfo,
    /// The ways to pay. Kept as raw JSON: a way that we don't know must not hide those we do.
    pub accepts: Vec<Value>,
    /// Extensions, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Map<String, Value>>,
}

/// What is being sold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceInfo {
    /// Absolute URL of the request.
    pub url: String,
    /// What the resource is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Media type of the response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// The name of the service that sells it. This and what follows is for catalogues: see [`crate::bazaar`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_name: Option<Value>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Value>,
    /// URL of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon_url: Option<Value>,
}

/// One way to pay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequirements {
    /// How: `auth-capture`, `exact`, …
    pub scheme: String,
    /// Where: a CAIP-2 id.
    pub network: String,
    /// How much, in base units of `asset`.
    pub amount: Decimal,
    /// The token's mint.
    pub asset: Key,
    /// Who is paid.
    pub pay_to: Key,
    /// How long the payment may take, in seconds.
    pub max_timeout_seconds: u64,
    /// What the scheme needs besides.
    #[serde(default, deserialize_with = "null_as_default")]
    pub extra: Map<String, Value>,
}

/// A payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentPayload {
    /// The protocol's version.
    pub x402_version: u64,
    /// What is being bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceInfo>,
    /// The way to pay that was chosen, as the challenge had it.
    pub accepted: PaymentRequirements,
    /// What the scheme puts here.
    pub payload: Value,
    /// Extensions, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Map<String, Value>>,
}
