//! A payer with a funded escrow and a session, a merchant, and a verifier in front of the cluster.

mod bodies;
mod chain;
mod crowd;
mod database;
mod options;
mod requests;
mod stored;

use std::sync::Arc;

use axum::Router;
use ed25519_dalek::SigningKey;
use solana_sdk::signer::{Signer, keypair::Keypair};
use tokio::{sync::watch, task::JoinHandle};
use x402_escrow_interface::{Address, address};
use x402_escrow_verifier::{
    chain::Chain,
    engine::app::App,
    router::{operator_router, router},
    run_background,
    store::StoreError,
};
use x402_escrow_wire::clock::unix_now;

use crate::cluster::Cluster;

use database::TestDatabase;
use options::app;

pub(crate) use bodies::{envelope, identified, sign};
pub(crate) use options::Options;
pub(crate) use requests::listen;

pub(crate) use crate::program::program;

pub(crate) const METHOD: &str = "GET";
pub(crate) const URL: &str = "https://merchant.example/report";

/// What the escrow is funded with, in base units.
pub(crate) const FUNDS: u64 = 10_000_000;

/// The devnet's id, which the cluster claims to be.
pub(crate) const NETWORK: &str = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1";

/// A public test key.
pub(crate) fn keypair(seed: u8) -> Keypair {
    Keypair::new_from_array([seed; 32])
}

pub(crate) fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) const PAYER: u8 = 1;
pub(crate) const FEE_PAYER: u8 = 2;
pub(crate) const SESSION: u8 = 3;
pub(crate) const MERCHANT: u8 = 4;
/// The verifier's name.
pub(crate) const HOST: &str = "verifier.example";
/// Of the webhook's signatures.
pub(crate) const WEBHOOK_SECRET: [u8; 24] = [7; 24];

pub(crate) struct World {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) app: Arc<App>,
    pub(crate) router: Router,
    operator_router: Router,
    stop: watch::Sender<bool>,
    tracker: Option<JoinHandle<Result<(), StoreError>>>,
    pub(crate) place: Arc<TestDatabase>,
    pub(crate) mint: Address,
    pub(crate) escrow: Address,
    pub(crate) session: Address,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        Self::through(options, async |cluster| Arc::clone(cluster) as Arc<dyn Chain>).await
    }

    /// A verifier that sees the cluster through what `connect` makes of it.
    pub(crate) async fn through(
        options: Options,
        connect: impl AsyncFnOnce(&Arc<Cluster>) -> Arc<dyn Chain>,
    ) -> Self {
        Self::over(TestDatabase::new().await, options, connect).await
    }

    /// A verifier whose store is on the PostgreSQL server with this URL.
    pub(crate) async fn on(server: &str, options: Options) -> Self {
        let place = TestDatabase::on(server).await;
        Self::over(place, options, async |cluster| Arc::clone(cluster) as Arc<dyn Chain>).await
    }

    async fn over(
        place: TestDatabase,
        options: Options,
        connect: impl AsyncFnOnce(&Arc<Cluster>) -> Arc<dyn Chain>,
    ) -> Self {
        let cluster = Arc::new(Cluster::new(unix_now()));
        cluster.state().consensus = options.consensus;
        let place = Arc::new(place);
        let mint = keypair(9).pubkey();
        let escrow = address::escrow(&program(), &keypair(PAYER).pubkey(), &mint);
        let session = address::session(&program(), &escrow, &keypair(SESSION).pubkey());
        let mut app = app(connect(&cluster).await, &place.database, options).await;
        if let Some(ahead) = options.cluster_ahead_seconds {
            let cluster = Arc::clone(&cluster);
            let clock = Arc::new(move || cluster.now() - ahead);
            app = Arc::new(Arc::into_inner(app).unwrap().with_clock(clock));
        }
        let (stop, stopped) = watch::channel(false);
        let world = Self {
            router: router(Arc::clone(&app)),
            operator_router: operator_router(Arc::clone(&app)),
            tracker: Some(tokio::spawn(run_background(Arc::clone(&app), stopped))),
            app,
            cluster,
            stop,
            place,
            mint,
            escrow,
            session,
        };
        world.set_up_chain();
        world
    }

    /// Stops the verifier without any farewell, as a crash would, and starts another over the same store.
    pub(crate) async fn restart(&mut self, options: Options) {
        self.crash().await;
        self.end_lease().await;
        let chain = Arc::clone(&self.cluster) as Arc<dyn Chain>;
        self.app = app(chain, &self.place.database, options).await;
        self.router = router(Arc::clone(&self.app));
        self.operator_router = operator_router(Arc::clone(&self.app));
        let (stop, stopped) = watch::channel(false);
        self.stop = stop;
        self.tracker = Some(tokio::spawn(run_background(Arc::clone(&self.app), stopped)));
    }

    /// Has the process go on that [`World::crash`] stopped, with what it has in memory, until the task is aborted.
    pub(crate) async fn go_on(&self) -> JoinHandle<Result<(), StoreError>> {
        self.end_lease().await;
        tokio::spawn(run_background(Arc::clone(&self.app), self.stop.subscribe()))
    }

    /// Another verifier over the same store, beside this one.
    pub(crate) async fn another(&self, options: Options) -> Self {
        let app = app(Arc::clone(&self.cluster) as Arc<dyn Chain>, &self.place.database, options).await;
        let (stop, stopped) = watch::channel(false);
        Self {
            router: router(Arc::clone(&app)),
            operator_router: operator_router(Arc::clone(&app)),
            tracker: Some(tokio::spawn(run_background(Arc::clone(&app), stopped))),
            app,
            cluster: Arc::clone(&self.cluster),
            stop,
            place: Arc::clone(&self.place),
            mint: self.mint,
            escrow: self.escrow,
            session: self.session,
        }
    }

    /// The parts of another verifier over the same store.
    pub(crate) async fn another_app(&self, options: Options) -> App {
        let chain = Arc::clone(&self.cluster) as Arc<dyn Chain>;
        Arc::into_inner(app(chain, &self.place.database, options).await).unwrap()
    }

    /// A file beside the store's.
    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.place.path(name)
    }

    /// Waits until the verifier's background work ends by itself.
    pub(crate) async fn ended(&mut self) -> Result<(), StoreError> {
        self.tracker.take().unwrap().await.unwrap()
    }

    /// Stops the background work as a shutdown does.
    pub(crate) async fn stop(&mut self) {
        self.stop.send_replace(true);
        self.ended().await.unwrap();
    }

    pub(crate) async fn crash(&mut self) {
        if let Some(tracker) = self.tracker.take() {
            tracker.abort();
            tracker.await.unwrap_err();
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}
