//! The extension `bazaar`: servers describe what they sell, and facilitators list it. `specs/extensions/bazaar.md` of x402.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::payment::PaymentRequirements;

/// The extension's name.
pub const EXTENSION: &str = "bazaar";

/// The member of the requirements' `extra` by which a server says that what it sells is not to be listed. An addition of
/// this facilitator: what the client wrote is not the server's word.
pub const DISCOVERABLE: &str = "discoverable";

/// The response header of `/settle` that says what became of an extension: base64 of a JSON object with a member for each.
pub const EXTENSION_RESPONSES: &str = "EXTENSION-RESPONSES";

/// Something that is sold, as a catalogue has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiscoveryResource {
    /// Its URL; for parameters in the path, with their names: `https://a.test/users/:id`.
    pub resource: String,
    /// `http` or `mcp`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The protocol's version.
    pub x402_version: u64,
    /// How it was paid for.
    pub accepts: Vec<PaymentRequirements>,
    /// When somebody last paid for it, as RFC 3339 has it; absent where it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_updated: Option<String>,
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Media type of the response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// The name of the service that sells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// URL of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon_url: Option<String>,
    /// The extension as the server declared it.
    pub extensions: Map<String, Value>,
}

/// Answer of `GET /discovery/resources`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiscoveryResources {
    /// The protocol's version.
    pub x402_version: u64,
    /// What was asked for, the one that was paid for last first.
    pub items: Vec<DiscoveryResource>,
    /// Which part of it this is.
    pub pagination: Pagination,
}

/// Which part of a list an answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pagination {
    /// At most so many.
    pub limit: u64,
    /// After so many.
    pub offset: u64,
    /// Of so many.
    pub total: u64,
}
