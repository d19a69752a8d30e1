//! A client that sends anything: payments again, altered, for something else, in any order.

use axum::{
    body::Body,
    http::{HeaderMap, Request},
};
use serde_json::{Value, json};
use x402_escrow_wire::{
    auth_capture::{Extra, IntentPayload},
    field,
    payment::{PAYMENT_SIGNATURE, PaymentPayload},
    text::{Decimal, Hex32, encode_header},
};

use super::{
    dice::Dice,
    instance::{HOLD, PRICE, PURCHASE},
};
use crate::fixture::{signed, voucher};

/// A payment that was signed, and may be sent any number of times.
pub(super) struct Signed {
    path: String,
    payment: PaymentPayload,
    id: Hex32,
    /// The first voucher's amount, of a streamed hold.
    first: Option<u64>,
}

/// A request without a payment.
pub(super) fn question(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

/// Signs a payment for what is asked in return.
pub(super) fn sign(path: String, headers: &HeaderMap, number: u64, dice: &Dice) -> Signed {
    let authorize_by = dice.now() + dice.pick(&[1, 20, 60, 300]);
    let payment = signed(headers, number, authorize_by);
    let extra = Extra::read(&payment.accepted).unwrap();
    let intent: IntentPayload = field::read(&payment.payload).unwrap();
    let id = Hex32(intent.intent(&payment.accepted, &extra).digest());
    let first = intent.voucher.map(|voucher| voucher.amount.0);
    Signed { path, payment, id, first }
}

/// What a request is paid with, as the log knows it.
fn purchase(id: Hex32, voucher: Option<u64>) -> String {
    voucher.map_or(id.to_string(), |amount| format!("{id}:{amount}"))
}

impl Signed {
    /// A request with the payment, or with a voucher on its hold; now and then altered.
    pub(super) fn request(&self, dice: &Dice) -> Request<Body> {
        let mut payment = self.payment.clone();
        let mut paid_by = self.first;
        if self.first.is_some() && !dice.once_in(4) {
            let amount = PRICE * (1 + dice.below(1 + dice.below(HOLD / PRICE + 1)))
                - if dice.once_in(10) { 1 } else { 0 };
            payment.payload = json!(voucher(self.id, amount));
            paid_by = Some(amount);
        }
        let mut path = self.path.clone();
        if dice.once_in(6) {
            match dice.below(5) {
                0 => payment.payload["junk"] = nested(dice.pick(&[1, 100, 200])),
                1 => payment.payload["nonce"] = json!("77"),
                2 => payment.accepted.amount = Decimal(1),
                3 => payment.accepted.extra["captureDeadline"] = json!(dice.now() + 3000),
                _ => path.push('7'),
            }
        }
        Request::get(path)
            .header(PAYMENT_SIGNATURE, encode_header(&payment).unwrap())
            .header(PURCHASE, purchase(self.id, paid_by))
            .body(Body::empty())
            .unwrap()
    }
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(1), |value, _| json!([value]))
}
