//! Held payments and vouchers that have an id.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{
    stream::{Channel, PRICE},
    world::{Options, World, identified},
};

const ID: &str = "pay_0123456789abcdef";

fn offering(body: Value) -> Value {
    offer(body, "optional")
}

fn offer(mut body: Value, offer: &str) -> Value {
    for path in ["/paymentRequirements/extra", "/paymentPayload/accepted/extra"] {
        body.pointer_mut(path).unwrap()["paymentIdentifier"] = json!(offer);
    }
    body
}

async fn assert_conflict(world: &World, body: &Value) {
    let before = world.everything().await;
    for path in ["/verify", "/settle"] {
        let (status, answer) = world.post(path, body).await;
        assert_eq!(status, StatusCode::CONFLICT, "{answer}");
        assert_eq!(answer["error"]["code"], json!("payment_identifier_conflict"));
    }
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn a_held_payment_is_known_by_its_id() {
    let mut world = World::new().await;
    let body = identified(offering(world.body(&world.requirements(1000), 1)), ID);
    let first = world.settled(&body).await;
    world.restart(Options::default()).await;
    let again = world.settled(&body).await;
    assert_eq!((&again["transaction"], &again["amount"]), (&first["transaction"], &first["amount"]));
    assert_eq!(again["extra"]["alreadySettled"], true);
    let (_, verdict) = world.post("/verify", &body).await;
    assert_eq!((&verdict["isValid"], &verdict["payer"]), (&json!(true), &first["payer"]), "{verdict}");
    assert_conflict(&world, &identified(offering(world.body(&world.requirements(1000), 2)), ID)).await;
    // What a server sends of its own needs no id.
    let capture = offer(world.capture(world.payment_id(&body), 1000, true), "required");
    world.settled(&capture).await;
    assert_eq!(world.received(), 1000);
}

#[tokio::test]
async fn of_different_held_payments_under_one_id_at_once_one_is_held() {
    let world = World::new().await;
    let bodies: Vec<_> =
        (1..=6).map(|nonce| identified(offering(world.body(&world.requirements(1000), nonce)), ID)).collect();
    let answers = futures_util::future::join_all(bodies.iter().map(|body| world.post("/settle", body))).await;
    let held = answers.iter().filter(|(status, _)| *status == StatusCode::OK).count();
    assert_eq!(held, 1, "{answers:#?}");
    assert_eq!(world.escrow_account().held, 1000);
    assert_eq!(world.rows().await[0], 1);
}

#[tokio::test]
async fn a_voucher_is_told_its_yes_again_under_its_id_and_counts_once() {
    let channel = Channel::open().await;
    let voucher = identified(offering(channel.voucher(2 * PRICE)), ID);
    let first = channel.world.settle(&voucher).await;
    assert_eq!((&first["success"], &first["amount"]), (&json!(true), &json!(PRICE.to_string())), "{first}");
    channel.accept(3 * PRICE, PRICE).await;
    let again = channel.world.settle(&voucher).await;
    assert_eq!((&again["success"], &again["amount"]), (&first["success"], &first["amount"]), "{again}");
    assert_eq!(again["extra"]["vouched"], first["extra"]["vouched"]);
    assert_eq!(
        (&first["extra"]["alreadySettled"], &again["extra"]["alreadySettled"]),
        (&json!(false), &json!(true))
    );
    let (_, verdict) = channel.world.post("/verify", &voucher).await;
    assert_eq!(verdict["isValid"], true, "{verdict}");
    assert_eq!(channel.vouched().await, json!((3 * PRICE).to_string()), "the last voucher stays the last");

    // To a server that does not offer ids, each yes is a request paid for.
    let plain = identified(channel.voucher(3 * PRICE), "pay_another_0123456789");
    channel.refuse(&plain, "voucher_repeated").await;
    assert_conflict(&channel.world, &identified(offering(channel.voucher(4 * PRICE)), ID)).await;
    channel.world.settled(&channel.close(3 * PRICE)).await;
    assert_eq!(channel.world.received(), 3 * PRICE);
}

#[tokio::test]
async fn a_hundred_equal_vouchers_at_once_under_one_id_are_one_and_a_hundred_equal_answers() {
    let channel = Channel::open().await;
    let voucher = identified(offering(channel.voucher(2 * PRICE)), ID);
    let answers = futures_util::future::join_all((0..100).map(|_| channel.world.settle(&voucher))).await;
    let mut first_told = 0;
    for answer in &answers {
        assert_eq!(
            (&answer["success"], &answer["amount"]),
            (&json!(true), &json!(PRICE.to_string())),
            "{answer}"
        );
        first_told += usize::from(answer["extra"]["alreadySettled"] == json!(false));
    }
    assert_eq!(first_told, 1);
    assert_eq!(channel.vouched().await, json!((2 * PRICE).to_string()));
}
