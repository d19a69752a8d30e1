//! `POST /refunds` and `/refunds/signed`: captured money goes back, once and with the receiver's signature only.

use std::time::Duration;

use axum::http::StatusCode;
use base64::{Engine, prelude::BASE64_STANDARD};
use ed25519_dalek::Signer;
use serde_json::{Value, json};
use x402_escrow_wire::{
    auth_capture::Commitment,
    text::{Base58, Hex32},
};

use crate::{
    wait,
    world::{FUNDS, MERCHANT, Options, SESSION, World, signing_key},
};

const REFUND: &str = "invalid_auth_capture_svm_refund";
const REFUND_SECONDS: i64 = 1000;

/// A payment of 1000 base units of which 700 are captured, which can be refunded.
struct Sale {
    world: World,
    id: Hex32,
}

impl Sale {
    async fn new() -> Self {
        Self::with(Options::default()).await
    }

    async fn with(options: Options) -> Self {
        let world = World::with(options).await;
        let id = captured(&world, Some(world.cluster.now() + REFUND_SECONDS)).await;
        Self { world, id }
    }

    async fn draft(&self, amount: u64) -> (StatusCode, Value) {
        self.world.post("/refunds", &json!({"paymentId": self.id, "amount": amount.to_string()})).await
    }

    /// What the receiver sends back for a draft.
    async fn signed(&self, amount: u64) -> Value {
        let (status, draft) = self.draft(amount).await;
        assert_eq!(status, StatusCode::OK, "{draft}");
        self.sign(amount, &BASE64_STANDARD.decode(draft["message"].as_str().unwrap()).unwrap(), MERCHANT)
    }

    fn sign(&self, amount: u64, message: &[u8], seed: u8) -> Value {
        let signature = Base58(signing_key(seed).sign(message).to_bytes());
        let message = BASE64_STANDARD.encode(message);
        json!({"paymentId": self.id, "amount": amount.to_string(), "message": message, "signature": signature})
    }

    async fn send(&self, signed: &Value) -> Value {
        let (status, answer) = self.world.post("/refunds/signed", signed).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }

    /// Asserts a no that says `part`, and that nothing changed.
    async fn refuse(&self, signed: &Value, part: &str) {
        let before = self.world.everything().await;
        let answer = self.send(signed).await;
        assert_eq!((&answer["success"], &answer["errorReason"]), (&json!(false), &json!(REFUND)), "{answer}");
        assert!(answer["errorMessage"].as_str().unwrap().contains(part), "{part:?} is not in {answer}");
        assert_eq!(self.world.everything().await, before);
    }

    /// Asserts that no refund of `amount` is drafted, and why.
    async fn refuse_draft(&self, amount: u64, part: &str) {
        let before = self.world.everything().await;
        let (status, answer) = self.draft(amount).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
        assert!(answer.to_string().contains(REFUND) && answer.to_string().contains(part), "{answer}");
        assert_eq!(self.world.everything().await, before);
    }

    /// The escrow's balance, and what the receiver has.
    fn balances(&self) -> (u64, u64) {
        (self.world.escrow_account().balance, self.world.received())
    }
}

async fn captured(world: &World, refund_deadline: Option<i64>) -> Hex32 {
    let mut requirements = world.requirements(1000);
    if let Some(deadline) = refund_deadline {
        requirements.extra.insert("refundDeadline".to_owned(), json!(deadline));
    }
    let body = world.body(&requirements, 1);
    assert_eq!(world.settle(&body).await["success"], true);
    let id = world.payment_id(&body);
    assert_eq!(world.settle(&world.capture(id, 700, true)).await["success"], true);
    id
}

#[tokio::test]
async fn a_refund_goes_back_to_the_escrow_in_parts_and_never_above_what_was_captured() {
    let sale = Sale::new().await;
    assert_eq!(sale.balances(), (FUNDS - 700, 700));
    let answer = sale.send(&sale.signed(200).await).await;
    assert_eq!(answer["success"], true, "{answer}");
    assert_eq!(sale.balances(), (FUNDS - 500, 500));
    let (_, draft) = sale.draft(700).await;
    assert_eq!(draft["returns"], "500", "amounts are cumulative");
    let answer = sale.send(&sale.signed(700).await).await;
    assert_eq!(answer["success"], true, "{answer}");
    assert_eq!(sale.balances(), (FUNDS, 0));
    sale.refuse_draft(700, "700 is refunded already").await;
    sale.refuse_draft(701, "above the 700 that are captured").await;
}

#[tokio::test]
async fn a_refund_that_is_sent_again_is_made_once() {
    let sale = Sale::new().await;
    let signed = sale.signed(200).await;
    let first = sale.send(&signed).await;
    let again = sale.send(&signed).await;
    assert_eq!((&again["success"], &again["transaction"]), (&json!(true), &first["transaction"]));
    let other = sale.world.post("/refunds/signed", &signed);
    let (_, third) = other.await;
    assert_eq!(third["extra"]["alreadySettled"], true, "{third}");
    assert_eq!(sale.balances(), (FUNDS - 500, 500));
}

#[tokio::test]
async fn equal_refunds_at_once_are_made_once() {
    let sale = Sale::new().await;
    let (one, two) = (sale.signed(200).await, sale.signed(200).await);
    let answers =
        futures_util::future::join_all([&one, &two, &one, &two].map(|signed| sale.send(signed))).await;
    for answer in answers {
        assert_eq!(answer["success"], true, "{answer}");
    }
    assert_eq!(sale.balances(), (FUNDS - 500, 500));
}

#[tokio::test]
async fn only_the_receivers_signature_over_what_was_drafted_moves_money() {
    let sale = Sale::new().await;
    let signed = sale.signed(200).await;
    let message = BASE64_STANDARD.decode(signed["message"].as_str().unwrap()).unwrap();
    sale.refuse(&sale.sign(200, &message, SESSION), "signature").await;
    let another_amount = sale.sign(300, &message, MERCHANT);
    sale.refuse(&another_amount, "not what POST /refunds drafted").await;
    for (index, part) in [(3, "message"), (message.len() - 1, "not what POST /refunds drafted")] {
        let mut altered = message.clone();
        altered[index] ^= 1;
        sale.refuse(&sale.sign(200, &altered, MERCHANT), part).await;
    }
    for garbage in [&[][..], b"nonsense", &[0xFF; 2000]] {
        sale.refuse(&sale.sign(200, garbage, MERCHANT), "message").await;
    }
    let longer = [&message[..], &[0]].concat();
    sale.refuse(&sale.sign(200, &longer, MERCHANT), "message").await;
    assert_eq!(sale.send(&signed).await["success"], true);
}

#[tokio::test]
async fn a_payment_without_refunds_or_after_their_deadline_has_none() {
    let world = World::new().await;
    let id = captured(&world, None).await;
    let sale = Sale { world, id };
    sale.refuse_draft(100, "allow no refunds").await;

    let sale = Sale::new().await;
    let signed = sale.signed(100).await;
    sale.world.cluster.pass_seconds(REFUND_SECONDS);
    let (status, _) = sale.draft(100).await;
    assert_eq!(status, StatusCode::OK, "the last second is in time");
    sale.world.cluster.pass_seconds(1);
    sale.refuse_draft(100, "has passed").await;
    sale.refuse(&signed, "has passed").await;
}

#[tokio::test]
async fn an_unknown_payment_is_not_refunded() {
    let world = World::new().await;
    let sale = Sale { world, id: Hex32([7; 32]) };
    let (status, answer) = sale.draft(100).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.to_string().contains("payment_not_found"), "{answer}");
}

#[tokio::test]
async fn a_refund_whose_blockhash_died_is_given_up_and_can_be_signed_again() {
    let options = Options { settle_timeout: Duration::from_millis(1500), ..Options::default() };
    let sale = Sale::with(options).await;
    let signed = sale.signed(200).await;
    sale.world.cluster.state().loses_transactions = true;
    assert_eq!(sale.send(&signed).await["errorReason"], "settlement_pending");
    sale.refuse_draft(300, "another refund is under way").await;
    sale.world.cluster.outlive_blockhash();
    sale.world.cluster.state().loses_transactions = false;
    let drafted = async || sale.draft(200).await.0 == StatusCode::OK;
    wait::until("another refund to be possible", drafted).await;
    assert_eq!(sale.balances(), (FUNDS - 700, 700));
    let answer = sale.send(&sale.signed(200).await).await;
    assert_eq!(answer["success"], true, "{answer}");
    assert_eq!(sale.balances(), (FUNDS - 500, 500));
}

#[tokio::test]
async fn a_refund_in_a_dropped_block_is_sent_again_and_made_once() {
    let options = Options { commitment: Commitment::Confirmed, ..Options::default() };
    let sale = Sale::with(options).await;
    let before = sale.world.cluster.state().clone();
    let signed = sale.signed(200).await;
    assert_eq!(sale.send(&signed).await["success"], true);
    sale.world.cluster.drop_blocks_since(before);
    assert_eq!(sale.balances(), (FUNDS - 700, 700));
    wait::until("the refund to be made again", async || sale.balances() == (FUNDS - 500, 500)).await;
    let answer = sale.send(&signed).await;
    assert_eq!((&answer["success"], &answer["extra"]["alreadySettled"]), (&json!(true), &json!(true)));
    assert_eq!(sale.balances(), (FUNDS - 500, 500));
}

#[tokio::test]
async fn a_refund_is_never_only_reserved() {
    let reserving = Options {
        on_confirmed_hold: Some(u64::MAX),
        settle_timeout: Duration::from_millis(1500),
        ..Options::default()
    };
    let sale = Sale::with(reserving).await;
    sale.world.until(sale.id, |payment| payment["captured"] == "700").await;
    let signed = sale.signed(500).await;
    sale.world.cluster.state().loses_transactions = true;
    let answer = sale.send(&signed).await;
    assert_eq!(answer["errorReason"], "settlement_pending", "{answer}");
    assert_eq!(answer["extra"]["commitmentRequired"], "confirmed", "{answer}");
    assert_eq!(answer["extra"]["restsOn"], "confirmed_hold", "{answer}");
}
