//! What payers and merchants sign and send.

use std::sync::atomic::Ordering;

use ed25519_dalek::Signer;
use serde_json::{Value, json};
use solana_sdk::signer::Signer as _;
use x402_escrow_domain::payment::Action;
use x402_escrow_interface::{message::Digest, resource::resource_hash};
use x402_escrow_wire::{
    auth_capture::{
        AUTHORIZATION_FLOW, CaptureAuthorizer, Extra, IntentPayload, LifecyclePayload, VoucherPayload,
        stream_resource_hash,
    },
    payment::PaymentRequirements,
    text::{Base58, Decimal, Hex32},
};

use super::World;
use crate::{
    patience::{AUTHORIZE_SECONDS, CALLER_MARGIN_SECONDS},
    setup::{NETWORK, Wallet, keypair, program, signing_key},
};

/// What is bought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    pub(super) merchant: &'a str,
    pub(super) amount: u64,
    /// The price of a request out of a streamed hold.
    pub(super) price: Option<u64>,
    /// Unix seconds.
    pub(super) capture_deadline: i64,
}

/// A payment that its payer signed.
pub(super) struct Signed {
    pub(super) id: Digest,
    pub(super) requirements: PaymentRequirements,
    pub(super) body: Value,
    pub(super) intent: x402_escrow_interface::message::Intent,
}

impl World {
    pub(super) fn requirements(&self, terms: Terms<'_>) -> PaymentRequirements {
        let merchant = keypair(terms.merchant).pubkey();
        let streamed = terms.price.is_some();
        let extra = Extra {
            payment_flow: "escrow".to_owned(),
            capture_mode: None,
            program: program().into(),
            fee_payer: keypair("fee payer").pubkey().into(),
            capture_authorizer: if streamed {
                CaptureAuthorizer::SessionKey
            } else {
                CaptureAuthorizer::Key(merchant.into())
            },
            request_price: terms.price.map(Decimal),
            receiver_authorizer: merchant.into(),
            capture_deadline: terms.capture_deadline,
            refund_deadline: 0,
            fee_recipient: None,
            max_fee_bps: 0,
            resource_hash: Hex32(if streamed {
                stream_resource_hash("https://shop.test")
            } else {
                resource_hash("GET", "https://shop.test/report", b"")
            }),
            commitment: None,
        };
        PaymentRequirements {
            scheme: "auth-capture".to_owned(),
            network: NETWORK.to_owned(),
            amount: Decimal(terms.amount),
            asset: self.mint.into(),
            pay_to: merchant.into(),
            max_timeout_seconds: 60,
            extra: extra.to_map(),
        }
    }

    /// Has the wallet's session key sign; with the first voucher where the hold is streamed.
    pub(super) fn sign(&self, wallet: &Wallet, terms: Terms<'_>, story: &'static str) -> Signed {
        let nonce = wallet.nonce.fetch_add(1, Ordering::Relaxed);
        self.sign_with(wallet, nonce, terms, story)
    }

    pub(super) fn sign_with(
        &self,
        wallet: &Wallet,
        nonce: u64,
        terms: Terms<'_>,
        story: &'static str,
    ) -> Signed {
        self.sign_for(wallet, nonce, self.requirements(terms), terms, story)
    }

    /// The same for what is charged at once.
    pub(super) fn sign_charge(&self, wallet: &Wallet, terms: Terms<'_>, story: &'static str) -> Signed {
        let nonce = wallet.nonce.fetch_add(1, Ordering::Relaxed);
        let mut requirements = self.requirements(terms);
        requirements.extra.insert("paymentFlow".to_owned(), json!(AUTHORIZATION_FLOW));
        self.sign_for(wallet, nonce, requirements, terms, story)
    }

    fn sign_for(
        &self,
        wallet: &Wallet,
        nonce: u64,
        requirements: PaymentRequirements,
        terms: Terms<'_>,
        story: &'static str,
    ) -> Signed {
        let extra = Extra::read(&requirements).expect("the terms are sound");
        let mut payload = IntentPayload {
            escrow: wallet.escrow.into(),
            session_key: keypair(&wallet.key).pubkey().into(),
            incarnation: Base58(wallet.incarnation),
            nonce: Decimal(nonce),
            authorize_by: (self.time.now() + AUTHORIZE_SECONDS).min(terms.capture_deadline),
            receiver_proof: Vec::new(),
            signature: None,
            voucher: None,
            capture: None,
        };
        let intent = payload.intent(&requirements, &extra);
        let signature = signing_key(&wallet.key).sign(&intent.signed_bytes()).to_bytes();
        payload.signature = Some(Base58(signature));
        let id = self.ledger.sign(intent, signature, story);
        if let Some(price) = terms.price {
            payload.voucher = Some(self.voucher(wallet, id, price));
        }
        let body = envelope(&requirements, json!(payload));
        Signed { id, requirements, body, intent }
    }

    /// A voucher of the wallet's session key.
    pub(super) fn voucher(&self, wallet: &Wallet, id: Digest, amount: u64) -> VoucherPayload {
        self.ledger.update(&id, |deal| deal.signed = deal.signed.max(amount));
        let mut voucher = VoucherPayload {
            payment_id: Hex32(id),
            amount: Decimal(amount),
            fee: Decimal(0),
            signature: Base58([0; 64]),
        };
        voucher.signature = Base58(signing_key(&wallet.key).sign(&voucher.signed_bytes()).to_bytes());
        let signature = voucher.signature.0;
        self.ledger.hand_out(id, Action::Capture { amount, fee: 0, last: false, signature });
        voucher
    }

    /// A capture by the merchant.
    pub(super) fn capture(&self, signed: &Signed, merchant: &str, amount: u64, last: bool) -> Value {
        self.ledger.update(&signed.id, |deal| {
            deal.signed = deal.signed.max(amount);
            if last {
                deal.release(amount);
            }
        });
        let payload = LifecyclePayload::Capture {
            payment_id: Hex32(signed.id),
            amount: Decimal(amount),
            fee: Decimal(0),
            last,
            signature: Base58([0; 64]),
        };
        self.lifecycle(signed, merchant, payload)
    }

    /// A release by the merchant: the end of a hold, or of a stream.
    pub(super) fn release(&self, signed: &Signed, merchant: &str, amount: u64, close: bool) -> Value {
        self.ledger.update(&signed.id, |deal| deal.release(amount));
        let (payment_id, amount, signature) = (Hex32(signed.id), Decimal(amount), Base58([0; 64]));
        let payload = if close {
            LifecyclePayload::Close { payment_id, amount, signature }
        } else {
            LifecyclePayload::Void { payment_id, amount, signature }
        };
        self.lifecycle(signed, merchant, payload)
    }

    /// What `signer` says about the payment, whether it may or not. From now on anybody has it.
    pub(super) fn lifecycle(&self, signed: &Signed, signer: &str, payload: LifecyclePayload) -> Value {
        let by = Base58(signing_key(signer).sign(&payload.signed_bytes()).to_bytes());
        let payload = payload.with_signature(by);
        self.ledger.hand_out(
            signed.id,
            match payload {
                LifecyclePayload::Capture { amount, fee, last, signature, .. } => {
                    Action::Capture { amount: amount.0, fee: fee.0, last, signature: signature.0 }
                }
                LifecyclePayload::Close { amount, signature, .. }
                | LifecyclePayload::Void { amount, signature, .. } => {
                    Action::Void { amount: amount.0, signature: signature.0 }
                }
            },
        );
        envelope(&signed.requirements, json!(payload))
    }
}

impl Signed {
    /// Whether nobody asks any more to have it held.
    pub(super) fn is_late(&self, now: i64) -> bool {
        now >= self.intent.authorize_by - CALLER_MARGIN_SECONDS
    }
}

/// The body of `/verify` and `/settle`.
pub(super) fn envelope(requirements: &PaymentRequirements, payload: Value) -> Value {
    json!({
        "x402Version": 2,
        "paymentPayload": { "x402Version": 2, "accepted": requirements, "payload": payload },
        "paymentRequirements": requirements,
    })
}
