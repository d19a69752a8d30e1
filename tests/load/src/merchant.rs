//! The merchant that all payers pay.

use anyhow::{Context, Result};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::json;
use x402_escrow_wire::{
    auth_capture::{Extra, Level, LifecyclePayload},
    payment::PaymentRequirements,
    text::{Base58, Decimal, Hex32},
};

use crate::connection::body;

/// Captures payments in full.
#[derive(Debug)]
pub struct Merchant {
    key: SigningKey,
    accepted: PaymentRequirements,
}

impl Merchant {
    /// Of its key, and what it asks for.
    pub fn new(key: [u8; 32], accepted: PaymentRequirements) -> Self {
        Self { key: SigningKey::from_bytes(&key), accepted }
    }

    /// The key that signs captures.
    pub fn key(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The request that captures a payment; who is hurried waits until that is confirmed.
    ///
    /// # Errors
    /// If what it asks for can't be read.
    pub fn capture(&self, payment_id: Hex32, is_hurried: bool) -> Result<String> {
        let (amount, fee, signature) = (self.accepted.amount, Decimal(0), Base58([0; 64]));
        let unsigned = LifecyclePayload::Capture { payment_id, amount, fee, last: true, signature };
        let signature = Base58(self.key.sign(&unsigned.signed_bytes()).to_bytes());
        let mut extra = Extra::read(&self.accepted).context("what the merchant asks for")?;
        extra.commitment = is_hurried.then_some(Level::Confirmed);
        let accepted = PaymentRequirements { extra: extra.to_map(), ..self.accepted.clone() };
        Ok(body(&accepted, &json!(unsigned.with_signature(signature))))
    }
}
