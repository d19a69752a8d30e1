//! What merchant and agent would send.

use ed25519_dalek::Signer;
use serde_json::{Value, json};
use x402_escrow_interface::resource::resource_hash;
use x402_escrow_wire::{
    auth_capture::{CaptureAuthorizer, Extra, IntentPayload, LifecyclePayload},
    payment::PaymentRequirements,
    text::{Base58, Decimal, Hex32},
};

use super::{MERCHANT, METHOD, NETWORK, SESSION, URL, World, program, signing_key};

impl World {
    pub(crate) fn requirements(&self, amount: u64) -> PaymentRequirements {
        let extra = Extra {
            payment_flow: "escrow".to_owned(),
            program: program().into(),
            fee_payer: self.fee_payer().into(),
            capture_authorizer: CaptureAuthorizer::Key(self.merchant().into()),
            request_price: None,
            capture_mode: None,
            receiver_authorizer: self.merchant().into(),
            capture_deadline: self.cluster.now() + 600,
            refund_deadline: 0,
            fee_recipient: None,
            max_fee_bps: 0,
            resource_hash: Hex32(resource_hash(METHOD, URL, b"")),
            commitment: None,
        };
        PaymentRequirements {
            scheme: "auth-capture".to_owned(),
            network: NETWORK.to_owned(),
            amount: Decimal(amount),
            asset: self.mint.into(),
            pay_to: self.merchant().into(),
            max_timeout_seconds: 60,
            extra: extra.to_map(),
        }
    }

    /// The signed payload for `requirements`.
    pub(crate) fn payload(&self, requirements: &PaymentRequirements, nonce: u64) -> IntentPayload {
        let mut payload = IntentPayload {
            escrow: self.escrow.into(),
            session_key: self.session_key().into(),
            incarnation: Base58(self.session_account().incarnation),
            nonce: Decimal(nonce),
            authorize_by: self.cluster.now() + 60,
            receiver_proof: Vec::new(),
            signature: None,
            voucher: None,
            capture: None,
        };
        sign(&mut payload, requirements);
        payload
    }

    /// The body of `/verify` and `/settle` for a payment with `nonce`.
    pub(crate) fn body(&self, requirements: &PaymentRequirements, nonce: u64) -> Value {
        envelope(requirements, json!(self.payload(requirements, nonce)))
    }

    pub(crate) fn payment_id(&self, body: &Value) -> Hex32 {
        let requirements: PaymentRequirements =
            serde_json::from_value(body["paymentRequirements"].clone()).unwrap();
        let payload: IntentPayload =
            serde_json::from_value(body["paymentPayload"]["payload"].clone()).unwrap();
        Hex32(payload.intent(&requirements, &Extra::read(&requirements).unwrap()).digest())
    }

    /// The body of a capture.
    pub(crate) fn capture(&self, payment_id: Hex32, amount: u64, last: bool) -> Value {
        self.lifecycle(LifecyclePayload::Capture {
            payment_id,
            amount: Decimal(amount),
            fee: Decimal(0),
            last,
            signature: Base58([0; 64]),
        })
    }

    /// The body of a void.
    pub(crate) fn void(&self, payment_id: Hex32, amount: u64) -> Value {
        self.lifecycle(LifecyclePayload::Void {
            payment_id,
            amount: Decimal(amount),
            signature: Base58([0; 64]),
        })
    }

    /// The body of `payload`, signed by the merchant.
    pub(crate) fn lifecycle(&self, payload: LifecyclePayload) -> Value {
        let by = Base58(signing_key(MERCHANT).sign(&payload.signed_bytes()).to_bytes());
        envelope(&self.requirements(1), json!(payload.with_signature(by)))
    }
}

/// Signs `payload` with the session's key.
pub(crate) fn sign(payload: &mut IntentPayload, requirements: &PaymentRequirements) {
    let intent = payload.intent(requirements, &Extra::read(requirements).unwrap());
    payload.signature = Some(Base58(signing_key(SESSION).sign(&intent.signed_bytes()).to_bytes()));
}

/// The body of `/verify` and `/settle`.
pub(crate) fn envelope(requirements: &PaymentRequirements, payload: Value) -> Value {
    json!({
        "x402Version": 2,
        "paymentPayload": { "x402Version": 2, "accepted": requirements, "payload": payload },
        "paymentRequirements": requirements,
    })
}

/// `body` with what its client calls the purchase.
pub(crate) fn identified(mut body: Value, id: &str) -> Value {
    body["paymentPayload"]["extensions"] =
        json!({ "payment-identifier": { "info": { "required": false, "id": id } } });
    body
}
