//! Intents of the flow `authorization`: paid at once, without a hold.

mod others;

use axum::http::StatusCode;
use ed25519_dalek::Signer;
use serde_json::{Value, json};
use spl_token_interface::state::AccountState;
use x402_escrow_wire::{
    auth_capture::{ChargeCapture, Extra},
    payment::PaymentRequirements,
    text::{Base58, Decimal, Hex32},
};

use crate::world::{FUNDS, MERCHANT, Options, World, envelope, sign, signing_key};

const SVM: &str = "invalid_auth_capture_svm";

impl World {
    /// What a merchant asks for that charges `amount` once it has served.
    fn charge_requirements(&self, amount: u64) -> PaymentRequirements {
        let mut requirements = self.requirements(amount);
        requirements.extra.insert("paymentFlow".to_owned(), json!("authorization"));
        requirements
    }

    /// The body of `/verify`: as the client made it.
    pub(crate) fn raw_charge(&self, amount: u64, nonce: u64) -> Value {
        self.body(&self.charge_requirements(amount), nonce)
    }

    /// The body of `/settle`: with the merchant's consent to all of it.
    pub(crate) fn charge(&self, amount: u64, nonce: u64) -> Value {
        self.complete(self.raw_charge(amount, nonce), amount, 0, true)
    }

    pub(crate) fn complete(&self, mut body: Value, amount: u64, fee: u64, last: bool) -> Value {
        let unsigned = Base58([0; 64]);
        let capture = ChargeCapture { amount: Decimal(amount), fee: Decimal(fee), last, signature: unsigned };
        let signed = capture.capture(self.payment_id(&body).0).signed_bytes();
        let signature = Base58(signing_key(MERCHANT).sign(&signed).to_bytes());
        body["paymentPayload"]["payload"]["capture"] = json!(ChargeCapture { signature, ..capture });
        body
    }

    async fn assert_refused(&self, body: &Value, code: &str, part: &str) {
        let before = self.everything().await;
        let answer = self.settle(body).await;
        assert_eq!((&answer["success"], &answer["errorReason"]), (&json!(false), &json!(code)), "{answer}");
        assert!(answer["errorMessage"].as_str().unwrap().contains(part), "{part:?} is not in {answer}");
        assert_eq!(self.everything().await, before);
    }
}

#[tokio::test]
async fn pays_at_once_without_a_hold_and_reports_where() {
    let world = World::new().await;
    let body = world.charge(1000, 1);
    let answer = world.settled(&body).await;
    assert_eq!(answer["amount"], "1000");
    let extra = &answer["extra"];
    assert_eq!((&extra["state"], &extra["status"]), (&json!("paid"), &json!("confirmed")), "{answer}");
    assert_eq!((&extra["captured"], &extra["released"]), (&json!("1000"), &json!("0")));
    assert_eq!((&extra["commitmentRequired"], &extra["restsOn"]), (&json!("processed"), &json!("balance")));
    assert_eq!(extra.get("hold"), None, "{answer}");
    let escrow = world.escrow_account();
    assert_eq!((escrow.balance, escrow.held, world.received()), (FUNDS - 1000, 0, 1000));
    assert_eq!(world.rows().await, [1, 1, 1]);

    let payment = world.payment(world.payment_id(&body)).await;
    assert_eq!((&payment["state"], &payment["paymentFlow"]), (&json!("paid"), &json!("authorization")));
    assert_eq!((payment.get("hold"), &payment["captured"]), (None, &json!("1000")), "{payment}");
    assert_eq!(
        (&payment["operations"][0]["kind"], &payment["operations"][0]["amount"]),
        (&json!("charge"), &json!("1000"))
    );
}

#[tokio::test]
async fn the_same_charge_again_gets_the_same_answer_and_sends_nothing() {
    let world = World::new().await;
    let body = world.charge(1000, 1);
    let first = world.settle(&body).await;
    let before = world.everything().await;
    // Also with consent to another amount: it is paid once.
    for body in [body.clone(), world.complete(world.raw_charge(1000, 1), 400, 0, true)] {
        let mut again = world.settle(&body).await;
        assert_eq!(again["extra"]["alreadySettled"], true);
        again["extra"]["alreadySettled"] = json!(false);
        assert_eq!(again, first);
    }
    assert_eq!(world.everything().await, before);
    let (_, answer) = world.post("/verify", &body).await;
    assert_eq!(
        (&answer["isValid"], &answer["invalidReason"]),
        (&json!(false), &json!("duplicate_settlement"))
    );
}

#[tokio::test]
async fn a_hundred_equal_charges_at_once_are_paid_once() {
    let world = World::new().await;
    let body = world.charge(1000, 1);
    let answers = futures_util::future::join_all((0..100).map(|_| world.settle(&body))).await;
    assert!(answers.iter().all(|answer| answer["success"] == true));
    assert_eq!(answers.iter().filter(|answer| answer["extra"]["alreadySettled"] == false).count(), 1);
    assert_eq!((world.cluster.distinct_sent(), world.received()), (1, 1000));
}

/// A server verifies before it runs the resource, and signs what it takes after that.
#[tokio::test]
async fn verify_takes_what_the_client_made_and_settle_needs_the_servers_consent() {
    let world = World::new().await;
    let raw = world.raw_charge(1000, 1);
    for body in [&raw, &world.charge(1000, 1)] {
        let (status, answer) = world.post("/verify", body).await;
        assert_eq!((status, &answer["isValid"]), (StatusCode::OK, &json!(true)), "{answer}");
    }
    world.assert_refused(&raw, "invalid_payload", "payload.capture: missing").await;
    world.settled(&world.complete(raw, 1000, 0, false)).await;
    assert_eq!(world.received(), 1000);
}

#[tokio::test]
async fn the_intent_is_the_consent_where_the_session_key_captures() {
    let world = World::new().await;
    let mut requirements = world.charge_requirements(1000);
    requirements.extra.insert("captureAuthorizer".to_owned(), json!("sessionKey"));
    world.settled(&world.body(&requirements, 1)).await;
    assert_eq!((world.escrow_account().balance, world.received()), (FUNDS - 1000, 1000));
}

#[tokio::test]
async fn less_than_the_intent_is_charged_by_a_last_capture() {
    let world = World::new().await;
    let raw = world.raw_charge(1000, 1);
    let answer = world.settled(&world.complete(raw, 400, 0, true)).await;
    assert_eq!(answer["amount"], "400");
    assert_eq!((&answer["extra"]["captured"], &answer["extra"]["released"]), (&json!("400"), &json!("600")));
    assert_eq!((world.escrow_account().balance, world.received()), (FUNDS - 400, 400));
}

#[tokio::test]
async fn a_fee_goes_to_its_recipient() {
    let world = World::new().await;
    world.set_token_account(world.fee_payer(), AccountState::Initialized, 0);
    let mut requirements = world.charge_requirements(1000);
    requirements.extra.insert("maxFeeBps".to_owned(), json!(250));
    requirements.extra.insert("feeRecipient".to_owned(), json!(world.fee_payer().to_string()));
    let raw = world.body(&requirements, 1);
    let code = format!("{SVM}_capture");
    world
        .assert_refused(&world.complete(raw.clone(), 1000, 26, true), &code, "capture.fee: 26 is above 25")
        .await;
    world.settled(&world.complete(raw.clone(), 1000, 25, true)).await;
    assert_eq!((world.received(), world.tokens(world.fee_payer())), (975, 25));
    assert_eq!(world.payment(world.payment_id(&raw)).await["fee"], "25");
}

#[tokio::test]
async fn consent_that_does_not_fit_is_refused() {
    let world = World::new().await;
    let raw = world.raw_charge(1000, 1);
    let capture = format!("{SVM}_capture");
    for (body, code, part) in [
        (world.complete(raw.clone(), 1001, 0, true), &capture, "capture.amount: must be from 1"),
        (world.complete(raw.clone(), 0, 0, true), &capture, "capture.amount: must be from 1"),
        (world.complete(raw.clone(), 999, 0, false), &capture, "needs a capture that is the last"),
    ] {
        world.assert_refused(&body, code, part).await;
    }
    let mut forged = world.charge(1000, 1);
    forged["paymentPayload"]["payload"]["capture"]["last"] = json!(false);
    world.assert_refused(&forged, &format!("{SVM}_authorizer_signature"), "capture authorizer").await;

    let mut two_keys = world.charge_requirements(1000);
    two_keys.extra.insert("receiverAuthorizer".to_owned(), json!(Base58([7; 32])));
    let two_keys = world.body(&two_keys, 1);
    world.assert_refused(&world.complete(two_keys, 1000, 0, true), &capture, "capture.last").await;

    let held = world.body(&world.requirements(1000), 1);
    world
        .assert_refused(
            &world.complete(held, 1000, 0, true),
            "invalid_payload",
            "payload.capture: belongs to",
        )
        .await;
}

#[tokio::test]
async fn requirements_of_a_charge_have_no_capture_mode_and_no_price_of_requests() {
    let world = World::new().await;
    for (name, value) in
        [("captureMode", json!("sync")), ("captureMode", json!("deferred")), ("requestPrice", json!("1"))]
    {
        let mut requirements = world.charge_requirements(1000);
        requirements.extra.insert(name.to_owned(), value.clone());
        world
            .assert_refused(&world.body(&requirements, 1), &format!("{SVM}_extra"), &format!("extra.{name}"))
            .await;
        if name == "captureMode" {
            let mut held = world.requirements(1000);
            held.extra.insert(name.to_owned(), value);
            let (_, answer) = world.post("/verify", &world.body(&held, 1)).await;
            assert_eq!(answer["isValid"], true, "{answer}");
        }
    }
}

#[tokio::test]
async fn nothing_is_captured_or_released_of_a_charge() {
    let world = World::new().await;
    let body = world.charge(1000, 1);
    world.settled(&body).await;
    let id = world.payment_id(&body);
    for body in [world.capture(id, 1000, true), world.void(id, 0)] {
        world.assert_refused(&body, &format!("{SVM}_payment_not_found"), "charged at once").await;
    }
}

/// The escrow has 10 USDC; each charge is of 4.
#[tokio::test]
async fn charges_and_holds_at_once_are_never_promised_more_than_the_escrow_has() {
    let world = World::new().await;
    let body = |nonce: u64| match nonce % 2 {
        0 => world.body(&world.requirements(4_000_000), nonce),
        _ => world.charge(4_000_000, nonce),
    };
    let bodies: Vec<_> = (1..=10).map(body).collect();
    let answers = futures_util::future::join_all(bodies.iter().map(|body| world.settle(body))).await;
    assert_eq!(answers.iter().filter(|answer| answer["success"] == true).count(), 2);
    for answer in answers.iter().filter(|answer| answer["success"] == false) {
        assert_eq!(answer["errorReason"], "insufficient_funds", "{answer}");
    }
    assert_eq!(world.escrow_account().free(), FUNDS - 8_000_000);
}

#[tokio::test]
async fn a_charge_locks_no_rent_and_needs_little_time() {
    let world = World::with(Options::default()).await;
    let mut requirements = world.charge_requirements(1000);
    // Too near for a hold.
    requirements.extra.insert("captureDeadline".to_owned(), json!(world.cluster.now() + 25));
    let mut payload = world.payload(&requirements, 1);
    payload.authorize_by = world.cluster.now() + 20;
    sign(&mut payload, &requirements);
    let raw = envelope(&requirements, json!(payload));
    let before = world.fee_payer_lamports();
    world.settled(&world.complete(raw, 1000, 0, true)).await;
    assert!(before - world.fee_payer_lamports() < 100_000, "fees and nothing else");
}

#[tokio::test]
async fn a_challenge_that_asks_for_a_charge_becomes_an_intent_of_that_flow() {
    let world = World::new().await;
    let requirements = world.charge_requirements(1000);
    let challenge = json!({
        "paymentRequired": { "x402Version": 2, "resource": { "url": "https://shop.example" }, "accepts": [requirements] },
        "session": { "escrow": world.escrow.to_string(), "sessionKey": world.session_key().to_string() },
    });
    let (status, answer) = world.post("/intents", &challenge).await;
    assert_eq!(
        (status, &answer["intent"]["paymentFlow"]),
        (StatusCode::OK, &json!("authorization")),
        "{answer}"
    );
    let payload = serde_json::from_value(answer["unsigned"]["payload"].clone());
    let mut payload: x402_escrow_wire::auth_capture::IntentPayload = payload.unwrap();
    sign(&mut payload, &requirements);
    let id = payload.intent(&requirements, &Extra::read(&requirements).unwrap()).digest();
    assert_eq!(answer["paymentId"], json!(Hex32(id)));
    let raw = envelope(&requirements, json!(payload));
    world.settled(&world.complete(raw, 1000, 0, true)).await;
}
