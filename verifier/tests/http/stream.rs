//! `/settle` of vouchers: many requests out of one hold.

mod fee;
mod hold;
mod many;
mod voucher;

use ed25519_dalek::Signer;
use serde_json::{Value, json};
use x402_escrow_wire::{
    auth_capture::{CaptureAuthorizer, Extra, Level, LifecyclePayload, VoucherPayload, stream_resource_hash},
    payment::PaymentRequirements,
    text::{Base58, Decimal, Hex32},
};

use crate::world::{SESSION, World, envelope, signing_key};

pub(crate) const PRICE: u64 = 100;
const HOLD: u64 = 1000;

/// What a merchant asks for: `PRICE` a request, out of a hold of `HOLD`.
fn terms(world: &World) -> PaymentRequirements {
    with_extra(world.requirements(HOLD), |extra| {
        extra.capture_authorizer = CaptureAuthorizer::SessionKey;
        extra.request_price = Some(Decimal(PRICE));
        extra.resource_hash = Hex32(stream_resource_hash("https://shop.test"));
    })
}

fn with_extra(mut terms: PaymentRequirements, alter: impl FnOnce(&mut Extra)) -> PaymentRequirements {
    let mut extra = Extra::read(&terms).unwrap();
    alter(&mut extra);
    terms.extra = extra.to_map();
    terms
}

pub(crate) fn signed(payment_id: Hex32, amount: u64, fee: u64, seed: u8) -> VoucherPayload {
    let mut voucher =
        VoucherPayload { payment_id, amount: Decimal(amount), fee: Decimal(fee), signature: Base58([0; 64]) };
    voucher.signature = Base58(signing_key(seed).sign(&voucher.signed_bytes()).to_bytes());
    voucher
}

/// An open hold, and what its requirements were.
pub(crate) struct Channel {
    pub(crate) world: World,
    terms: PaymentRequirements,
    pub(crate) id: Hex32,
}

impl Channel {
    /// A hold whose opening paid for one request.
    pub(crate) async fn open() -> Self {
        Self::open_in(World::new().await).await
    }

    /// The same with another verifier.
    pub(crate) async fn open_in(world: World) -> Self {
        let terms = terms(&world);
        let body = opening(&world, &terms, 1, PRICE);
        let answer = world.settled(&body).await;
        assert_eq!(answer["extra"]["alreadySettled"], false, "{answer}");
        let id = world.payment_id(&body);
        Self { world, terms, id }
    }

    pub(crate) fn voucher(&self, amount: u64) -> Value {
        envelope(&self.terms, json!(signed(self.id, amount, 0, SESSION)))
    }

    pub(crate) async fn accept(&self, amount: u64, increment: u64) {
        let answer = self.world.settle(&self.voucher(amount)).await;
        assert_eq!(
            (&answer["success"], &answer["amount"]),
            (&json!(true), &json!(increment.to_string())),
            "{answer}"
        );
        assert_eq!(answer["extra"]["vouched"], amount.to_string());
    }

    /// Asserts a no with `code` from `/verify` and `/settle`, and that the last voucher stays as it is.
    pub(crate) async fn refuse(&self, body: &Value, code: &str) {
        let code = format!("invalid_auth_capture_svm_{code}");
        let before = (self.world.everything().await, self.vouched().await);
        let (_, answer) = self.world.post("/verify", body).await;
        assert_eq!((&answer["isValid"], &answer["invalidReason"]), (&json!(false), &json!(code)), "{answer}");
        let answer = self.world.settle(body).await;
        assert_eq!((&answer["success"], &answer["errorReason"]), (&json!(false), &json!(code)), "{answer}");
        assert_eq!((self.world.everything().await, self.vouched().await), before);
    }

    pub(crate) async fn vouched(&self) -> Value {
        self.world.payment(self.id).await["vouched"].clone()
    }

    pub(crate) fn close(&self, amount: u64) -> Value {
        self.world.lifecycle(LifecyclePayload::Close {
            payment_id: self.id,
            amount: Decimal(amount),
            signature: Base58([0; 64]),
        })
    }

    fn balances(&self) -> (u64, u64, u64) {
        let escrow = self.world.escrow_account();
        (escrow.balance, escrow.held, self.world.received())
    }
}

/// What opens the first hold, and pays for one request.
pub(crate) fn first(world: &World) -> Value {
    opening(world, &terms(world), 1, PRICE)
}

/// The same, of a hold that must be final, and its voucher by itself, for which confirmed is enough.
pub(crate) fn final_first_and_its_voucher(world: &World) -> (Value, Value) {
    let terms = terms(world);
    let is_final = with_extra(terms.clone(), |extra| extra.commitment = Some(Level::Finalized));
    let body = opening(world, &is_final, 1, PRICE);
    (body.clone(), envelope(&terms, json!(signed(world.payment_id(&body), PRICE, 0, SESSION))))
}

fn opening(world: &World, terms: &PaymentRequirements, nonce: u64, amount: u64) -> Value {
    let mut payload = world.payload(terms, nonce);
    let id = world.payment_id(&envelope(terms, json!(payload)));
    payload.voucher = Some(signed(id, amount, 0, SESSION));
    envelope(terms, json!(payload))
}
