use serde::Deserialize;
use x402_escrow_interface::{Address, instruction::Signature};

/// A published signature, byte for byte. The first twelve are those of "Taming the many EdDSAs", in its order; then
/// come those of RFC 8032 7.1, but for the one whose message is longer than a Solana transaction.
#[derive(Deserialize)]
pub(crate) struct Published {
    pub(crate) name: String,
    public_key: String,
    message: String,
    signature: String,
    /// Whether it is a strict signature.
    pub(crate) accepted: bool,
}

impl Published {
    pub(crate) fn all() -> Vec<Self> {
        serde_json::from_str(include_str!("published.json")).unwrap()
    }

    pub(crate) fn key(&self) -> Address {
        let bytes: [u8; 32] = hex::decode(&self.public_key).unwrap().try_into().unwrap();
        Address::from(bytes)
    }

    pub(crate) fn message(&self) -> Vec<u8> {
        hex::decode(&self.message).unwrap()
    }

    pub(crate) fn signature(&self) -> Signature {
        hex::decode(&self.signature).unwrap().try_into().unwrap()
    }
}
