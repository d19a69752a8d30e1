//! Requests that are worked on, each as long as that takes.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use serde_json::json;
use tokio::time::timeout;
use x402_escrow_verifier::chain::Chain;
use x402_escrow_wire::auth_capture::Commitment;

use super::{assert_limited, attacked, get, post, served};
use crate::{
    cluster::Cluster,
    nodes::{Fault, Node},
    world::{Options, World},
};

#[tokio::test]
async fn a_request_keeps_its_place_until_it_is_answered() {
    let options = Options { limit: |limits| limits.maximum_concurrent_requests = 2, ..Options::default() };
    let mut connected = None;
    let connect =
        async |cluster: &Arc<Cluster>| Arc::clone(connected.insert(Node::new(cluster))) as Arc<dyn Chain>;
    let world = World::through(options, connect).await;
    let node = connected.unwrap();
    world.cluster.state().level = Commitment::Finalized;
    let id = world.authorize(1000, 1).await;
    world.settled(&world.capture(id, 1000, true)).await;

    node.break_with(Fault::HangsAt("getMultipleAccounts"));
    let verify = post("/verify", &world.body(&world.requirements(1000), 2));
    let draft = post("/refunds", &json!({ "paymentId": id, "amount": "100" }));
    let mut attack = [Box::pin(attacked(&world, verify)), Box::pin(attacked(&world, draft))];
    for request in &mut attack {
        let answered = timeout(Duration::from_millis(100), request).await;
        assert!(answered.is_err(), "the node hangs: {answered:?}");
    }
    let (status, retry_after, _) = attacked(&world, get("/supported")).await;
    assert_eq!((status, retry_after), (StatusCode::SERVICE_UNAVAILABLE, Some(1)));
    drop(attack);
    node.break_with(Fault::None);
    served(&world, get("/supported")).await;
    assert_limited(&world, &[("maximum_concurrent_requests", 1)]).await;
}
