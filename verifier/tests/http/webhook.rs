//! News of payments go to a server that the test plays.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;
use x402_escrow_wire::auth_capture::Commitment;

use crate::{
    wait,
    world::{Options, WEBHOOK_SECRET, World},
};

/// What came, and what is answered.
pub(crate) struct Server {
    address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    status: AtomicU16,
    /// Id and body of each message.
    messages: Mutex<Vec<(String, Value)>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let inner = Arc::new(Inner { status: AtomicU16::new(200), messages: Mutex::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", post(receive)).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, inner }
    }

    fn answer(&self, status: StatusCode) {
        self.inner.status.store(status.as_u16(), Ordering::SeqCst);
    }

    pub(crate) fn options(&self) -> Options {
        Options { webhook: Some(self.address), ..Options::default() }
    }

    pub(crate) fn messages(&self) -> Vec<(String, Value)> {
        self.inner.messages.lock().unwrap().clone()
    }

    /// Waits for a message that says this of the payment.
    async fn told(&self, state: &str, status: &str) -> (String, Value) {
        self.told_of(&format!("{state}, {status}"), |payment| {
            let operations = payment["operations"].as_array().unwrap();
            payment["state"] == state && operations.last().unwrap()["status"] == status
        })
        .await
    }

    /// Waits for a message about a payment that is as `wanted`.
    pub(crate) async fn told_of(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> (String, Value) {
        let find = || self.messages().into_iter().find(|(_, body)| wanted(&body["data"]));
        wait::until(&format!("news of {what}"), async || find().is_some()).await;
        find().unwrap()
    }
}

/// Checks the signature as the standard says.
async fn receive(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: String) -> StatusCode {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    let mut mac = Hmac::<Sha256>::new_from_slice(&WEBHOOK_SECRET).unwrap();
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    let signature = header("webhook-signature");
    let signature = STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
    mac.verify_slice(&signature).expect("the signature is right");
    inner.messages.lock().unwrap().push((id, serde_json::from_str(&body).unwrap()));
    StatusCode::from_u16(inner.status.load(Ordering::SeqCst)).unwrap()
}

#[tokio::test]
async fn a_merchant_is_told_what_comes_in_and_how_final_it_is() {
    let server = Server::start().await;
    let world = World::with(server.options()).await;
    let id = world.authorize(1000, 1).await;
    let (message_id, message) = server.told("authorized", "confirmed").await;
    assert!(message_id.starts_with(&id.to_string()), "{message_id}");
    assert_eq!(
        (&message["type"], &message["data"]["paymentId"]),
        (&"payment".into(), &id.to_string().into())
    );
    world.settle(&world.capture(id, 1000, true)).await;
    server.told("ended", "confirmed").await;
    world.cluster.state().level = Commitment::Finalized;
    server.told("ended", "finalized").await;
    let ids: std::collections::BTreeSet<_> = server.messages().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), server.messages().len(), "each news has an id of its own");
}

#[tokio::test]
async fn a_dropped_block_is_news() {
    let server = Server::start().await;
    let world = World::with(server.options()).await;
    let before = world.cluster.state().clone();
    world.authorize(1000, 1).await;
    server.told("authorized", "confirmed").await;
    world.cluster.drop_blocks_since(before);
    world.cluster.state().loses_transactions = true;
    server.told("unsettled", "unsettled").await;
}

#[tokio::test]
async fn what_was_not_taken_is_told_again_also_after_a_crash() {
    let server = Server::start().await;
    let mut world = World::with(server.options()).await;
    server.answer(StatusCode::INTERNAL_SERVER_ERROR);
    world.cluster.state().level = Commitment::Finalized;
    world.authorize(1000, 1).await;
    let (first, _) = server.told("authorized", "finalized").await;
    let times = || server.messages().iter().filter(|(id, _)| *id == first).count();
    wait::until("news that were not taken to be told again", async || times() > 1).await;
    world.crash().await;
    server.answer(StatusCode::OK);
    let before = server.messages().len();
    world.restart(server.options()).await;
    wait::until("the news to be told after the crash", async || server.messages().len() > before).await;
    assert_eq!(server.messages()[before].0, first, "the same news has the same id");
    // That the server took it is stored after it did.
    let due = async || world.app.store.due_deliveries(i64::MAX, 10).await.unwrap();
    wait::until("nothing to be due that was taken", async || due().await.is_empty()).await;
}

#[tokio::test]
async fn without_a_webhook_no_news_are_kept() {
    let world = World::new().await;
    world.authorize(1000, 1).await;
    assert!(world.app.store.due_deliveries(i64::MAX, 10).await.unwrap().is_empty());
}
