//! What catalogues are told of what is sold.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{
    client::Ask,
    shop::{PUBLIC_URL, Shop},
};

#[tokio::test]
async fn a_route_is_declared_to_clients_and_to_the_facilitator_without_what_is_of_one_request() {
    let shop = Shop::open().await;
    let ask = Ask::get("/things/lamp?secret=1");
    let challenge = shop.send(&ask, None).await.challenge().unwrap();
    let declared = challenge.extensions.unwrap()["bazaar"].clone();
    assert_eq!(declared["info"]["input"], json!({ "type": "http", "method": "GET" }));
    assert_eq!(declared["routeTemplate"], "/things/:name");

    // What a client makes of it is not passed on.
    let mut payment = shop.payment(&ask, 1).await;
    let lie = json!({ "bazaar": { "info": "mine" }, "junk": 1 });
    payment.extensions = lie.as_object().cloned();
    assert_eq!(shop.pay(&ask, &payment).await.status, StatusCode::OK);
    let told = &shop.facilitator.asked()[0];
    assert_eq!(told[1], json!({ "bazaar": declared }));
    let resource = json!({ "url": format!("{PUBLIC_URL}/things/:name"), "description": "a thing" });
    assert_eq!(told[2], resource);
}

#[tokio::test]
async fn an_unlisted_route_and_a_body_without_an_example_are_not_declared() {
    let shop = Shop::open().await;
    for (nonce, (ask, discoverable)) in
        [(Ask::get("/unlisted"), json!(false)), (Ask::post("/things/lamp", "on"), Value::Null)]
            .into_iter()
            .enumerate()
    {
        let payment = shop.payment(&ask, nonce as u64).await;
        let said = payment.accepted.extra.get("discoverable").cloned().unwrap_or_default();
        assert_eq!(said, discoverable, "{ask:?}");
        assert_eq!(shop.send(&ask, None).await.challenge().unwrap().extensions, None);
        assert_eq!(shop.pay(&ask, &payment).await.status, StatusCode::OK);
        let told = shop.facilitator.asked();
        assert_eq!((&told[nonce][1], &told[nonce][2]), (&Value::Null, &Value::Null), "{ask:?}");
    }
}
