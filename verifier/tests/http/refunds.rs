//! `POST /refunds` and `/refunds/signed`: captured money goes back, once and with the receiver's signature only.

use std::time::Duration;

use axum::http::StatusCode;
use base64::{Engine, prelude::BASE64_STANDARD};
use ed25519_dalek::Signer;
use serde_json::{Value, json};
use x402_escrow_domain::budget::{self, Budgets, Limit, Limits};
use x402_escrow_wire::{
    auth_capture::Commitment,
    text::{Base58, Hex32},
};

use crate::{
    wait,
    world::{FUNDS, MERCHANT, Options, SESSION, World, signing_key},
};

const REFUND: &str = "invalid_auth_capture_svm_refund";

/// A payment of 1000 base units of which 700 are captured.
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
        let id = world.authorize(1000, 1).await;
        world.settled(&world.capture(id, 700, true)).await;
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

    /// Sends it again until it is made.
    async fn made(&self, signed: &Value) {
        wait::until("it to be made", async || self.send(signed).await["success"] == true).await;
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

#[tokio::test]
async fn a_refund_goes_back_to_the_escrow_in_parts_and_never_above_what_was_captured() {
    let sale = Sale::new().await;
    assert_eq!(sale.balances(), (FUNDS - 700, 700));
    sale.made(&sale.signed(200).await).await;
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
    sale.refuse(&another_amount, "not what POST /refunds would draft").await;
    for (index, part) in [(3, "message"), (message.len() - 1, "not what POST /refunds would draft")] {
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

/// The deadline is the merchant's promise, and the hold is long gone.
#[tokio::test]
async fn a_refund_is_possible_at_any_time_whatever_was_promised() {
    let sale = Sale::new().await;
    sale.world.cluster.pass_seconds(100 * 86_400);
    assert_eq!(sale.send(&sale.signed(700).await).await["success"], true);
    assert_eq!(sale.balances(), (FUNDS, 0));
}

#[tokio::test]
async fn refunds_drafted_together_return_no_more_than_was_asked_for() {
    let sale = Sale::new().await;
    let (part, more) = (sale.signed(300).await, sale.signed(500).await);
    assert_eq!(sale.send(&part).await["success"], true);
    sale.refuse(&more, "not what POST /refunds would draft").await;
    assert_eq!(sale.balances(), (FUNDS - 400, 400));
    let (_, draft) = sale.draft(500).await;
    assert_eq!(draft["returns"], "200");
    assert_eq!(sale.send(&sale.signed(500).await).await["success"], true);
    assert_eq!(sale.balances(), (FUNDS - 200, 200));
}

#[tokio::test]
async fn refunds_sent_at_once_return_no_more_than_was_asked_for() {
    let sale = Sale::new().await;
    let mut drafts = Vec::new();
    for amount in [100, 200, 300, 400, 500, 600, 700] {
        drafts.push(sale.signed(amount).await);
    }
    let answers = futures_util::future::join_all(drafts.iter().map(|signed| sale.send(signed))).await;
    let made = answers.iter().filter(|answer| answer["success"] == true).count();
    assert_eq!(made, 1, "each was drafted as the first: {answers:?}");
    let returned = 700 - sale.balances().1;
    assert_eq!(sale.world.payment(sale.id).await["refunded"], returned.to_string());
}

#[tokio::test]
async fn a_refund_under_way_counts_until_it_is_given_up() {
    let options = Options { settle_timeout: Duration::from_millis(1500), ..Options::default() };
    let sale = Sale::with(options).await;
    let first = sale.signed(300).await;
    sale.world.cluster.state().loses_transactions = true;
    assert_eq!(sale.send(&first).await["errorReason"], "settlement_pending");
    let (_, draft) = sale.draft(500).await;
    assert_eq!(draft["returns"], "200", "300 are on their way");
    let second = sale.signed(500).await;
    sale.world.cluster.state().loses_transactions = false;
    sale.made(&second).await;
    sale.send(&first).await;
    wait::until("both to be made", async || sale.balances() == (FUNDS - 200, 200)).await;
}

/// The first refund never lands, so the second returns too little: the rest can be returned still.
#[tokio::test]
async fn what_a_given_up_refund_did_not_return_can_be_returned_still() {
    let options = Options { settle_timeout: Duration::from_millis(1500), ..Options::default() };
    let mut sale = Sale::with(options).await;
    let first = sale.signed(300).await;
    sale.world.cluster.state().loses_transactions = true;
    assert_eq!(sale.send(&first).await["errorReason"], "settlement_pending");
    // Nobody repeats it.
    sale.world.crash().await;
    sale.world.cluster.state().loses_transactions = false;
    let second = sale.signed(500).await;
    assert_eq!(sale.send(&second).await["errorReason"], "settlement_pending", "nobody follows it");
    assert_eq!(sale.balances(), (FUNDS - 500, 500));
    sale.world.cluster.outlive_blockhash();
    sale.world.restart(options).await;
    let returns = async |wanted: &str| sale.draft(500).await.1["returns"] == wanted;
    wait::until("the first to be given up", async || returns("300").await).await;
    sale.made(&sale.signed(500).await).await;
    assert_eq!(sale.balances(), (FUNDS - 200, 200));
    sale.refuse_draft(500, "500 is refunded already").await;
    assert_eq!(sale.send(&second).await["extra"]["refunded"], "500");
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
    sale.refuse_draft(200, "200 is refunded already, or on its way").await;
    sale.world.cluster.outlive_blockhash();
    sale.world.cluster.state().loses_transactions = false;
    let drafted = async || sale.draft(200).await.0 == StatusCode::OK;
    wait::until("another refund to be possible", drafted).await;
    assert_eq!(sale.balances(), (FUNDS - 700, 700));
    sale.made(&sale.signed(200).await).await;
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

#[tokio::test]
async fn a_refund_is_paid_for_out_of_the_receivers_budget() {
    // Enough for the hold and its capture.
    let receiver = Limit { hour: budget::hold(1000, 0).fees, day: 0 };
    let fees = Limits { receiver, ..Limits::default() };
    let budgets = Budgets { fees, rent: Limits::default() };
    let sale = Sale::with(Options { budgets, ..Options::default() }).await;
    let signed = sale.signed(1).await;
    let before = sale.world.everything().await;
    let (status, answer) = sale.world.post("/refunds/signed", &signed).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("budget_used_up")));
    assert_eq!(sale.world.everything().await, before);
}
