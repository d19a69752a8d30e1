//! Which consensus the cluster runs, and what that changes.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, extract::State, routing::post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use x402_escrow_domain::cluster::Consensus;
use x402_escrow_verifier::chain::{Chain, RpcChain};
use x402_escrow_wire::auth_capture::{Commitment, Level};

use crate::{
    wait::PATIENCE,
    world::{Options, World, listen},
};

fn short(consensus: Consensus) -> Options {
    let settle_timeout = Duration::from_millis(300);
    Options { consensus, on_finalized_hold: Level::Reserved, settle_timeout, ..Options::default() }
}

/// What a hold must be, and whether it is by then.
async fn held(world: &World, nonce: u64) -> (Value, Value) {
    tried(world.settle(&world.body(&world.requirements(1000), nonce)).await)
}

/// The same of one that is to be held, however long it takes.
async fn held_at_last(world: &World, nonce: u64) -> (Value, Value) {
    tried(world.settled(&world.body(&world.requirements(1000), nonce)).await)
}

fn tried(answer: Value) -> (Value, Value) {
    (answer["extra"]["commitmentRequired"].clone(), answer["success"].clone())
}

#[tokio::test]
async fn under_alpenglow_a_payment_is_final_before_it_is_answered() {
    let world = World::with(short(Consensus::Alpenglow)).await;
    for (nonce, level) in [(1, Commitment::Processed), (2, Commitment::Confirmed)] {
        world.cluster.state().level = level;
        assert_eq!(held(&world, nonce).await, (json!("finalized"), json!(false)), "{level:?}");
    }
    world.cluster.state().level = Commitment::Finalized;
    assert_eq!(held_at_last(&world, 3).await, (json!("finalized"), json!(true)));
    // What a final hold bears is reserved.
    let id = world.payment_id(&world.body(&world.requirements(1000), 3));
    world.cluster.state().loses_transactions = true;
    let captured = world.settle(&world.capture(id, 1000, true)).await;
    assert_eq!(captured["extra"]["commitmentObserved"], "reserved", "{captured}");
}

#[tokio::test]
async fn without_an_answer_the_older_rules_hold() {
    for consensus in [Consensus::TowerBft, Consensus::Unknown] {
        let world = World::with(short(consensus)).await;
        world.cluster.state().level = Commitment::Processed;
        assert_eq!(held_at_last(&world, 1).await, (json!("processed"), json!(true)), "{consensus:?}");
    }
}

#[tokio::test]
async fn a_cluster_that_migrates_is_noticed_and_a_silent_node_changes_nothing() {
    let world = World::with(short(Consensus::TowerBft)).await;
    world.cluster.state().level = Commitment::Processed;
    assert_eq!(held_at_last(&world, 1).await, (json!("processed"), json!(true)));
    world.cluster.state().consensus = Consensus::Alpenglow;
    world.app.cluster.ask(world.app.chain.as_ref()).await;
    assert_eq!(held(&world, 2).await, (json!("finalized"), json!(false)));
    world.cluster.state().is_down = true;
    world.app.cluster.ask(world.app.chain.as_ref()).await;
    world.cluster.state().is_down = false;
    assert_eq!(held(&world, 3).await, (json!("finalized"), json!(false)));
    assert_eq!(world.get("/health").await.1["consensus"], "alpenglow");
}

/// What a node answers to `getAgGenesisCert`.
async fn told(answer: Value) -> Result<Consensus, String> {
    type Answer = Arc<Mutex<Value>>;
    async fn give(State(answer): State<Answer>, Json(asked): Json<Value>) -> Json<Value> {
        assert_eq!(asked["method"], "getAgGenesisCert");
        let mut answer = answer.lock().unwrap().clone();
        answer["jsonrpc"] = json!("2.0");
        answer["id"] = asked["id"].clone();
        Json(answer)
    }
    let router = Router::new().route("/", post(give)).with_state(Arc::new(Mutex::new(answer)));
    let (url, server) = listen(router).await;
    let told = RpcChain::new(url, PATIENCE).consensus().await;
    server.abort();
    told.map_err(|error| error.message)
}

#[tokio::test]
async fn a_node_tells_by_its_certificate() {
    let certificate = json!({ "slot": 447_120_000, "blockId": "11111111111111111111111111111111" });
    assert_eq!(told(json!({ "result": certificate })).await, Ok(Consensus::Alpenglow));
    assert_eq!(told(json!({ "result": null })).await, Ok(Consensus::TowerBft));
    let unknown = json!({ "error": { "code": -32601, "message": "Method not found" } });
    assert_eq!(told(unknown).await, Ok(Consensus::Unknown));
    let broken = json!({ "error": { "code": -32005, "message": "Node is unhealthy" } });
    assert!(told(broken).await.unwrap_err().contains("unhealthy"));
}

/// A node that starts again may be another version, and run something else.
#[tokio::test]
async fn that_a_node_answers_again_is_told() {
    async fn answer(Json(asked): Json<Value>) -> Json<Value> {
        let hash = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG";
        Json(json!({ "jsonrpc": "2.0", "id": asked["id"], "result": hash }))
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let chain = RpcChain::new(format!("http://{address}"), PATIENCE);
    let router = Router::new().route("/", post(answer));
    // It hangs up. Its port stays taken, so that nobody else gets it.
    let hang_up = async { drop(listener.accept().await.unwrap()) };
    let (told, ()) = tokio::join!(chain.genesis_hash(), hang_up);
    assert!(!told.unwrap_err().is_answer);
    let changed = async |within| tokio::time::timeout(within, chain.changed()).await.is_ok();
    assert!(!changed(Duration::from_millis(100)).await, "it is still silent");
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    chain.genesis_hash().await.unwrap();
    assert!(changed(PATIENCE).await);
    chain.genesis_hash().await.unwrap();
    assert!(!changed(Duration::from_millis(100)).await, "nothing happened since");
    server.abort();
}
