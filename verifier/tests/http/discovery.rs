//! The catalogue of what is sold: only what somebody paid for, as its server declared it.

use axum::{body::Body, http::Request};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tower::ServiceExt;
use x402_escrow_wire::{auth_capture::Commitment, bazaar::EXTENSION_RESPONSES};

use crate::{exact::wallet, wait, world::World};

fn declaring(mut body: Value, url: &str) -> Value {
    body["paymentPayload"]["resource"] = json!({ "url": url, "description": "Rain", "tags": ["rain"] });
    body["paymentPayload"]["extensions"] = json!({ "bazaar": {
        "info": { "input": { "type": "http", "method": "GET" } },
        "schema": { "type": "object", "required": ["input"] } } });
    body
}

async fn listed(world: &World, query: &str) -> Value {
    world.get(&format!("/discovery/resources{query}")).await.1
}

fn urls(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["resource"].as_str().unwrap()).collect()
}

async fn until_listed(world: &World, count: usize) -> Value {
    wait::until("so many are listed", async || urls(&listed(world, "").await).len() == count).await;
    listed(world, "").await
}

async fn final_world() -> World {
    let world = World::new().await;
    world.cluster.state().level = Commitment::Finalized;
    world
}

/// What the header of the answer to `body` says.
async fn told(world: &World, body: &Value) -> Option<Value> {
    let request = Request::post("/settle").header("content-type", "application/json");
    let request = request.body(Body::from(body.to_string())).unwrap();
    let answer = world.router.clone().oneshot(request).await.unwrap();
    let header = answer.headers().get(EXTENSION_RESPONSES)?;
    Some(serde_json::from_slice(&BASE64_STANDARD.decode(header).unwrap()).unwrap())
}

#[tokio::test]
async fn a_hold_lists_nothing_until_something_of_it_is_captured() {
    let world = final_world().await;
    let body = declaring(world.body(&world.requirements(1000), 1), "https://a.test/rain?city=Oslo");
    assert_eq!(told(&world, &body).await, Some(json!({ "bazaar": { "status": "processing" } })));
    let id = world.payment_id(&body);
    let voided = declaring(world.body(&world.requirements(1000), 2), "https://a.test/never");
    world.settled(&voided).await;
    world.settled(&world.void(world.payment_id(&voided), 0)).await;
    assert_eq!(listed(&world, "").await["pagination"]["total"], 0);

    world.settled(&world.capture(id, 400, true)).await;
    let list = until_listed(&world, 1).await;
    assert_eq!(urls(&list), ["https://a.test/rain"]);
    assert_eq!(list["items"][0]["accepts"][0]["scheme"], "auth-capture");
    assert_eq!(list["items"][0]["extensions"]["bazaar"]["info"]["input"]["method"], "GET");
}

#[tokio::test]
async fn a_page_has_what_was_asked_for() {
    let world = final_world().await;
    for (nonce, url) in [("1", "https://a.test/one"), ("2", "https://a.test/two")] {
        world.settled(&declaring(wallet::payment(&world, 1000, nonce), url)).await;
        until_listed(&world, nonce.parse().unwrap()).await;
    }
    for (query, count, total) in [
        ("?limit=1", 1, 2),
        ("?limit=1&offset=5", 0, 2),
        ("?scheme=exact&type=http&extensions=bazaar", 2, 2),
        ("?scheme=auth-capture", 0, 0),
        ("?network=eip155:8453", 0, 0),
        (&format!("?payTo={}", world.merchant()), 2, 2),
        (&format!("?payTo={}", world.escrow), 0, 0),
    ] {
        let list = listed(&world, query).await;
        assert_eq!(
            (urls(&list).len(), &list["pagination"]["total"]),
            (count, &json!(total)),
            "{query}: {list}"
        );
    }
    let (status, answer) = world.get("/discovery/resources?limit=many").await;
    assert_eq!((status.as_u16(), &answer["error"]["field"]), (400, &json!("query")), "{answer}");
}

#[tokio::test]
async fn who_does_not_want_to_be_listed_is_not_and_nothing_keeps_a_payment_from_being_settled() {
    let world = final_world().await;
    let mut hidden = world.requirements(1000);
    hidden.extra.insert("discoverable".to_owned(), json!(false));
    let body = declaring(world.body(&hidden, 1), "https://a.test/hidden");
    assert_eq!(told(&world, &body).await, None);
    let mut wrong = declaring(world.body(&world.requirements(1000), 2), "https://a.test/wrong");
    wrong["paymentPayload"]["extensions"]["bazaar"]["schema"] = json!({ "required": ["output"] });
    let told = told(&world, &wrong).await.unwrap();
    assert_eq!(told["bazaar"]["status"], "rejected", "{told}");
    assert!(told["bazaar"]["rejectedReason"].as_str().unwrap().contains("does not fit"), "{told}");
    for body in [body, wrong] {
        world.settled(&world.capture(world.payment_id(&body), 1000, true)).await;
    }
    world.settled(&declaring(wallet::payment(&world, 1000, "1"), "https://a.test/shown")).await;
    assert_eq!(urls(&until_listed(&world, 1).await), ["https://a.test/shown"]);
}

#[tokio::test]
async fn a_catalogue_takes_no_more_than_it_has_room_for() {
    let world = final_world().await;
    for number in 0..12 {
        let url = format!("https://a.test/{number}");
        world.settled(&declaring(wallet::payment(&world, 1000, &number.to_string()), &url)).await;
    }
    let list = until_listed(&world, 10).await;
    assert_eq!(list["pagination"]["total"], 10);
}
