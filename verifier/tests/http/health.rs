use axum::http::StatusCode;
use serde_json::Value;
use solana_sdk::account::Account;

use crate::{wait, world::World};

async fn health(world: &World) -> (StatusCode, bool, String, Value) {
    let (status, body) = world.get("/health").await;
    (status, body["ready"].as_bool().unwrap(), body["reasons"].to_string(), body)
}

#[tokio::test]
async fn ready_with_a_node_a_store_and_a_funded_fee_payer() {
    let (status, ready, reasons, body) = health(&World::new().await).await;
    assert_eq!((status, ready, reasons.as_str()), (StatusCode::OK, true, "[]"));
    assert!(body["slot"].is_u64() && body["slotAgeSeconds"].is_i64() && body["feePayerLamports"].is_u64());
}

#[tokio::test]
async fn not_ready_without_a_node() {
    let world = World::new().await;
    world.cluster.state().is_down = true;
    let (status, ready, reasons, _) = health(&world).await;
    assert_eq!((status, ready), (StatusCode::SERVICE_UNAVAILABLE, false));
    assert!(reasons.contains("the Solana node does not answer: it can't be reached"), "{reasons}");
}

#[tokio::test]
async fn not_ready_when_the_cluster_stands_still() {
    let world = World::new().await;
    world.cluster.pass_seconds(-61);
    let (status, _, reasons, _) = health(&world).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(reasons.contains("the newest block is"), "{reasons}");
}

#[tokio::test]
async fn not_ready_with_a_poor_fee_payer() {
    let world = World::new().await;
    let account = Account { lamports: 49_999_999, ..Account::default() };
    world.cluster.state().svm.set_account(world.fee_payer(), account).unwrap();
    let (status, _, reasons, _) = health(&world).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(reasons.contains("49999999 lamports, below 50000000"), "{reasons}");
}

#[tokio::test]
async fn not_ready_while_what_is_in_the_store_can_not_be_read() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    world.spoil_state(id, "nonsense").await;
    world.app.to_send.notify_one();
    wait::until("it to be said", async || health(&world).await.2.contains("can't be followed")).await;
    assert_eq!(health(&world).await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn not_ready_when_the_store_is_closed() {
    let world = World::new().await;
    world.app.store.close().await;
    let (status, _, reasons, _) = health(&world).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(reasons.contains("database"), "{reasons}");
}
