//! A counter at which payments are taken: payer and merchant in one, who never give up asking.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ed25519_dalek::{Signer as _, SigningKey};
use rand::{Rng, SeedableRng, rngs::StdRng};
use reqwest::blocking::Client;
use serde_json::{Value, json};
use x402_escrow_interface::resource::resource_hash;
use x402_escrow_wire::{
    auth_capture::{CaptureAuthorizer, Extra, IntentPayload, LifecyclePayload},
    payment::PaymentRequirements,
    text::{Base58, Decimal, Hex32, Key},
};

const URL: &str = "https://shop.example/report";
/// Long enough for a verifier that dies several times on the way to a payment's end.
const CAPTURE_SECONDS: i64 = 60;

/// Who pays, who is paid, and through whom.
#[derive(Clone)]
pub(crate) struct Parties {
    pub(crate) verifier_url: String,
    pub(crate) network: String,
    pub(crate) fee_payer: Key,
    pub(crate) mint: Key,
    pub(crate) escrow: Key,
    pub(crate) incarnation: Key,
    pub(crate) session: SigningKey,
    pub(crate) merchant: SigningKey,
    /// The next intent's nonce.
    pub(crate) nonces: Arc<AtomicU64>,
}

/// How a payment is meant to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    InFull,
    InPart,
    InTwoParts,
    Voided,
    LeftAlone,
}

/// A payment that the verifier said yes to.
pub(crate) struct Sale {
    pub(crate) id: Hex32,
    pub(crate) ending: Ending,
    pub(crate) amount: u64,
    /// What the merchant must have in the end.
    pub(crate) captured: u64,
}

pub(crate) struct Counter {
    parties: Parties,
    random: StdRng,
    http: Client,
}

impl Counter {
    pub(crate) fn new(parties: Parties, seed: u64) -> Self {
        let http = Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
        Self { parties, random: StdRng::seed_from_u64(seed), http }
    }

    /// Takes one payment after the other. The first ends as told.
    pub(crate) fn sell_until(&mut self, closing: &AtomicBool, first: Ending) -> Vec<Sale> {
        let mut sales = vec![self.sell(first)];
        while !closing.load(Ordering::Relaxed) {
            let ending = match self.random.random_range(0..20) {
                0..6 => Ending::InFull,
                6..11 => Ending::InPart,
                11..15 => Ending::InTwoParts,
                15..19 => Ending::Voided,
                _ => Ending::LeftAlone,
            };
            sales.push(self.sell(ending));
        }
        sales
    }

    fn sell(&mut self, ending: Ending) -> Sale {
        let amount = self.random.random_range(1_000..100_000);
        let requirements = self.requirements(amount);
        let (payload, id) = self.intent(&requirements);
        self.insist(&requirements, &json!(payload));
        let part = self.random.random_range(1..amount);
        let captured = match ending {
            Ending::InFull => self.capture(&requirements, id, amount, true),
            Ending::InPart => self.capture(&requirements, id, part, true),
            Ending::InTwoParts => {
                self.capture(&requirements, id, part, false);
                self.capture(&requirements, id, amount, true)
            }
            Ending::Voided => self.void(&requirements, id),
            Ending::LeftAlone => 0,
        };
        Sale { id, ending, amount, captured }
    }

    fn capture(&self, requirements: &PaymentRequirements, payment_id: Hex32, amount: u64, last: bool) -> u64 {
        let (fee, unsigned) = (Decimal(0), Base58([0; 64]));
        let capture =
            LifecyclePayload::Capture { payment_id, amount: Decimal(amount), fee, last, signature: unsigned };
        self.insist(requirements, &self.signed(capture));
        amount
    }

    fn void(&self, requirements: &PaymentRequirements, payment_id: Hex32) -> u64 {
        let void = LifecyclePayload::Void { payment_id, amount: Decimal(0), signature: Base58([0; 64]) };
        self.insist(requirements, &self.signed(void));
        0
    }

    fn signed(&self, mut payload: LifecyclePayload) -> Value {
        let by_merchant = Base58(self.parties.merchant.sign(&payload.signed_bytes()).to_bytes());
        match &mut payload {
            LifecyclePayload::Capture { signature, .. }
            | LifecyclePayload::Close { signature, .. }
            | LifecyclePayload::Void { signature, .. } => {
                *signature = by_merchant;
            }
        }
        json!(payload)
    }

    fn requirements(&self, amount: u64) -> PaymentRequirements {
        let merchant = Base58(self.parties.merchant.verifying_key().to_bytes());
        let extra = Extra {
            payment_flow: "escrow".to_owned(),
            program: x402_escrow_interface::ID.into(),
            fee_payer: self.parties.fee_payer,
            capture_authorizer: CaptureAuthorizer::Key(merchant),
            request_price: None,
            receiver_authorizer: merchant,
            capture_deadline: now() + CAPTURE_SECONDS,
            refund_deadline: 0,
            fee_recipient: None,
            max_fee_bps: 0,
            resource_hash: Hex32(resource_hash("GET", URL, b"")),
            commitment: None,
        };
        PaymentRequirements {
            scheme: "auth-capture".to_owned(),
            network: self.parties.network.clone(),
            amount: Decimal(amount),
            asset: self.parties.mint,
            pay_to: merchant,
            max_timeout_seconds: 60,
            extra: extra.to_map(),
        }
    }

    fn intent(&self, requirements: &PaymentRequirements) -> (IntentPayload, Hex32) {
        let mut payload = IntentPayload {
            escrow: self.parties.escrow,
            session_key: Base58(self.parties.session.verifying_key().to_bytes()),
            incarnation: self.parties.incarnation,
            nonce: Decimal(self.parties.nonces.fetch_add(1, Ordering::Relaxed)),
            authorize_by: now() + CAPTURE_SECONDS - 30,
            signature: None,
            voucher: None,
        };
        let intent = payload.intent(requirements, &Extra::read(requirements).unwrap());
        payload.signature = Some(Base58(self.parties.session.sign(&intent.signed_bytes()).to_bytes()));
        (payload, Hex32(intent.digest()))
    }

    /// Settles until the answer is yes: nothing that is asked for here may be refused.
    fn insist(&self, requirements: &PaymentRequirements, payload: &Value) {
        let body = json!({
            "x402Version": 2,
            "paymentPayload": { "x402Version": 2, "accepted": requirements, "payload": payload },
            "paymentRequirements": requirements,
        });
        loop {
            let answer = self.http.post(format!("{}/settle", self.parties.verifier_url)).json(&body).send();
            // Killed before or while it answered: only another answer tells which.
            if let Ok(answer) = answer.and_then(|response| response.json::<Value>()) {
                if answer["success"] == true {
                    return;
                }
                let reason = answer["errorReason"].as_str().unwrap_or_default();
                let come_again = ["settlement_pending", "unexpected_settle_error", "unexpected_verify_error"];
                assert!(come_again.contains(&reason), "{answer} for {payload}");
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed()
}
