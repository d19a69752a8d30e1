//! Purchases that are charged at once.

use ed25519_dalek::Signer;
use rand::Rng;
use serde_json::{Value, json};
use x402_escrow_domain::payment::Action;
use x402_escrow_wire::{
    auth_capture::ChargeCapture,
    text::{Base58, Decimal},
};

use super::{
    Verdict, World,
    sign::{Signed, Terms},
};
use crate::{patience::PROMPT_SECONDS, setup::signing_key};

/// For how long a merchant asks what became of a charge after its authorize-by time, in seconds.
const DECIDED_SECONDS: i64 = 120;

/// An honest purchase: served, then charged, in full or for what was used of it.
pub async fn charge(world: World, wallet: usize, merchant: usize, mut dice: impl Rng) {
    let merchant = world.merchants[merchant].clone();
    let amount = dice.random_range(1_000..500_000);
    let taken = if dice.random_bool(0.3) { dice.random_range(1..=amount) } else { amount };
    let capture_deadline = world.time.now() + dice.random_range(100..300);
    let terms = Terms { merchant: &merchant, amount, price: None, capture_deadline };
    let signed = world.sign_charge(&world.wallets[wallet], terms, "charge");
    let body = world.consent(&signed, &merchant, taken);
    let (worked, started) = (world.cluster.works(), world.time.now());
    match world.settle_until(&body, signed.intent.authorize_by + DECIDED_SECONDS, "charge").await {
        Some(Verdict::Yes(answer)) => {
            if answer["extra"]["captured"] != json!(Decimal(taken)) {
                world.ledger.fault(format!("charge: {taken} was asked for: {answer}"));
            }
            world.ledger.update(&signed.id, |deal| {
                deal.is_held = true;
                deal.promised = taken;
            });
        }
        Some(Verdict::No(code, message)) => {
            let was_soon = world.time.now() - started < PROMPT_SECONDS;
            // What a relayer charges before the verifier accepts it is the relayer's affair.
            let was_charged = code == "invalid_auth_capture_svm_nonce"
                && world.ledger.deals().get(&signed.id).is_some_and(|deal| deal.is_relayed);
            if worked && world.cluster.works() && was_soon && !world.has_liars && !was_charged {
                world.ledger.fault(format!("charge: an honest payer was refused: {code}: {message}"));
            }
        }
        _ => world.ledger.count("charges without a verdict"),
    }
}

impl World {
    /// What the merchant settles: the payer's intent with its consent to `amount`. From now on anybody has it.
    fn consent(&self, signed: &Signed, merchant: &str, amount: u64) -> Value {
        let capture = ChargeCapture {
            amount: Decimal(amount),
            fee: Decimal(0),
            last: true,
            signature: Base58([0; 64]),
        };
        let bytes = capture.capture(signed.id).signed_bytes();
        let signature = signing_key(merchant).sign(&bytes).to_bytes();
        self.ledger.update(&signed.id, |deal| deal.signed = deal.signed.max(amount));
        let action = Action::Charge { amount, fee: 0, last: true, signature: Some(signature) };
        self.ledger.hand_out(signed.id, action);
        let mut body = signed.body.clone();
        body["paymentPayload"]["payload"]["capture"] =
            json!(ChargeCapture { signature: Base58(signature), ..capture });
        body
    }
}
