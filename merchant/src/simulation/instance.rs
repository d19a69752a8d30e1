//! One instance of the merchant: the real layer with a real record, that can be killed.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, Request, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::future::join_all;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

use super::{Log, dice::Dice, verifier::Verifier};
use crate::{
    CaptureAmount, MerchantConfig, PaymentLayer, Price, ending,
    exchange::{Asked, Exchange},
    fixture,
    shared::{Shared, lock},
};

pub(super) const PRICE: u64 = 10;
pub(super) const HOLD: u64 = 200;
/// The header by which the log knows what a request is paid with.
pub(super) const PURCHASE: &str = "x-purchase";

/// What everybody shares.
#[derive(Clone)]
pub(super) struct World {
    pub(super) dice: Dice,
    pub(super) verifier: Arc<Mutex<Verifier>>,
    pub(super) log: Arc<Mutex<Log>>,
    pub(super) closes_streams: bool,
}

pub(super) struct Instance {
    world: World,
    folder: PathBuf,
    life: Option<Life>,
}

struct Life {
    shared: Arc<Shared>,
    router: Router,
    runtime: Runtime,
}

impl Instance {
    pub(super) fn start(world: &World, folder: PathBuf) -> Self {
        let mut instance = Self { world: world.clone(), folder, life: None };
        instance.life = Some(instance.live());
        instance
    }

    fn live(&self) -> Life {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let closes_streams = self.world.closes_streams;
        // Streams are closed while their buyers still use them.
        let config = MerchantConfig { closes_streams, stream_idle_seconds: 5, ..fixture::config() };
        let dice = self.world.dice.clone();
        let shared = fixture::merchant(config, &self.folder, self.exchange(), Arc::new(move || dice.now()));
        let one = PaymentLayer::new(Arc::clone(&shared), Price::new(PRICE).held());
        let many = PaymentLayer::new(Arc::clone(&shared), Price::new(PRICE).streamed(HOLD));
        let router = Router::new()
            .route("/one/{n}", get(handle).layer(one))
            .route("/many/{n}", get(handle).layer(many))
            .with_state(self.world.clone());
        Life { shared, router, runtime }
    }

    fn exchange(&self) -> Exchange {
        let World { dice, verifier, .. } = self.world.clone();
        Arc::new(move |(_, body): Asked| {
            let (dice, verifier) = (dice.clone(), Arc::clone(&verifier));
            Box::pin(async move {
                dice.pause().await;
                let answer = lock(&verifier).settle(&body.unwrap(), &dice);
                dice.pause().await;
                answer
            })
        })
    }

    /// Sends requests at once, and takes their answers; `None` if the merchant is killed meanwhile.
    pub(super) fn send(
        &mut self,
        requests: Vec<Request<Body>>,
    ) -> Option<Vec<(StatusCode, HeaderMap, String)>> {
        let router = self.life.as_ref()?.router.clone();
        let sent = requests.into_iter().map(move |request| {
            let router = router.clone();
            async move {
                let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
                let body = axum::body::to_bytes(body, 8192).await.unwrap();
                (parts.status, parts.headers, String::from_utf8_lossy(&body).into_owned())
            }
        });
        self.until_killed(join_all(sent))
    }

    /// Ends what is to be ended by now.
    pub(super) fn round(&mut self) {
        let Some(life) = &self.life else { return };
        let shared = Arc::clone(&life.shared);
        self.until_killed(async move { ending::round(&shared).await });
    }

    fn until_killed<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let dice = self.world.dice.clone();
        let is_killed = !lock(&self.world.verifier).is_honest && dice.once_in(25);
        let life = self.life.as_ref()?;
        let done = life.runtime.block_on(async {
            if !is_killed {
                return Some(work.await);
            }
            let killed = async {
                for _ in 0..dice.below(120) {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                biased;
                done = work => Some(done),
                () = killed => None,
            }
        });
        if is_killed {
            self.restart();
        }
        done
    }

    /// Kills the merchant, and starts it again with what is on disk.
    pub(super) fn restart(&mut self) {
        self.life = None;
        if self.world.dice.once_in(3) {
            // A line that the crash broke off.
            let path = self.folder.join("purchases.jsonl");
            let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
            file.write_all(b"{\"hold\":\"00").unwrap();
        }
        self.life = Some(self.live());
    }
}

/// Serves, fails, or takes less.
async fn handle(State(world): State<World>, headers: HeaderMap) -> Response {
    let purchase = headers[PURCHASE].to_str().unwrap().to_owned();
    world.dice.pause().await;
    let is_streamed = purchase.contains(':');
    let (status, wanted) = match world.dice.below(10) {
        0 | 1 => (StatusCode::NOT_FOUND, 0),
        2 => (StatusCode::FOUND, 0),
        3 if !is_streamed => (StatusCode::OK, 0),
        4 if !is_streamed => (StatusCode::OK, PRICE / 2),
        _ => (StatusCode::OK, PRICE),
    };
    lock(&world.log).handled(&purchase, status, wanted);
    let mut response = (status, wanted.to_string()).into_response();
    if !is_streamed {
        response.extensions_mut().insert(CaptureAmount(wanted));
    }
    response
}
