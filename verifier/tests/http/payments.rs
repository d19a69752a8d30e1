use axum::http::StatusCode;
use serde_json::json;

use crate::world::{NETWORK, World};

#[tokio::test]
async fn reports_all_that_is_known() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    world.settled(&world.capture(id, 400, true)).await;
    let payment = world.payment(id).await;
    assert_eq!(payment["paymentId"], id.to_string());
    assert_eq!(payment["network"], NETWORK);
    for (name, key) in [
        ("escrow", world.escrow),
        ("sessionKey", world.session_key()),
        ("receiver", world.merchant()),
        ("captureAuthorizer", world.merchant()),
        ("receiverAuthorizer", world.merchant()),
        ("asset", world.mint),
    ] {
        assert_eq!(payment[name], key.to_string(), "{name}");
    }
    let sums = [&payment["amount"], &payment["captured"], &payment["fee"], &payment["released"]];
    assert_eq!(sums, ["1000", "400", "0", "600"]);
    assert_eq!(payment["state"], "ended");
    let transactions = payment["transactions"].as_array().unwrap();
    assert_eq!(transactions.len(), 2);
    for (transaction, (kind, slot)) in transactions.iter().zip([("authorize", 101), ("capture", 102)]) {
        assert_eq!((&transaction["kind"], &transaction["slot"]), (&json!(kind), &json!(slot)));
        assert_eq!((&transaction["status"], &transaction["error"]), (&json!("confirmed"), &json!(null)));
        assert_eq!(transaction["blockHash"], bs58::encode([slot; 32]).into_string());
    }
}

#[tokio::test]
async fn an_unknown_payment_is_not_found() {
    let (status, body) = World::new().await.get(&format!("/payments/{}", "00".repeat(32))).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::NOT_FOUND, &json!("payment_not_found")));
}

#[tokio::test]
async fn an_id_that_is_none_is_refused() {
    let world = World::new().await;
    for id in ["x", &"00".repeat(31), &"zz".repeat(32), "%00"] {
        let (status, body) = world.get(&format!("/payments/{id}")).await;
        assert_eq!(
            (status, &body["error"]["field"]),
            (StatusCode::BAD_REQUEST, &json!("id")),
            "{id}: {body}"
        );
    }
}
