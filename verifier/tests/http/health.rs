use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::Value;
use solana_sdk::account::Account;
use x402_escrow_verifier::chain::Chain;
use x402_escrow_wire::auth_capture::Commitment;

use crate::{
    metrics::{lines, value},
    nodes::{Fault, Node},
    wait,
    world::{Options, World, program},
};

/// The schemes that `/supported` offers, in order.
async fn offered(world: &World) -> Vec<String> {
    let (status, body) = world.get("/supported").await;
    assert_eq!(status, StatusCode::OK);
    let kinds = body["kinds"].as_array().unwrap().iter();
    kinds.map(|kind| kind["scheme"].as_str().unwrap().to_owned()).collect()
}

async fn health(world: &World) -> (StatusCode, bool, String, Value) {
    let (status, body) = world.get("/health").await;
    (status, body["ready"].as_bool().unwrap(), body["reasons"].to_string(), body)
}

#[tokio::test]
async fn ready_with_a_node_a_store_and_a_funded_fee_payer() {
    let world = World::new().await;
    world.led().await;
    let (status, ready, reasons, body) = health(&world).await;
    assert_eq!((status, ready, reasons.as_str()), (StatusCode::OK, true, "[]"));
    assert!(body["slot"].is_u64() && body["slotAgeSeconds"].is_i64() && body["feePayerLamports"].is_u64());
}

#[tokio::test]
async fn not_ready_without_a_node() {
    let world = World::new().await;
    world.led().await;
    world.cluster.state().is_down = true;
    let (status, ready, reasons, _) = health(&world).await;
    assert_eq!((status, ready), (StatusCode::SERVICE_UNAVAILABLE, false));
    assert!(reasons.contains("the Solana node does not answer: it can't be reached"), "{reasons}");
}

#[tokio::test]
async fn not_ready_when_the_cluster_stands_still() {
    let world = World::new().await;
    world.led().await;
    world.cluster.pass_seconds(-61);
    let (status, _, reasons, _) = health(&world).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(reasons.contains("the newest block is"), "{reasons}");
}

#[tokio::test]
async fn not_ready_with_a_poor_fee_payer() {
    let world = World::new().await;
    world.led().await;
    let account = Account { lamports: 49_999_999, ..Account::default() };
    world.cluster.state().svm.set_account(world.fee_payer(), account).unwrap();
    let (status, _, reasons, _) = health(&world).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(reasons.contains("49999999 lamports, below 50000000"), "{reasons}");
}

#[tokio::test]
async fn not_ready_on_a_cluster_without_the_escrow_program() {
    let world = World::new().await;
    world.led().await;
    assert_eq!(value(&world, "x402_program_found").await, Some(1.0));
    // Somebody's wallet, as where a wrong address is configured.
    let wallet = Account { lamports: 1_000_000, ..Account::default() };
    world.cluster.state().svm.set_account(program(), wallet).unwrap();
    let (status, _, reasons, _) = health(&world).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let expected = format!("the escrow program {} is not on this cluster: set program_id", program());
    assert!(reasons.contains(&expected), "{reasons}");
    assert_eq!(value(&world, "x402_program_found").await, Some(0.0));
}

#[tokio::test]
async fn auth_capture_is_offered_only_while_the_escrow_program_is_on_the_cluster() {
    let world = World::new().await;
    world.led().await;
    let all = ["auth-capture", "exact", "exact"];
    assert_eq!(offered(&world).await, all);
    let deployed = world.cluster.state().svm.get_account(&program()).unwrap();
    let wallet = Account { lamports: 1_000_000, ..Account::default() };
    world.cluster.state().svm.set_account(program(), wallet).unwrap();
    assert_eq!(health(&world).await.0, StatusCode::SERVICE_UNAVAILABLE);
    // A transfer needs no program of ours.
    wait::until("it to be left out", async || offered(&world).await == all[1..]).await;
    world.cluster.state().svm.set_account(program(), deployed).unwrap();
    wait::until("it to be offered again", async || {
        health(&world).await;
        offered(&world).await == all
    })
    .await;
}

#[tokio::test]
async fn a_row_that_can_not_be_read_is_counted_and_stops_nothing_else() {
    let world = World::new().await;
    world.led().await;
    for (nonce, state, column) in [
        (1, "nonsense", "state"),
        (2, "nonsense", "commitment"),
        (3, "12x", "amount"),
        (4, "nonsense", "error_code"),
    ] {
        let id = world.authorize(1000, nonce).await;
        world.spoil(id, column, state).await;
    }
    world.app.to_send.notify_one();
    wait::until("them to be counted", async || health(&world).await.3["unreadableRows"] == 4).await;
    let (status, ready, reasons, _) = health(&world).await;
    assert_eq!((status, ready, reasons.as_str()), (StatusCode::OK, true, "[]"));
    let id = world.authorize(1000, 5).await;
    world.settled(&world.capture(id, 600, true)).await;
    assert_eq!(world.received(), 600);
    assert_eq!(lines(&world, "x402_unreadable_rows").await, ["x402_unreadable_rows 4.0"]);
}

#[tokio::test]
async fn not_ready_while_the_tracker_gets_no_answer() {
    let options = Options { commitment: Commitment::Confirmed, ..Options::default() };
    let mut node = None;
    let world = World::through(options, async |cluster| {
        node = Some(Node::new(cluster));
        node.clone().unwrap() as Arc<dyn Chain>
    })
    .await;
    world.authorize(1000, 1).await;
    node.unwrap().break_with(Fault::HangsAt("getSignatureStatuses"));
    // Where another could lead, it gives up leading about when that is to be said.
    let told = ["transactions can't be followed, and none were for 1", "no verifier leads"];
    wait::until("it to be said", async || {
        let (status, _, reasons, _) = health(&world).await;
        let is_said = told.iter().any(|told| reasons.contains(told));
        assert!(!is_said || status == StatusCode::SERVICE_UNAVAILABLE, "{reasons}");
        is_said
    })
    .await;
}

#[tokio::test]
async fn not_ready_when_the_store_is_closed() {
    let world = World::new().await;
    world.led().await;
    world.app.store.close().await;
    let (status, _, reasons, _) = health(&world).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(reasons.contains("database"), "{reasons}");
}
