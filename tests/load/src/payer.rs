//! Payers with a session each, who sign intents for one merchant.

use anyhow::{Context, Result};
use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};
use serde_json::json;
use x402_escrow_domain::payment::HoldTerms;
use x402_escrow_interface::message::Intent;
use x402_escrow_wire::{
    auth_capture::{Extra, IntentPayload},
    clock::unix_now,
    payment::PaymentRequirements,
    text::{Base58, Decimal, Hex32, Key},
};

use crate::connection::body;

/// How long an intent can be put on chain, in seconds.
const AUTHORIZE_SECONDS: i64 = 60;

/// A session of which nobody else uses a nonce.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Payer {
    /// The escrow.
    pub escrow: Key,
    /// The session's key.
    pub session_key: [u8; 32],
    /// The session's incarnation.
    pub incarnation: Key,
    /// The lowest nonce that is not used.
    pub next_nonce: u64,
}

/// All of them, the honest ones signing in turn. The first is hostile.
pub(crate) struct Payers {
    payers: Vec<Payer>,
    accepted: PaymentRequirements,
    extra: Extra,
    next: usize,
}

/// An intent that was signed.
pub(crate) struct Signed {
    /// Its id.
    pub(crate) payment_id: Hex32,
    /// What asks for its hold.
    pub(crate) body: String,
    /// What a relay needs of it.
    pub(crate) terms: HoldTerms,
}

impl Payers {
    pub(crate) fn new(payers: Vec<Payer>, accepted: PaymentRequirements) -> Result<Self> {
        let extra = Extra::read(&accepted).context("what is asked for")?;
        Ok(Self { payers, accepted, extra, next: 0 })
    }

    /// They as they are now.
    pub(crate) fn left(&self) -> Vec<Payer> {
        self.payers.clone()
    }

    /// The next honest payer's next intent.
    pub(crate) fn sign(&mut self) -> Signed {
        self.next = self.next % (self.payers.len() - 1) + 1;
        let payer = &mut self.payers[self.next];
        let nonce = payer.next_nonce;
        payer.next_nonce += 1;
        self.signed(self.next, nonce, 0)
    }

    /// Two intents of one nonce of the hostile payer, of which one can be held.
    pub(crate) fn sign_twice(&mut self) -> [Signed; 2] {
        let nonce = self.payers[0].next_nonce;
        self.payers[0].next_nonce += 1;
        [self.signed(0, nonce, 0), self.signed(0, nonce, 1)]
    }

    fn signed(&self, index: usize, nonce: u64, more: u64) -> Signed {
        let payer = &self.payers[index];
        let key = SigningKey::from_bytes(&payer.session_key);
        let mut payload = IntentPayload {
            escrow: payer.escrow,
            session_key: Base58(key.verifying_key().to_bytes()),
            incarnation: payer.incarnation,
            nonce: Decimal(nonce),
            authorize_by: unix_now() + AUTHORIZE_SECONDS,
            receiver_proof: Vec::new(),
            signature: None,
            voucher: None,
            capture: None,
        };
        let intent = payload.intent(&self.accepted, &self.extra);
        let intent = Intent { amount: intent.amount + more, ..intent };
        let signature = key.sign(&intent.signed_bytes()).to_bytes();
        payload.signature = Some(Base58(signature));
        let body = body(&self.accepted, &json!(payload));
        Signed {
            payment_id: Hex32(intent.digest()),
            body,
            terms: HoldTerms { intent, signature, receiver_proof: Vec::new() },
        }
    }
}
