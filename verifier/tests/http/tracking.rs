//! What becomes of transactions: lost, dropped with their block, and over a crash.

use std::time::Duration;

use serde_json::{Value, json};
use x402_escrow_domain::payment::Attempt;
use x402_escrow_wire::{auth_capture::Commitment, text::Hex32};

use crate::{
    wait,
    world::{FUNDS, Options, World},
};

fn short() -> Options {
    Options { settle_timeout: Duration::from_millis(1500), ..Options::default() }
}

async fn pending(world: &World, body: &Value) -> Hex32 {
    let answer = world.settle(body).await;
    assert_eq!(answer["errorReason"], "settlement_pending", "{answer}");
    assert!(!answer["transaction"].as_str().unwrap().is_empty());
    assert_eq!(answer["extra"]["state"], "unsettled");
    world.payment_id(body)
}

#[tokio::test]
async fn a_lost_transaction_is_repeated_as_it_is() {
    let world = World::with(short()).await;
    world.cluster.state().loses_transactions = true;
    let body = world.body(&world.requirements(1000), 1);
    let id = pending(&world, &body).await;
    world.cluster.state().loses_transactions = false;
    world.until(id, |payment| payment["state"] == "authorized").await;
    assert_eq!(world.cluster.distinct_sent(), 1);
    assert_eq!(world.escrow_account().held, 1000);
    world.settled(&body).await;
}

#[tokio::test]
async fn a_transaction_whose_blockhash_died_is_replaced() {
    let world = World::with(short()).await;
    world.cluster.state().loses_transactions = true;
    let body = world.body(&world.requirements(1000), 1);
    let id = pending(&world, &body).await;
    world.cluster.state().loses_transactions = false;
    world.cluster.outlive_blockhash();
    let payment = world.until(id, |payment| payment["state"] == "authorized").await;
    let states: Vec<_> =
        payment["transactions"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!(states, ["expired", "confirmed"], "{payment}");
    assert_eq!(world.escrow_account().held, 1000);
}

#[tokio::test]
async fn a_hold_in_a_dropped_block_is_unsettled_again_and_sent_again() {
    let world = World::new().await;
    let fork = world.cluster.state().clone();
    world.cluster.state().level = Commitment::Processed;
    let id = world.authorize(1000, 1).await;
    let held = world.payment(id).await;
    assert_eq!(held["transactions"][0]["slot"], 101);

    world.cluster.drop_blocks_since(fork);
    world.cluster.state().loses_transactions = true;
    let payment = world.until(id, |payment| payment["state"] == "unsettled").await;
    assert_eq!(payment["operations"][0]["status"], "unsettled", "{payment}");
    let transaction = &payment["transactions"][0];
    assert_eq!((&transaction["slot"], &transaction["blockHash"]), (&Value::Null, &Value::Null), "{payment}");
    assert_eq!(world.escrow_account().held, 0);

    world.cluster.state().loses_transactions = false;
    let payment = world.until(id, |payment| payment["state"] == "authorized").await;
    assert_eq!(payment["transactions"].as_array().unwrap().len(), 1, "the same transaction: {payment}");
    assert_eq!(world.escrow_account().held, 1000);
}

#[tokio::test]
async fn hold_and_capture_in_dropped_blocks_come_back_in_order() {
    let world = World::new().await;
    let fork = world.cluster.state().clone();
    let id = world.authorize(1000, 1).await;
    world.settled(&world.capture(id, 700, true)).await;
    assert_eq!(world.received(), 700);

    world.cluster.drop_blocks_since(fork);
    world.cluster.outlive_blockhash();
    assert_eq!((world.received(), world.escrow_account().held), (0, 0));
    let payment = world
        .until(id, |payment| {
            payment["state"] == "ended" && payment["transactions"].as_array().unwrap().len() == 4
        })
        .await;
    assert_eq!((&payment["captured"], &payment["released"]), (&json!("700"), &json!("300")), "{payment}");
    let escrow = world.escrow_account();
    assert_eq!((escrow.balance, escrow.held, world.received()), (FUNDS - 700, 0, 700));
}

#[tokio::test]
async fn a_capture_that_a_new_fork_takes_before_its_hold_is_made_again() {
    let world = World::new().await;
    let fork = world.cluster.state().clone();
    let id = world.authorize(1000, 1).await;
    world.settled(&world.capture(id, 700, true)).await;
    let sent = world.app.store.history(&id.0).await.unwrap().unwrap().operations;
    let [hold, capture] = [0, 1].map(|operation: usize| &sent[operation].attempts[0]);

    world.cluster.drop_blocks_since(fork);
    world.cluster.state().loses_transactions = true;
    world.until(id, |payment| payment["operations"][1]["status"] == "unsettled").await;
    let times = |sent: &Attempt| {
        let state = world.cluster.state();
        state.sent.iter().filter(|signature| **signature == sent.signature).count()
    };
    wait::until("the hold to be repeated", async || times(hold) > 2).await;
    assert_eq!(times(capture), 1, "it waits for the hold");
    world.cluster.take(capture);
    let payment = world.until(id, |payment| payment["transactions"][1]["status"] == "failed").await;
    assert_eq!(payment["operations"][1]["status"], "unsettled", "{payment}");
    assert_eq!(world.received(), 0);

    world.cluster.take(hold);
    {
        let mut state = world.cluster.state();
        // With the same blockhash it would be the same transaction.
        state.svm.expire_blockhash();
        state.loses_transactions = false;
        state.level = Commitment::Finalized;
    }
    let payment = world.until(id, |payment| payment["operations"][1]["status"] == "finalized").await;
    assert_eq!((&payment["state"], &payment["captured"]), (&json!("ended"), &json!("700")), "{payment}");
    let escrow = world.escrow_account();
    assert_eq!((escrow.balance, escrow.held, world.received()), (FUNDS - 700, 0, 700));
}

#[tokio::test]
async fn follows_until_final_and_then_asks_no_more() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    world.until(id, |payment| payment["transactions"][0]["blockHash"].is_string()).await;
    assert_eq!(world.payment(id).await["transactions"][0]["status"], "confirmed");
    world.cluster.state().level = Commitment::Finalized;
    world.until(id, |payment| payment["operations"][0]["status"] == "finalized").await;
    assert!(world.app.store.open_operations().await.unwrap().rows.is_empty());
    // A node that has forgotten its history changes nothing about what is final.
    world.cluster.state().landed.clear();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.payment(id).await["state"], "authorized");
}

#[tokio::test]
async fn a_crash_after_sending_loses_nothing() {
    let mut world = World::with(short()).await;
    world.cluster.state().loses_transactions = true;
    let body = world.body(&world.requirements(1000), 1);
    let id = pending(&world, &body).await;
    world.crash().await;
    world.cluster.state().loses_transactions = false;
    assert_eq!(world.payment(id).await["state"], "unsettled");
    world.restart(short()).await;
    world.until(id, |payment| payment["state"] == "authorized").await;
    assert_eq!(world.cluster.distinct_sent(), 1);
    assert_eq!(world.escrow_account().held, 1000);
}

#[tokio::test]
async fn a_capture_accepted_before_a_crash_is_sent_after_it() {
    let mut world = World::with(short()).await;
    let id = world.authorize(1000, 1).await;
    world.crash().await;
    let body = world.capture(id, 1000, true);
    let answer = world.settle(&body).await;
    assert_eq!((&answer["success"], &answer["transaction"]), (&json!(false), &json!("")), "{answer}");
    assert_eq!(world.received(), 0);
    world.restart(short()).await;
    world.until(id, |payment| payment["state"] == "ended").await;
    assert_eq!(world.received(), 1000);
}

#[tokio::test]
async fn a_hold_that_was_not_sent_before_the_answer_is_never_sent() {
    let mut world = World::with(short()).await;
    world.crash().await;
    let body = world.body(&world.requirements(1000), 1);
    let answer = world.settle(&body).await;
    assert_eq!(
        (&answer["errorReason"], &answer["transaction"]),
        (&json!("unexpected_settle_error"), &json!(""))
    );
    assert_eq!(answer["extra"]["state"], "refused", "{answer}");
    world.restart(short()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((world.sent(), world.escrow_account().held), (0, 0));
    // Asked again, it is taken up.
    world.settled(&body).await;
    assert_eq!(world.escrow_account().held, 1000);
}

#[tokio::test]
async fn a_hold_whose_caller_is_gone_is_not_sent_after_a_crash() {
    let patient = Options { settle_timeout: Duration::from_secs(60), ..Options::default() };
    let mut world = World::with(patient).await;
    world.crash().await;
    let body = world.body(&world.requirements(1000), 1);
    // Accepted, and then the verifier dies before it could answer.
    tokio::select! {
        answer = world.settle(&body) => panic!("{answer}"),
        () = world.until_rows([1, 1, 0]) => {}
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    world.restart(Options { settle_timeout: Duration::ZERO, ..Options::default() }).await;
    let id = world.payment_id(&body);
    world.until(id, |payment| payment["state"] == "refused").await;
    assert_eq!((world.sent(), world.escrow_account().held), (0, 0));
}

#[tokio::test]
async fn a_node_that_stops_answering_delays_and_loses_nothing() {
    let world = World::with(short()).await;
    let id = world.authorize(1000, 1).await;
    world.cluster.state().is_down = true;
    let answer = world.settle(&world.capture(id, 1000, true)).await;
    assert_eq!(
        answer["errorReason"], "unexpected_settle_error",
        "not accepted, so the merchant asks again: {answer}"
    );
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.cluster.state().is_down = false;
    world.settled(&world.capture(id, 1000, true)).await;
    assert_eq!(world.received(), 1000);
}

#[tokio::test]
async fn a_node_that_lags_behind_does_not_end_a_capture() {
    let world = World::with(short()).await;
    let before = world.cluster.state().svm.clone();
    let id = world.authorize(1000, 1).await;
    world.cluster.state().level = Commitment::Finalized;
    world.until(id, |payment| payment["operations"][0]["status"] == "finalized").await;
    world.cluster.state().facts = Some((100, before));
    let body = world.capture(id, 1000, true);
    let answer = world.settle(&body).await;
    assert_eq!(
        (&answer["success"], &answer["extra"]["status"]),
        (&json!(false), &json!("unsettled")),
        "{answer}"
    );
    assert!(answer["errorMessage"].as_str().unwrap().contains("it is stored"), "{answer}");
    world.cluster.state().facts = None;
    world.until(id, |payment| payment["state"] == "ended").await;
    assert_eq!(world.received(), 1000);
}

#[tokio::test]
async fn a_node_that_is_not_at_the_block_of_a_hold_does_not_undo_it() {
    let world = World::with(short()).await;
    let id = world.authorize(1000, 1).await;
    {
        let mut state = world.cluster.state();
        state.landed.clear();
        state.slot -= 1;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.payment(id).await["state"], "authorized");
    world.cluster.state().slot += 1;
    world.until(id, |payment| payment["state"] == "unsettled").await;
}

#[tokio::test]
async fn what_is_offered_follows_the_cluster_and_the_deadline_within_bounds() {
    let world = World::new().await;
    let offered = || world.cluster.state().offered.last().copied().unwrap();
    let id = world.authorize(1000, 1).await;
    assert_eq!(offered(), (10, 30_000), "a quiet cluster");
    world.cluster.state().prices = [vec![0; 100], vec![70; 50]].concat();
    assert_eq!(world.settle(&world.capture(id, 100, false)).await["success"], true);
    assert_eq!(offered(), (70, 45_000), "a third of the blocks took no less than 70");
    world.cluster.state().prices = vec![5_000; 150];
    assert_eq!(world.settle(&world.capture(id, 200, false)).await["success"], true);
    assert_eq!(offered().0, 1_000, "no more than is configured");

    world.cluster.state().prices = vec![0; 150];
    let mut requirements = world.requirements(1000);
    let soon = world.cluster.now() + 100;
    requirements.extra.insert("captureDeadline".to_owned(), serde_json::json!(soon));
    let body = world.body(&requirements, 2);
    assert_eq!(world.settle(&body).await["success"], true);
    assert_eq!(offered().0, 10, "a hold can be asked for again");
    let id = world.payment_id(&body);
    world.cluster.state().prices = [vec![0; 140], vec![90; 10]].concat();
    assert_eq!(world.settle(&world.capture(id, 100, false)).await["success"], true);
    assert_eq!(offered().0, 90, "a capture can not be late: what nearly every block takes");

    // Its first transaction is in no block.
    world.cluster.state().loses_transactions = true;
    let capture = world.capture(id, 200, true);
    let sent = world.cluster.distinct_sent();
    let settling = world.settled(&capture);
    let meanwhile = async {
        wait::until("the first transaction", async || world.cluster.distinct_sent() > sent).await;
        assert_eq!(offered().0, 90);
        world.cluster.outlive_blockhash();
        world.cluster.state().loses_transactions = false;
    };
    tokio::join!(settling, meanwhile);
    assert_eq!(offered().0, 1_000, "the first one did not do");
}
