//! Budgets of lamports: what accepted payments may cost.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::{Value, json};
use solana_sdk::signer::Signer;
use tokio::time::sleep;
use x402_escrow_domain::budget::{self, Budgets, Limit, Limits};
use x402_escrow_interface::{account::Session, address};
use x402_escrow_verifier::engine::budget::{charge_transfer, give_back_all};
use x402_escrow_wire::{auth_capture::Commitment, clock::unix_now, text::Base58};

use crate::{
    exact::wallet,
    metrics::lines,
    wait,
    world::{Options, World, envelope, keypair, program, sign},
};

/// Of a payer that is not the first.
const OTHER: u8 = 20;

/// A hold's rent, as LiteSVM has it.
const RENT: u64 = 3_173_760;

/// What a hold costs in fees at most, with the tests' highest price.
fn hold_fees() -> u64 {
    budget::hold(1000, 0).fees
}

fn hour(hour: u64) -> Limit {
    Limit { hour, day: 0 }
}

fn options(fees: Limits, rent: Limits) -> Options {
    Options { budgets: Budgets { fees, rent }, ..Options::default() }
}

/// A verifier whose hour does not end during the test.
async fn world(options: Options) -> World {
    while unix_now() % 3600 > 3420 {
        sleep(Duration::from_secs(1)).await;
    }
    World::with(options).await
}

fn of_payer(limit: Limit) -> Limits {
    Limits { payer: limit, ..Limits::default() }
}

impl World {
    /// The status, the error's code, and when to ask again.
    async fn refused(&self, path: &str, body: &Value) -> (StatusCode, Value, Option<u64>) {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        let request = request.body(Body::from(body.to_string())).unwrap();
        let (status, retry_after, answer) = self.request_from(None, request).await;
        (status, answer["error"]["code"].clone(), retry_after)
    }

    async fn assert_used_up(&self, body: &Value, longest: u64) {
        let before = self.everything().await;
        for path in ["/verify", "/settle"] {
            let (status, code, retry_after) = self.refused(path, body).await;
            assert_eq!((status, code), (StatusCode::TOO_MANY_REQUESTS, json!("budget_used_up")), "{path}");
            assert!((1..=longest).contains(&retry_after.unwrap()), "{retry_after:?}");
        }
        assert_eq!(self.everything().await, before);
    }

    /// A payment of another payer, who has an escrow and a session.
    fn body_of_other(&self, nonce: u64) -> Value {
        let payer = keypair(OTHER);
        let escrow = address::escrow(&program(), &payer.pubkey(), &self.mint);
        let session = address::session(&program(), &escrow, &self.session_key());
        let account = self.cluster.state().svm.get_account(&session);
        let account = account.unwrap_or_else(|| {
            self.open_escrow(&payer, self.mint);
            self.open_session_of(&payer, &escrow, &self.session_key(), self.wide_limits());
            self.cluster.state().svm.get_account(&session).unwrap()
        });
        let requirements = self.requirements(1000);
        let mut payload = self.payload(&requirements, nonce);
        payload.escrow = escrow.into();
        payload.incarnation = Base58(Session::decode(&account.data).unwrap().incarnation);
        sign(&mut payload, &requirements);
        envelope(&requirements, json!(payload))
    }
}

#[tokio::test]
async fn a_payer_that_used_up_its_budget_is_told_when_to_try_again_and_others_are_served() {
    let world = world(options(of_payer(hour(2 * hold_fees())), Limits::default())).await;
    let first = world.authorize(1000, 1).await;
    let second = world.body(&world.requirements(1000), 2);
    world.settled(&second).await;
    let third = world.body(&world.requirements(1000), 3);
    for _ in 0..3 {
        world.assert_used_up(&third, 3600).await;
    }
    world.assert_used_up(&wallet::payment(&world, 1000, "exact"), 3600).await;
    world.settled(&world.body_of_other(1)).await;
    // What was accepted is told again and carried out.
    world.settled(&second).await;
    world.settled(&world.capture(first, 400, false)).await;
    world.settled(&world.void(world.payment_id(&second), 0)).await;
    world.cluster.state().level = Commitment::Finalized;
    world.until_final(first).await;
    world.cluster.pass_seconds(601);
    world.until(first, |payment| payment["state"] == "ended").await;
    assert_eq!(world.escrow_account().held, 0);
}

#[tokio::test]
async fn transfers_at_the_verifiers_cost_end_with_the_receivers_budget_and_with_everybodys() {
    let two = hour(2 * budget::transfer(1).fees);
    for limits in [
        Limits { receiver: two, ..Limits::default() },
        Limits { overall: two, ..Limits::default() },
        Limits { overall: Limit { hour: 0, day: two.hour }, ..Limits::default() },
    ] {
        let world = world(options(limits, Limits::default())).await;
        for nonce in ["one", "two"] {
            world.settled(&wallet::payment(&world, 1000, nonce)).await;
        }
        world.assert_used_up(&wallet::payment(&world, 1000, "three"), 86_400).await;
        assert_eq!(world.received(), 2000);
    }
}

#[tokio::test]
async fn what_was_not_accepted_costs_nothing() {
    let world = world(options(of_payer(hour(hold_fees())), Limits::default())).await;
    let body = world.body(&world.requirements(1000), 1);
    for _ in 0..5 {
        assert_eq!(world.post("/verify", &body).await.1["isValid"], true);
        assert_eq!(world.settle(&world.body(&world.requirements(9_000_000), 2)).await["success"], false);
    }
    // At the same time: one is accepted, the others learn of it.
    let answers = futures_util::future::join_all((0..4).map(|_| world.post("/settle", &body))).await;
    let yes = answers.iter().filter(|(_, answer)| answer["success"] == true).count();
    assert!(yes >= 1, "{answers:?}");
    world.settled(&body).await;
    assert_eq!(world.rows().await[0], 1);
}

#[tokio::test]
async fn many_at_once_and_crashes_never_come_to_more_than_the_budget() {
    const FEES: u64 = 10_000;
    let limit = Limits { overall: hour(100 * FEES), ..Limits::default() };
    let options = options(limit, Limits::default());
    let mut world = world(options).await;
    let other = world.another_app(options).await;
    let payer = |index: u32| {
        let mut bytes = [9; 32];
        bytes[..4].copy_from_slice(&index.to_le_bytes());
        bytes.into()
    };
    let mut accepted = 0;
    for round in 0..4 {
        let charges = (0..40).map(|index| {
            let app = if index % 2 == 0 { &world.app } else { &other };
            charge_transfer(app, payer(100 * round + index), payer(9999), 0)
        });
        let charges = futures_util::future::join_all(charges).await;
        accepted += charges.iter().filter(|charge| charge.is_ok()).count();
        // Whatever its slice had left is lost.
        world.restart(options).await;
    }
    assert!((90..=100).contains(&accepted), "{accepted}");

    // A process that ends in order gives back what it has.
    let refused = charge_transfer(&world.app, payer(1), payer(2), 0).await.is_err();
    give_back_all(&other).await.unwrap();
    assert!(refused || accepted < 100);
}

#[tokio::test]
async fn captures_in_many_steps_are_carried_out_and_charged() {
    let world = world(options(of_payer(hour(2 * hold_fees())), Limits::default())).await;
    let held = world.authorize(1000, 1).await;
    let next = world.body(&world.requirements(1000), 2);
    assert_eq!(world.post("/verify", &next).await.1["isValid"], true);
    // The first was charged with its hold.
    world.settled(&world.capture(held, 100, false)).await;
    assert_eq!(world.post("/verify", &next).await.1["isValid"], true);
    for step in 2..=6 {
        world.settled(&world.capture(held, 100 * step, false)).await;
        world.assert_used_up(&next, 3600).await;
    }
    assert_eq!(world.received(), 600);
}

#[tokio::test]
async fn rent_can_be_locked_again_once_nothing_is_held() {
    let options = options(Limits::default(), of_payer(hour(RENT + RENT / 2)));
    let mut world = world(options).await;
    let first = world.authorize(1000, 1).await;
    let second = world.body(&world.requirements(1000), 2);
    world.assert_used_up(&second, 60).await;
    world.settled(&world.capture(first, 1000, true)).await;
    world.cluster.state().level = Commitment::Finalized;
    world.app.to_send.notify_one();
    wait::until("the payment to be over", async || world.open_holds().await == 0).await;
    // A process that was refused asks the store again after some seconds; a new one at once.
    world.restart(options).await;
    world.settled(&second).await;
}

#[tokio::test]
async fn the_operator_sees_what_is_left_and_what_was_refused() {
    let fees = Limits { overall: hour(budget::transfer(1).fees), ..Limits::default() };
    let world = world(options(fees, Limits::default())).await;
    let left = r#"x402_budget_left_lamports{kind="fees",period="hour"}"#;
    assert_eq!(lines(&world, "x402_budget_left_lamports").await, [format!("{left} 10001.0")]);
    world.settled(&wallet::payment(&world, 1000, "one")).await;
    world.assert_used_up(&wallet::payment(&world, 1000, "two"), 3600).await;
    assert_eq!(lines(&world, "x402_budget_left_lamports").await, [format!("{left} 0.0")]);
    assert_eq!(
        lines(&world, "x402_budget_refusals_total").await,
        [r#"x402_budget_refusals_total{kind="fees",owner="overall",period="hour"} 2"#]
    );
    let (_, _, page) = world.page("/status").await;
    assert!(page.contains("0 of 10001 lamports are left of this hour's budget of fees"), "{page}");
}
