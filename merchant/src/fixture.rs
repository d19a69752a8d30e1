//! A merchant and its facilitator, as tests have them.

use ed25519_dalek::SigningKey;
use serde_json::Map;
use x402_escrow_wire::text::Base58;

use crate::{config::MerchantConfig, facilitator::Support};

pub(crate) fn config() -> MerchantConfig {
    MerchantConfig::new(
        "http://facilitator.test".into(),
        "https://shop.test".into(),
        Base58([2; 32]),
        SigningKey::from_bytes(&[7; 32]),
        "state".into(),
    )
}

pub(crate) fn support() -> Support {
    let (program, fee_payer) = (Base58([3; 32]), Base58([4; 32]));
    Support { network: "solana:test".into(), program, fee_payer, tokens: Map::new() }
}
