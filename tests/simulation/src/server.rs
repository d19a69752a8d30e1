//! The verifier: started, asked, crashed and started again.

use std::{
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinHandle},
};
use tower::ServiceExt;
use x402_escrow_verifier::{
    config::Config,
    engine::app::{App, StartError},
    router::router,
    run_background,
    store::{Store, StoreError},
};

use crate::{
    clock::Time,
    cluster::{Access, Cluster},
    gate::Gate,
    setup,
};

/// The verifier, whether it runs or not.
pub struct Server {
    folder: PathBuf,
    keys: String,
    cluster: Arc<Cluster>,
    access: Access,
    gate: Gate,
    time: Time,
    /// Every other process keeps no lookup tables, and closes those of the one before.
    keeps_no_tables: AtomicBool,
    running: Mutex<Option<Running>>,
}

struct Running {
    app: Arc<App>,
    router: Router,
    background: JoinHandle<Result<(), StoreError>>,
    requests: Vec<AbortHandle>,
    _stop: watch::Sender<bool>,
}

/// What came back.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A status and a body.
    Answer(StatusCode, Value),
    /// The verifier is down, or went down meanwhile.
    Lost,
}

impl Server {
    /// Nothing runs yet.
    pub fn new(
        folder: PathBuf,
        keys: String,
        cluster: Arc<Cluster>,
        access: Access,
        gate: Gate,
        time: Time,
    ) -> Arc<Self> {
        let (keeps_no_tables, running) = (AtomicBool::new(false), Mutex::new(None));
        Arc::new(Self { folder, keys, cluster, access, gate, time, keeps_no_tables, running })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the verifier for ever: when it crashes, it starts again after a while.
    pub async fn supervise(self: Arc<Self>) {
        loop {
            self.start().await;
            self.gate.crashed().await;
            self.kill().await;
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    }

    async fn start(&self) {
        loop {
            let mut config = setup::configuration(&self.folder, &self.keys);
            if self.keeps_no_tables.fetch_xor(true, Ordering::Relaxed) {
                config.settings.lookup_tables = 0;
            }
            let store = {
                let _stopped = self.gate.stop_time();
                let opened = Store::gated(&config.database, Some(self.gate.of_store())).await;
                opened.unwrap_or_else(|error| panic!("the store can't be opened: {error}"))
            };
            self.gate.quiet().await;
            match AssertUnwindSafe(self.assemble(config, store)).catch_unwind().await {
                Ok(Ok(app)) => {
                    let app = Arc::new(app.with_clock(self.time.clock()));
                    let (stop, stopped) = watch::channel(false);
                    *self.lock() = Some(Running {
                        router: router(Arc::clone(&app)),
                        background: tokio::spawn(run_background(Arc::clone(&app), stopped)),
                        requests: Vec::new(),
                        app,
                        _stop: stop,
                    });
                    return;
                }
                Ok(Err(error)) => tracing::warn!(%error, "the verifier does not start"),
                Err(panic) if !self.gate.has_crashed() => panic::resume_unwind(panic),
                // It crashed at a step of the store, before it ran.
                Err(_) => {
                    self.gate.crashed().await;
                    self.gate.recover();
                }
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn assemble(&self, config: Config, store: Store) -> Result<App, StartError> {
        let chain = self.access.connect(&self.cluster).await?;
        let Config { deployment, fee_payer, policies, settings, .. } = config;
        App::new(chain, deployment, store, fee_payer, policies, settings).await
    }

    async fn kill(&self) {
        let running = self.lock().take();
        let Some(running) = running else { return };
        for request in &running.requests {
            request.abort();
        }
        running.background.abort();
        _ = running.background.await;
        drop(running.app);
        self.gate.recover();
    }

    /// Stops the verifier for good.
    pub async fn stop(&self) {
        self.kill().await;
    }

    /// The running verifier's parts.
    pub fn app(&self) -> Option<Arc<App>> {
        self.lock().as_ref().map(|running| Arc::clone(&running.app))
    }

    /// Asks the verifier.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.ask("POST", path, body.to_string()).await
    }

    /// Sends anything to the verifier.
    pub async fn ask(&self, method: &str, path: &str, body: String) -> Reply {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .expect("method and path are sound");
        let task = {
            let mut running = self.lock();
            let Some(running) = running.as_mut() else { return Reply::Lost };
            running.requests.retain(|request| !request.is_finished());
            let router = running.router.clone();
            let task = tokio::spawn(async move {
                let response = match router.oneshot(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                };
                let status = response.status();
                let bytes = response.into_body().collect().await.map(|body| body.to_bytes());
                (status, bytes.unwrap_or_default())
            });
            running.requests.push(task.abort_handle());
            task
        };
        match task.await {
            // A task that died with the process may still have been answered for.
            Ok(_) if self.gate.has_crashed() => Reply::Lost,
            Ok((status, bytes)) => Reply::Answer(status, serde_json::from_slice(&bytes).unwrap_or_default()),
            Err(_) => Reply::Lost,
        }
    }
}
