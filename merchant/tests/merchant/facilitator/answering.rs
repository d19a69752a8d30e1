//! What the facilitator answers, and what it writes into its books.

use std::sync::{Arc, atomic::Ordering};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Value, json};
use x402_escrow_wire::{
    auth_capture::{AUTHORIZATION_FLOW, ChargeCapture, Extra, LifecyclePayload, Payload, VoucherPayload},
    claim::Claim,
    facilitator::FacilitatorRequest,
    payment_identifier::{self, Offer},
    text::Hex32,
};

use super::{Answer, FEE_PAYER, Inner, MINT, NETWORK, PROGRAM};

pub(super) async fn supported(State(inner): State<Arc<Inner>>) -> Json<Value> {
    let fee_payer = inner.books.lock().unwrap().fee_payer.unwrap_or(FEE_PAYER);
    let program = inner.names_program.load(Ordering::SeqCst).then_some(PROGRAM);
    Json(json!({
        "kinds": [
            {"x402Version": 2, "scheme": "exact", "network": NETWORK},
            {"x402Version": 2, "scheme": "auth-capture", "network": NETWORK,
             "extra": {"program": program, "feePayer": fee_payer, "paymentFlow": "escrow",
                 "tokens": {MINT.to_string(): {"decimals": 6}}}},
        ],
        "extensions": [],
        "signers": {},
    }))
}

pub(super) async fn receiver(State(inner): State<Arc<Inner>>) -> Response {
    let said = inner.receiver.lock().unwrap().clone();
    said.map_or_else(
        || StatusCode::NOT_FOUND.into_response(),
        |(status, body)| (status, Json(body)).into_response(),
    )
}

/// Takes an intent as its client made it, and does nothing.
pub(super) async fn verify(
    State(inner): State<Arc<Inner>>,
    Json(request): Json<FacilitatorRequest>,
) -> Json<Value> {
    let payload = Payload::read(&request.payment_payload.payload).unwrap();
    assert!(matches!(payload, Payload::Intent(intent) if intent.capture.is_none()));
    assert_eq!(request.claim, None, "nothing is sold yet");
    inner.books.lock().unwrap().verified += 1;
    let answer = *inner.answers.lock().unwrap();
    Json(match answer[0] {
        Answer::No(code) => json!({ "isValid": false, "invalidReason": code }),
        _ => json!({ "isValid": true }),
    })
}

pub(super) async fn settle(
    State(inner): State<Arc<Inner>>,
    Json(request): Json<FacilitatorRequest>,
) -> Response {
    assert_eq!(request.payment_payload.accepted, request.payment_requirements);
    let extra = Extra::read(&request.payment_requirements).unwrap();
    let FacilitatorRequest { payment_payload: asked, .. } = &request;
    let asked = json!([asked.payload, asked.extensions, asked.resource]);
    inner.books.lock().unwrap().asked.push(asked);
    let payload = Payload::read(&request.payment_payload.payload).unwrap();
    if !matches!(payload, Payload::Lifecycle(_)) {
        if lacks_id(&request) {
            return (StatusCode::BAD_REQUEST, "the id is missing").into_response();
        }
        let fee_payer = inner.books.lock().unwrap().fee_payer.unwrap_or(FEE_PAYER);
        if extra.fee_payer != fee_payer {
            return refused("invalid_auth_capture_svm_extra");
        }
    }
    match payload {
        Payload::Intent(payload) => {
            {
                let mut books = inner.books.lock().unwrap();
                books.authorizations_asked += 1;
                books.receiver_proofs.push(payload.receiver_proof.clone());
            }
            let _permit = inner.gate.acquire().await.unwrap();
            let id = Hex32(payload.intent(&request.payment_requirements, &extra).digest());
            if extra.payment_flow == AUTHORIZATION_FLOW {
                let capture = payload.capture.expect("a charge needs the merchant's consent");
                return inner.charge(id, &capture, &extra, &request);
            }
            inner.authorize(id, payload.voucher.map(|first| first.amount.0), &request)
        }
        Payload::Voucher(voucher) => inner.voucher(&voucher, &extra, request.claim),
        Payload::Lifecycle(payload) => {
            assert_eq!(request.claim, None, "claims are for what clients send");
            inner.books.lock().unwrap().ends_waiting += 1;
            let _permit = inner.ends_gate.acquire().await.unwrap();
            inner.books.lock().unwrap().ends_waiting -= 1;
            // The merchant is both authorizers, or of a streamed hold the receiver authorizer.
            let signer = VerifyingKey::from_bytes(&extra.receiver_authorizer.0).unwrap();
            let (LifecyclePayload::Capture { signature: by, .. }
            | LifecyclePayload::Close { signature: by, .. }
            | LifecyclePayload::Void { signature: by, .. }) = &payload;
            if signer.verify_strict(&payload.signed_bytes(), &Signature::from_bytes(&by.0)).is_err() {
                return refused("invalid_auth_capture_svm_authorizer_signature");
            }
            inner.end(&payload, &request)
        }
    }
}

/// Whether a client's payment has no id where the server says that it must have one.
fn lacks_id(request: &FacilitatorRequest) -> bool {
    let offer = payment_identifier::offer(&request.payment_requirements.extra).unwrap();
    let info = payment_identifier::read(request.payment_payload.extensions.as_ref()).unwrap();
    offer == Some(Offer::Required) && info.is_none_or(|info| info.id.is_none())
}

impl Inner {
    fn voucher(&self, voucher: &VoucherPayload, extra: &Extra, claim: Option<Claim>) -> Response {
        assert!(claim.is_some());
        let answer = self.answers.lock().unwrap()[0];
        match answer {
            Answer::No(code) => return refused(code),
            Answer::Lost => return StatusCode::BAD_GATEWAY.into_response(),
            _ => {}
        }
        let books = &mut *self.books.lock().unwrap();
        let (id, amount) = (voucher.payment_id, voucher.amount.0);
        let Some(last) = books.vouchers.get_mut(&id) else {
            return refused("invalid_auth_capture_svm_payment_not_found");
        };
        if let Some((first, added)) = books.claims.get(&(id, Some(amount))) {
            if let Answer::Broken(status) = answer {
                return status.into_response();
            }
            return match *first == claim && books.payments[&id] == "authorized" {
                true => answered(answer, id, "authorized", true, *added),
                false => refused("invalid_auth_capture_svm_voucher_repeated"),
            };
        }
        if amount < *last + extra.request_price.unwrap().0 {
            return refused("invalid_auth_capture_svm_voucher_below_price");
        }
        let increment = amount - std::mem::replace(last, amount);
        books.claims.insert((id, Some(amount)), (claim, increment));
        answered(answer, id, "authorized", false, increment)
    }

    fn authorize(&self, id: Hex32, first: Option<u64>, request: &FacilitatorRequest) -> Response {
        assert!(request.claim.is_some());
        let answer = self.answers.lock().unwrap()[0];
        match answer {
            Answer::No(code) => return refused(code),
            Answer::Lost => return StatusCode::BAD_GATEWAY.into_response(),
            _ => {}
        }
        let books = &mut *self.books.lock().unwrap();
        let (claim, _) = *books.claims.entry((id, None)).or_insert((request.claim, 0));
        let repeated = books.payments.contains_key(&id);
        let state = *books.payments.entry(id).or_insert("authorized");
        if let Some(first) = first {
            books.claims.entry((id, Some(first))).or_insert((request.claim, first));
            books.vouchers.entry(id).or_insert(first);
        }
        if repeated && (claim != request.claim || state != "authorized") {
            return refused("duplicate_settlement");
        }
        answered(answer, id, state, repeated, request.payment_requirements.amount.0)
    }

    /// Charges once, what the merchant consented to.
    fn charge(
        &self,
        id: Hex32,
        capture: &ChargeCapture,
        extra: &Extra,
        request: &FacilitatorRequest,
    ) -> Response {
        assert!(request.claim.is_some());
        let amount = capture.amount.0;
        let signer = VerifyingKey::from_bytes(&extra.receiver_authorizer.0).unwrap();
        signer
            .verify_strict(
                &capture.capture(id.0).signed_bytes(),
                &Signature::from_bytes(&capture.signature.0),
            )
            .expect("the merchant consents to what it charges");
        let answer = self.answers.lock().unwrap()[0];
        match answer {
            Answer::No(code) => return refused(code),
            Answer::Lost => return StatusCode::BAD_GATEWAY.into_response(),
            _ => {}
        }
        let books = &mut *self.books.lock().unwrap();
        let repeated = books.payments.insert(id, "paid").is_some();
        if !repeated {
            books.charged.push(amount);
            books.claims.insert((id, None), (request.claim, 0));
        }
        match books.claims[&(id, None)].0 == request.claim {
            true => answered(answer, id, "paid", repeated, amount),
            false => refused("duplicate_settlement"),
        }
    }

    fn end(&self, payload: &LifecyclePayload, request: &FacilitatorRequest) -> Response {
        let answer = self.answers.lock().unwrap()[1];
        if let Answer::No(code) = answer {
            return refused(code);
        }
        let id = payload.payment_id();
        let mut books = self.books.lock().unwrap();
        match books.payments.get(&id) {
            None => return refused("invalid_auth_capture_svm_payment_not_found"),
            Some(&"ended") => {}
            Some(_) => {
                books.payments.insert(id, "ended");
                books.ended.push((id, payload.clone()));
            }
        }
        let amount = match payload {
            LifecyclePayload::Capture { amount, .. } | LifecyclePayload::Close { amount, .. } => amount.0,
            LifecyclePayload::Void { .. } => 0,
        };
        assert!(amount <= request.payment_requirements.amount.0, "more is captured than was held");
        answered(answer, id, "ended", false, amount)
    }
}

fn answered(answer: Answer, id: Hex32, state: &str, repeated: bool, amount: u64) -> Response {
    let (success, status) = match answer {
        Answer::Yes { status } => (true, status),
        Answer::Broken(status) => return (status, "broken").into_response(),
        Answer::Endless => return " ".repeat(2 * 1024 * 1024).into_response(),
        _ => (false, "unsettled"),
    };
    let reason = (!success).then_some("settlement_pending");
    Json(json!({
        "success": success, "errorReason": reason, "transaction": "sig", "network": NETWORK, "amount": amount.to_string(),
        "extra": {"paymentId": id, "state": state, "status": status, "alreadySettled": repeated, "claimed": repeated},
    }))
    .into_response()
}

fn refused(code: &str) -> Response {
    let answer = json!({"success": false, "errorReason": code, "errorMessage": "because the test says so",
        "transaction": "", "network": NETWORK});
    Json(answer).into_response()
}
