//! A node that starts again and speaks as of slots that were long before.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use axum::{Json, Router, extract::State, routing::post};
use serde_json::{Value, json};
use x402_escrow_interface::Address;
use x402_escrow_verifier::chain::{Chain, RpcChain, SendError};
use x402_escrow_wire::auth_capture::Commitment;

use crate::{wait::PATIENCE, world::listen};

#[derive(Default)]
struct Node {
    slot: AtomicU64,
    /// The configurations of all requests.
    asked: Mutex<Vec<Value>>,
}

/// Answers as a node does whose slot is below `minContextSlot`.
async fn answer(State(node): State<Arc<Node>>, Json(request): Json<Value>) -> Json<Value> {
    let (slot, config) = (node.slot.load(Ordering::Relaxed), &request["params"][1]);
    node.asked.lock().unwrap().push(config.clone());
    let mut answer = json!({ "jsonrpc": "2.0", "id": request["id"] });
    if config["minContextSlot"].as_u64().is_some_and(|minimum| slot < minimum) {
        let message = "Minimum context slot has not been reached";
        answer["error"] = json!({ "code": -32016, "message": message, "data": { "contextSlot": slot } });
    } else {
        answer["result"] = json!({ "context": { "slot": slot }, "value": [null] });
    }
    Json(answer)
}

#[tokio::test]
async fn a_node_that_is_further_behind_itself_than_a_fork_is_not_believed() {
    let node = Arc::new(Node::default());
    let (url, _) = listen(Router::new().route("/", post(answer)).with_state(Arc::clone(&node))).await;
    let chain = RpcChain::new(url, PATIENCE);
    let read_at = async |slot: u64, commitment| {
        node.slot.store(slot, Ordering::Relaxed);
        chain.accounts(&[Address::new_from_array([1; 32])], commitment).await
    };

    assert_eq!(read_at(1000, Commitment::Processed).await.unwrap().slot, 1000);
    assert_eq!(read_at(970, Commitment::Confirmed).await.unwrap().slot, 970, "a fork");
    let error = read_at(969, Commitment::Processed).await.unwrap_err();
    for said in ["Minimum context slot", "more than 30 slots behind", "or the cluster was wound back"] {
        assert!(error.message.contains(said), "{error}");
    }
    assert!(read_at(17, Commitment::Confirmed).await.is_err());
    let sent = chain.send(&[0], true).await.unwrap_err();
    assert!(matches!(sent, SendError::Unknown(_)), "not the transaction's fault: {sent}");
    let simulated = chain.simulate(&[0]).await.unwrap_err();
    assert!(matches!(simulated, SendError::Unknown(_)), "{simulated}");
    assert_eq!(read_at(968, Commitment::Finalized).await.unwrap().slot, 968, "final slots are older");
    assert_eq!(read_at(1001, Commitment::Confirmed).await.unwrap().slot, 1001, "well again");
}
