//! Version 1 of x402, as far as a facilitator meets it: the same questions and answers as version 2, with other names.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    exact, facilitator,
    text::{Decimal, Key, null_as_default},
};

/// The protocol version.
pub const X402_VERSION: u64 = 1;

/// Version 1's names of Solana's public clusters, and their CAIP-2 ids.
const NETWORKS: [(&str, &str); 3] = [
    ("solana", "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"),
    ("solana-devnet", "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"),
    ("solana-testnet", "solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z"),
];

/// What version 1 calls the network with this CAIP-2 id. Other clusters have no name there.
pub fn network_name(network: &str) -> Option<&'static str> {
    NETWORKS.iter().find(|(_, id)| *id == network).map(|(name, _)| *name)
}

/// Body of `POST /verify` and `POST /settle`.
pub type FacilitatorRequest = facilitator::FacilitatorRequest<PaymentPayload, PaymentRequirements>;

/// A payment, as the header `X-PAYMENT` carries it: base64 of JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentPayload {
    /// The protocol's version.
    pub x402_version: u64,
    /// The scheme.
    pub scheme: String,
    /// The network's name.
    pub network: String,
    /// What the scheme puts here.
    pub payload: exact::Payload,
}

/// One way to pay. What it says about the resource is the server's business, and not read here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequirements {
    /// How.
    pub scheme: String,
    /// Where: the network's name.
    pub network: String,
    /// How much, in base units of `asset`. With the scheme `exact` it is what is paid, not a maximum.
    pub max_amount_required: Decimal,
    /// The token's mint.
    pub asset: Key,
    /// Who is paid.
    pub pay_to: Key,
    /// What the scheme needs besides.
    #[serde(default, deserialize_with = "null_as_default")]
    pub extra: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network_id;

    #[test]
    fn devnet_has_a_name_and_a_local_cluster_has_none() {
        let devnet = network_id("EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG");
        assert_eq!(network_name(&devnet), Some("solana-devnet"));
        assert_eq!(network_name("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdq"), None);
    }
}
