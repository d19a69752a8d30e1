//! Crashes of the verifier: which transactions are sent once it is back.

use std::time::Duration;

use serde_json::json;

use super::{pending, short};
use crate::world::{Options, World};

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
