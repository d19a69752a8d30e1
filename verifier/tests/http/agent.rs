//! An agent that buys from a merchant's streamed routes with ids, over a connection that loses answers.

use std::sync::{
    Arc, RwLock,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    extract::{Request as Asked, State},
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use serde_json::json;
use tempfile::TempDir;
use tower::ServiceExt;
use x402_escrow_agent::{AgentClient, Limits, Outcome, Request, SessionFile, StateFiles};
use x402_escrow_merchant::{Merchant, MerchantConfig, Price};
use x402_escrow_wire::{
    payment::PAYMENT_SIGNATURE,
    payment_identifier::Offer,
    text::{Base58, Hex32},
};

use crate::{
    wait,
    world::{MERCHANT, NETWORK, SESSION, World, listen, program, signing_key},
};

/// Of a request, and what is held for many, in base units.
const PRICE: u64 = 100;
const HOLD: u64 = 1000;

/// What handlers did, and what becomes of answers.
#[derive(Clone, Default)]
struct Work {
    runs: Arc<AtomicUsize>,
    /// How many answers to paid requests get lost from now on.
    lost: Arc<AtomicUsize>,
}

struct Shop {
    world: World,
    merchant: Merchant,
    url: String,
    work: Work,
    /// What is sold now.
    routes: Arc<RwLock<Router>>,
    session: SessionFile,
    folder: TempDir,
}

impl Shop {
    /// A shop whose routes need ids.
    async fn open() -> Self {
        let world = World::new().await;
        let verifier = world.listen().await;
        let routes = Arc::new(RwLock::new(Router::new()));
        let work = Work::default();
        let lossy = Router::new()
            .fallback(sell)
            .with_state(Arc::clone(&routes))
            .layer(middleware::from_fn_with_state(work.clone(), lose));
        let (url, _) = listen(lossy).await;
        let folder = tempfile::tempdir().unwrap();
        let config = MerchantConfig::new(
            verifier.clone(),
            url.clone(),
            world.mint.into(),
            signing_key(MERCHANT),
            folder.path().join("unsettled.json"),
        );
        let merchant = Merchant::connect(config).await.unwrap();
        let key = signing_key(SESSION);
        let session = SessionFile {
            network: NETWORK.into(),
            program: program().into(),
            escrow: world.escrow.into(),
            mint: world.mint.into(),
            decimals: 6,
            session_key: Base58(key.verifying_key().to_bytes()),
            incarnation: Base58(world.session_account().incarnation),
            expires_at: 4_000_000_000,
            verifier,
            receivers: Vec::new(),
            secret_key: Base58(key.to_bytes()),
        };
        let shop = Self { world, merchant, url, work, routes, session, folder };
        shop.sell_for(Price::new(PRICE).streamed(HOLD).identified(Offer::Required));
        shop
    }

    /// Everything costs `price` from now on.
    fn sell_for(&self, price: Price) {
        let routes = Router::new().route("/{name}", get(serve)).with_state(self.work.clone());
        *self.routes.write().unwrap() = routes.layer(self.merchant.price(price));
    }

    /// A process of the agent: all that they share is on disk.
    fn agent(&self) -> AgentClient {
        let limits = Limits { maximum_amount: PRICE, spending_limit: None, maximum_locked: None };
        let files = StateFiles::beside(&self.folder.path().join("session.json"));
        AgentClient::new(self.session.clone(), limits, files).unwrap().only_streaming(HOLD)
    }

    fn lose(&self, answers: usize) {
        self.work.lost.store(answers, Ordering::SeqCst);
    }

    async fn fetch(&self, agent: &AgentClient, path: &str) -> Outcome {
        agent.fetch(&Request::get(&format!("{}{path}", self.url))).await.unwrap()
    }

    /// Fetches, and asserts what is answered, how often handlers ran by then, and what vouchers are good for. Returns the
    /// hold.
    async fn buy(&self, agent: &AgentClient, path: &str, answer: &str, requests: usize) -> Hex32 {
        let outcome = self.fetch(agent, path).await;
        let Outcome::Served(fetched) = outcome else { panic!("{outcome:?}") };
        let body = String::from_utf8_lossy(&fetched.body);
        assert_eq!((fetched.status, &*body), (200, answer), "{:?}", fetched.payment);
        assert_eq!(self.work.runs.load(Ordering::SeqCst), requests);
        let hold = fetched.payment.unwrap().payment_id;
        assert_eq!(self.world.payment(hold).await["vouched"], (requests as u64 * PRICE).to_string());
        hold
    }

    /// Closes the hold, and asserts what was taken out of it.
    async fn close(&self, requests: u64) {
        while self.merchant.close_streams().await > 0 {}
        assert_eq!((self.world.received(), self.world.escrow_account().held), (requests * PRICE, 0));
    }
}

/// What the layer declares is what the verifier lists: the route, and no request.
#[tokio::test]
async fn what_a_merchant_sells_is_listed_once_it_is_paid_for() {
    let shop = Shop::open().await;
    let agent = shop.agent();
    shop.sell_for(
        Price::new(PRICE).streamed(HOLD).describe("the weather").example(json!({ "city": "Oslo" })),
    );
    shop.buy(&agent, "/rain?city=Oslo", "/rain 1", 1).await;
    shop.close(1).await;
    let listed = async || shop.world.get("/discovery/resources").await.1["items"].clone();
    wait::until("the route is listed", async || listed().await != json!([])).await;
    let listed = listed().await;
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed[0]["resource"], format!("{}/:name", shop.url), "{listed}");
    assert_eq!(listed[0]["description"], "the weather");
    let input = &listed[0]["extensions"]["bazaar"]["info"]["input"];
    assert_eq!(*input, json!({ "type": "http", "method": "GET", "queryParams": { "city": "Oslo" } }));
    assert_eq!(listed[0]["accepts"][0]["extra"]["requestPrice"], PRICE.to_string());
}

async fn sell(State(routes): State<Arc<RwLock<Router>>>, request: Asked) -> Response {
    let routes = routes.read().unwrap().clone();
    routes.oneshot(request).await.unwrap()
}

async fn serve(State(work): State<Work>, request: Asked) -> String {
    format!("{} {}", request.uri().path(), work.runs.fetch_add(1, Ordering::SeqCst) + 1)
}

/// Closes the connection instead of answering, after all was done.
async fn lose(State(work): State<Work>, request: Asked, next: Next) -> Response {
    let is_paid = request.headers().contains_key(PAYMENT_SIGNATURE);
    let response = next.run(request).await;
    let one_less = |lost: usize| lost.checked_sub(1);
    if is_paid && work.lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
        panic!("losing the answer, as the test wants it");
    }
    response
}

#[tokio::test]
async fn a_streamed_purchase_whose_answer_got_lost_is_answered_again_and_paid_once() {
    let shop = Shop::open().await;
    let agent = shop.agent();
    // The first opens the hold.
    for request in 1..=3 {
        shop.lose(2);
        shop.buy(&agent, "/ticks", &format!("/ticks {request}"), request).await;
    }
    shop.close(3).await;
}

#[tokio::test]
async fn an_answer_that_was_lost_for_good_is_the_next_requests_if_it_is_the_same() {
    let shop = Shop::open().await;
    let agent = shop.agent();
    let hold = shop.buy(&agent, "/ticks", "/ticks 1", 1).await;
    shop.lose(3);
    let outcome = shop.fetch(&agent, "/ticks").await;
    assert!(matches!(&outcome, Outcome::Unknown { payment, .. } if payment.amount == PRICE), "{outcome:?}");
    // Another process sends the same voucher, and then its own.
    let another = shop.agent();
    assert_eq!(shop.buy(&another, "/ticks", "/ticks 2", 2).await, hold);
    assert_eq!(shop.buy(&shop.agent(), "/ticks", "/ticks 3", 3).await, hold);

    // To another request it is a voucher that was used.
    shop.lose(3);
    assert!(matches!(shop.fetch(&another, "/ticks").await, Outcome::Unknown { .. }));
    assert_eq!(shop.buy(&another, "/news", "/news 5", 5).await, hold);
    shop.close(5).await;
}

#[tokio::test]
async fn a_route_that_begins_to_need_ids_is_paid_out_of_the_same_hold() {
    let shop = Shop::open().await;
    shop.sell_for(Price::new(PRICE).streamed(HOLD));
    let agent = shop.agent();
    let hold = shop.buy(&agent, "/ticks", "/ticks 1", 1).await;
    shop.sell_for(Price::new(PRICE).streamed(HOLD).identified(Offer::Required));
    assert_eq!(shop.buy(&agent, "/ticks", "/ticks 2", 2).await, hold);
    shop.lose(1);
    assert_eq!(shop.buy(&agent, "/ticks", "/ticks 3", 3).await, hold);
    shop.close(3).await;
}
