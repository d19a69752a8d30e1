//! What the server and the verifier answer.

use std::sync::{Arc, atomic::Ordering};

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use ed25519_dalek::Signature;
use serde_json::{Value, json};
use x402_escrow_interface::{deployment::LOCAL_PROGRAM_ID, resource::resource_hash};
use x402_escrow_wire::{
    auth_capture::{CaptureAuthorizer, Extra, Payload},
    payment::{PAYMENT_REQUIRED, PAYMENT_RESPONSE, PAYMENT_SIGNATURE, PaymentPayload, PaymentRequired},
    text::{Base58, Hex32, decode_header, encode_header},
};

use super::{Inner, NETWORK, PRICE, Paid, unix_now};

/// Sells everything for the same price.
pub(super) async fn sell(
    State(inner): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(payment) = headers.get(PAYMENT_SIGNATURE) {
        let payment: PaymentPayload = decode_header(payment.to_str().unwrap()).unwrap();
        return inner.paid(uri.path(), payment).await;
    }
    let url = format!("{}{uri}", inner.url);
    let extra = Extra {
        payment_flow: "escrow".into(),
        capture_mode: None,
        program: LOCAL_PROGRAM_ID.into(),
        fee_payer: Base58([4; 32]),
        capture_authorizer: CaptureAuthorizer::Key(Base58([5; 32])),
        request_price: None,
        receiver_authorizer: Base58([5; 32]),
        capture_deadline: unix_now() + 600,
        refund_deadline: 0,
        fee_recipient: None,
        max_fee_bps: 0,
        resource_hash: Hex32(resource_hash(method.as_str(), &url, &body)),
        commitment: None,
    };
    let mut challenge = json!({
        "x402Version": 2,
        "resource": {"url": url},
        "accepts": [
            {"scheme": "exact", "network": NETWORK, "amount": "1"},
            {"scheme": "auth-capture", "network": NETWORK, "amount": PRICE.to_string(), "asset": Base58([2; 32]),
             "payTo": Base58([5; 32]), "maxTimeoutSeconds": 60, "extra": extra.to_map()},
        ],
    });
    inner.alter_challenge.lock().unwrap()(&mut challenge);
    (StatusCode::PAYMENT_REQUIRED, [(PAYMENT_REQUIRED, encode_header(&challenge).unwrap())]).into_response()
}

impl Inner {
    async fn paid(&self, path: &str, payment: PaymentPayload) -> Response {
        let key = ed25519_dalek::VerifyingKey::from_bytes(&self.session_key.0).unwrap();
        let voucher = match Payload::read(&payment.payload).unwrap() {
            Payload::Intent(payload) => {
                let intent = payload.intent(&payment.accepted, &Extra::read(&payment.accepted).unwrap());
                let signature = Signature::from_bytes(&payload.signature.unwrap().0);
                key.verify_strict(&intent.signed_bytes(), &signature).unwrap();
                payload.voucher
            }
            Payload::Voucher(voucher) => Some(voucher),
            Payload::Lifecycle(payload) => panic!("an agent sent {payload:?}"),
        };
        if let Some(voucher) = voucher {
            key.verify_strict(&voucher.signed_bytes(), &Signature::from_bytes(&voucher.signature.0)).unwrap();
            self.vouchers.lock().unwrap().push(voucher.amount.0);
        }
        let decided = self.world.lock().unwrap().as_mut().map(|world| world.decide(path, &payment));
        let is_first = {
            let mut payments = self.payments.lock().unwrap();
            payments.push(payment);
            payments.len() == 1
        };
        let next = self.next.lock().unwrap().pop_front();
        let paid = decided.or(next).unwrap_or(*self.paid.lock().unwrap());
        let settlement = |success: bool| {
            let reason = match paid {
                Paid::Say(reason) | Paid::SayWhenLet(reason) => reason,
                _ => "insufficient_funds",
            };
            let reason = (!success).then_some(reason);
            let settlement = json!({"success": success, "errorReason": reason, "transaction": "sig",
                "network": NETWORK, "amount": "700"});
            [(PAYMENT_RESPONSE, encode_header(&settlement).unwrap())]
        };
        match paid {
            Paid::LoseAnswer if is_first => panic!("losing the answer, as the test wants it"),
            Paid::Serve | Paid::LoseAnswer => (settlement(true), "sold").into_response(),
            Paid::ServeLate(time) => {
                tokio::time::sleep(time).await;
                (settlement(true), "sold").into_response()
            }
            Paid::ServeMuch => (settlement(true), vec![b'a'; 33 * 1024 * 1024]).into_response(),
            Paid::ServeWhenLet => {
                self.answers.notified().await;
                (settlement(true), "sold").into_response()
            }
            Paid::SayWhenLet(_) => {
                self.answers.notified().await;
                (StatusCode::PAYMENT_REQUIRED, settlement(false)).into_response()
            }
            Paid::Refuse | Paid::Say(_) => (StatusCode::PAYMENT_REQUIRED, settlement(false)).into_response(),
            Paid::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
            Paid::Redirect => {
                (StatusCode::TEMPORARY_REDIRECT, [("location", format!("{}/elsewhere", self.url))])
                    .into_response()
            }
            // A panic closes the connection without an answer.
            Paid::HangUp => panic!("hanging up, as the test wants it"),
        }
    }
}

/// Drafts a payment for the last of the offers.
pub(super) async fn draft(State(inner): State<Arc<Inner>>, Json(body): Json<Value>) -> Response {
    inner.asked.lock().unwrap().push(body.clone());
    let nonce: u64 = body["nonce"].as_str().unwrap().parse().unwrap();
    if nonce <= inner.used_up_to.load(Ordering::SeqCst) {
        let error = json!({"code": "invalid_auth_capture_svm_nonce", "message": "the nonce is used"});
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "error": error }))).into_response();
    }
    let challenge: PaymentRequired = serde_json::from_value(body["paymentRequired"].clone()).unwrap();
    let mut unsigned = json!({
        "x402Version": 2,
        "accepted": challenge.accepts.last(),
        "payload": {
            "escrow": body["session"]["escrow"], "sessionKey": body["session"]["sessionKey"],
            "incarnation": Base58([3; 32]), "nonce": body["nonce"], "authorizeBy": unix_now() + 60,
        },
    });
    if let Some(proof) = body.get("receiverProof") {
        unsigned["payload"]["receiverProof"] = proof.clone();
    }
    inner.alter_draft.lock().unwrap()(&mut unsigned);
    Json(json!({ "unsigned": unsigned })).into_response()
}

/// What the verifier knows of a payment.
pub(super) async fn known(State(inner): State<Arc<Inner>>, Path(id): Path<String>) -> Response {
    let of_world = inner.world.lock().unwrap().as_ref().map(|world| world.report(&id));
    match of_world.unwrap_or_else(|| inner.known.lock().unwrap().clone()) {
        Some(report) => Json(report).into_response(),
        None => {
            let error = json!({"code": "payment_not_found", "message": "no such payment is known here"});
            (StatusCode::NOT_FOUND, Json(json!({ "error": error }))).into_response()
        }
    }
}
