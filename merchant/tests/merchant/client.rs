//! A client that asks, pays, and can lie.

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use ed25519_dalek::{Signer, SigningKey};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower::ServiceExt;
use x402_escrow_wire::{
    auth_capture::{Extra, IntentPayload, VoucherPayload},
    facilitator::SettleResponse,
    payment::{PAYMENT_REQUIRED, PAYMENT_RESPONSE, PAYMENT_SIGNATURE, PaymentPayload, PaymentRequired},
    text::{Base58, Decimal, Hex32, decode_header, encode_header},
};

use crate::shop::Shop;

/// A request for a path of the shop.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Bytes,
}

impl Ask {
    pub(crate) fn get(path: &str) -> Self {
        Self { method: Method::GET, path: path.into(), body: Bytes::new() }
    }

    pub(crate) fn post(path: &str, body: &'static str) -> Self {
        Self { method: Method::POST, path: path.into(), body: body.into() }
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn challenge(&self) -> Option<PaymentRequired> {
        self.decode(PAYMENT_REQUIRED)
    }

    pub(crate) fn settlement(&self) -> Option<SettleResponse> {
        self.decode(PAYMENT_RESPONSE)
    }

    /// Status, and the code of the refusal.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let reason = self.settlement().and_then(|settlement| settlement.error_reason);
        (self.status.as_u16(), reason.unwrap_or_else(|| "none".into()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn decode<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.headers.get(name).map(|value| decode_header(value.to_str().unwrap()).unwrap())
    }
}

impl Shop {
    /// Sends a request, with a payment header or without.
    pub(crate) async fn send(&self, ask: &Ask, payment: Option<&str>) -> Answer {
        let mut request = Request::builder().method(ask.method.clone()).uri(&ask.path);
        if let Some(payment) = payment {
            request = request.header(PAYMENT_SIGNATURE, payment);
        }
        let request = request.body(Body::from(ask.body.clone())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Asks, and signs a payment for what is asked in return.
    pub(crate) async fn payment(&self, ask: &Ask, nonce: u64) -> PaymentPayload {
        let answer = self.send(ask, None).await;
        assert_eq!(answer.status, StatusCode::PAYMENT_REQUIRED);
        let challenge = answer.challenge().unwrap();
        let accepted = serde_json::from_value(challenge.accepts[0].clone()).unwrap();
        let mut payment = PaymentPayload {
            x402_version: 2,
            resource: Some(challenge.resource),
            accepted,
            payload: json!({}),
            extensions: None,
        };
        sign(&mut payment, nonce);
        payment
    }

    /// Asks, pays and sends again.
    pub(crate) async fn buy(&self, ask: &Ask, nonce: u64) -> Answer {
        let payment = self.payment(ask, nonce).await;
        self.pay(ask, &payment).await
    }

    pub(crate) async fn pay(&self, ask: &Ask, payment: &PaymentPayload) -> Answer {
        self.send(ask, Some(&encode_header(payment).unwrap())).await
    }
}

/// A voucher over `amount` on the hold of `payment_id`, signed by the same key.
pub(crate) fn voucher(payment_id: Hex32, amount: u64) -> VoucherPayload {
    let key = SigningKey::from_bytes(&[42; 32]);
    let (amount, fee) = (Decimal(amount), Decimal(0));
    let mut voucher = VoucherPayload { payment_id, amount, fee, signature: Base58([0; 64]) };
    voucher.signature = Base58(key.sign(&voucher.signed_bytes()).to_bytes());
    voucher
}

/// Signs what the payment says now, by a public test key. A streamed hold's first voucher pays for
/// one request.
pub(crate) fn sign(payment: &mut PaymentPayload, nonce: u64) {
    sign_until(payment, nonce, 2_000_000_000);
}

/// The same, of an intent that can be held until `authorize_by`, unix seconds.
pub(crate) fn sign_until(payment: &mut PaymentPayload, nonce: u64, authorize_by: i64) {
    let key = SigningKey::from_bytes(&[42; 32]);
    let mut payload = IntentPayload {
        escrow: Base58([1; 32]),
        session_key: Base58(key.verifying_key().to_bytes()),
        incarnation: Base58([3; 32]),
        nonce: Decimal(nonce),
        authorize_by,
        receiver_proof: Vec::new(),
        signature: None,
        voucher: None,
        capture: None,
    };
    let intent = payload.intent(&payment.accepted, &Extra::read(&payment.accepted).unwrap());
    payload.voucher = Extra::read(&payment.accepted)
        .unwrap()
        .request_price
        .map(|price| voucher(Hex32(intent.digest()), price.0));
    payload.signature = Some(Base58(key.sign(&intent.signed_bytes()).to_bytes()));
    payment.payload = json!(payload);
}
