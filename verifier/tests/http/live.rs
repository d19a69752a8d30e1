//! Blocks are announced over WebSockets, by a node that the test plays.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};
use x402_escrow_domain::cluster::Consensus;
use x402_escrow_wire::auth_capture::Commitment;

use crate::{
    wait,
    world::{Options, World},
};

/// A verifier that relies on announcements looks every two seconds without one: here long after the block.
const BEFORE_A_LIVE_POLL: Duration = Duration::from_millis(1300);

struct Node {
    listener: TcpListener,
}

impl Node {
    async fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    fn options(&self) -> Options {
        Options {
            commitment: Commitment::Confirmed,
            announced_at: Some(self.listener.local_addr().unwrap().port()),
            ..Options::default()
        }
    }

    /// Lets the verifier in, and answers what it subscribes to; `refused` are methods that this node does not have.
    async fn let_in(&self, refused: &[&str]) -> Announcements {
        let (stream, _) = self.listener.accept().await.unwrap();
        let mut socket = accept_async(stream).await.unwrap();
        loop {
            let request = socket.next().await.unwrap().unwrap();
            let Message::Text(text) = request else { continue };
            let request: Value = serde_json::from_str(&text).unwrap();
            let method = request["method"].as_str().unwrap().to_owned();
            let is_refused = refused.contains(&method.as_str());
            let answer = if is_refused {
                json!({"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": request["id"]})
            } else {
                json!({"jsonrpc": "2.0", "result": 7, "id": request["id"]})
            };
            socket.send(Message::text(answer.to_string())).await.unwrap();
            if !is_refused {
                return Announcements { socket, method };
            }
        }
    }
}

struct Announcements {
    socket: WebSocketStream<TcpStream>,
    method: String,
}

impl Announcements {
    /// Announces that something became of a block.
    async fn announce(&mut self) {
        let (method, result) = match self.method.as_str() {
            "slotSubscribe" => ("slotNotification", json!({"parent": 1, "root": 0, "slot": 2})),
            _ => (
                "slotsUpdatesNotification",
                json!({"type": "optimisticConfirmation", "slot": 2, "timestamp": 1}),
            ),
        };
        let params = json!({"result": result, "subscription": 7});
        let text = json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string();
        // The verifier hangs up after silence, which on a busy machine comes unmeant.
        _ = self.socket.send(Message::text(text)).await;
    }
}

async fn live_nodes_are(world: &World, count: usize) {
    let counted = async || world.app.blocks.nodes() == count;
    wait::until(&format!("{count} live nodes"), counted).await;
}

/// Announces until that is heard: after silence it is forgotten.
async fn goes_live(world: &World, announcements: &mut Announcements) {
    wait::until("a live node", async || {
        announcements.announce().await;
        world.app.blocks.nodes() == 1
    })
    .await;
}

/// Settles a payment whose block is confirmed soon after it was sent; calls `then` at that moment. Returns how long the
/// answer took from there.
async fn confirmed_a_little_later(world: &World, nonce: u64, then: impl AsyncFnOnce()) -> Duration {
    world.cluster.state().level = Commitment::Processed;
    let body = world.body(&world.requirements(1000), nonce);
    let sent = world.cluster.distinct_sent();
    let confirm = async {
        wait::until("it to be sent", async || world.cluster.distinct_sent() > sent).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.cluster.state().level = Commitment::Confirmed;
        let at = Instant::now();
        then().await;
        at
    };
    let (answer, at) = tokio::join!(world.settle(&body), confirm);
    assert_eq!(answer["success"], true, "{answer}");
    at.elapsed()
}

/// Nothing announces a block, and it is seen before a verifier would look that relies on announcements.
async fn assert_polled_often(world: &World) {
    let polled = wait::quickest_of_three(async |number| {
        confirmed_a_little_later(world, 1 + number, async || {}).await
    });
    assert!(polled.await < BEFORE_A_LIVE_POLL);
}

#[tokio::test]
async fn an_announced_block_is_looked_at_at_once_and_another_soon() {
    for refused in [&[][..], &["slotsUpdatesSubscribe"]] {
        let node = Node::new().await;
        let world = World::with(node.options()).await;
        let mut announcements = node.let_in(refused).await;
        goes_live(&world, &mut announcements).await;
        let announced = wait::quickest_of_three(async |number| {
            confirmed_a_little_later(&world, 1 + number, async || announcements.announce().await).await
        });
        assert!(announced.await < BEFORE_A_LIVE_POLL);
        // Nothing says so, and the poll behind it finds it.
        let silent = wait::quickest_of_three(async |number| {
            confirmed_a_little_later(&world, 4 + number, async || {}).await
        });
        assert!(silent.await < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn who_falls_silent_or_hangs_up_is_not_waited_for() {
    let node = Node::new().await;
    let world = World::with(node.options()).await;
    let mut announcements = node.let_in(&[]).await;
    goes_live(&world, &mut announcements).await;
    live_nodes_are(&world, 0).await;
    // Polled as if there were no announcements.
    assert_polled_often(&world).await;

    let mut announcements = node.let_in(&[]).await;
    goes_live(&world, &mut announcements).await;
    drop(announcements);
    live_nodes_are(&world, 0).await;
}

#[tokio::test]
async fn nonsense_and_a_flood_do_no_harm() {
    let node = Node::new().await;
    let world = World::with(node.options()).await;
    for text in [
        "",
        "nonsense",
        "[]",
        "{\"method\":5}",
        "{\"params\":{\"result\":{\"type\":\"root\"},\"subscription\":7}}",
    ] {
        let mut announcements = node.let_in(&[]).await;
        announcements.socket.send(Message::text(text)).await.unwrap();
        // The verifier may be faster.
        _ = announcements.socket.close(None).await;
    }
    let mut announcements = node.let_in(&[]).await;
    for _ in 0..10_000 {
        announcements.announce().await;
    }
    let body = world.body(&world.requirements(1000), 1);
    assert_eq!(world.settle(&body).await["success"], true);
}

#[tokio::test]
async fn the_consensus_is_asked_for_when_a_node_connects() {
    let node = Node::new().await;
    let world = World::with(node.options()).await;
    // The first question, and the pause after it.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    world.cluster.state().consensus = Consensus::Alpenglow;
    let mut announcements = node.let_in(&[]).await;
    announcements.announce().await;
    let since = Instant::now();
    wait::until("the consensus", async || world.app.cluster.consensus() == Consensus::Alpenglow).await;
    assert!(since.elapsed() < Duration::from_secs(25), "{:?}", since.elapsed());
}

#[tokio::test]
async fn nobody_at_the_other_end_changes_nothing() {
    let node = Node::new().await;
    let options = node.options();
    drop(node);
    let world = World::with(options).await;
    assert_polled_often(&world).await;
}
