//! The operator's switch: nothing new is accepted, and what was accepted goes on.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::{
    exact::wallet,
    intents,
    metrics::lines,
    stream::{Channel, PRICE},
    wait,
    world::{Options, World},
};

impl World {
    async fn pause(&self, paused: bool) {
        self.app.store.set_paused(paused).await.unwrap();
        let obeys = async || self.get("/health").await.1["paused"] == paused;
        wait::until("the verifier to obey", obeys).await;
    }

    async fn assert_not_accepted(&self, path: &str, body: &Value) {
        let request = Request::post(path).header("content-type", "application/json");
        let request = request.body(Body::from(body.to_string())).unwrap();
        let (status, retry_after, answer) = self.request_from(None, request).await;
        assert_eq!((status.as_u16(), retry_after), (503, Some(30)), "{path}: {answer}");
        assert_eq!(answer["error"]["code"], "paused", "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_pause_accepts_nothing_new_and_ends_what_was_accepted() {
    let mut world = World::new().await;
    let before = world.body(&world.requirements(1000), 1);
    world.settled(&before).await;
    let id = world.payment_id(&before);
    world.pause(true).await;
    let (status, health) = world.get("/health").await;
    assert_eq!((status.as_u16(), &health["ready"]), (200, &json!(true)), "captures must reach it: {health}");
    assert_eq!(lines(&world, "x402_paused").await, ["x402_paused 1.0"]);

    let (hold, transfer) = (world.body(&world.requirements(1000), 2), wallet::payment(&world, 500, "new"));
    let rows = world.rows().await;
    for restarted in [false, true] {
        if restarted {
            world.restart(Options::default()).await;
        }
        for body in [&hold, &transfer] {
            world.assert_not_accepted("/settle", body).await;
            world.assert_not_accepted("/verify", body).await;
        }
        let option = json!([world.requirements(1000)]);
        world.assert_not_accepted("/intents", &intents::request(&world, option)).await;
    }
    assert_eq!(world.rows().await, rows);

    assert_eq!(world.settle(&before).await["extra"]["alreadySettled"], true, "what is known is told again");
    world.settled(&world.capture(id, 600, true)).await;
    assert_eq!((world.received(), world.escrow_account().held), (600, 0));

    world.pause(false).await;
    world.settled(&hold).await;
    world.settled(&transfer).await;
}

#[tokio::test]
async fn a_pause_takes_no_voucher_and_captures_those_that_were_taken() {
    let channel = Channel::open().await;
    channel.accept(2 * PRICE, PRICE).await;
    channel.world.pause(true).await;
    channel.world.assert_not_accepted("/settle", &channel.voucher(3 * PRICE)).await;
    // Past the margin before its capture deadline.
    channel.world.cluster.pass_seconds(560);
    let captured = async || channel.world.received() == 2 * PRICE;
    wait::until("the last voucher to be captured", captured).await;
}
