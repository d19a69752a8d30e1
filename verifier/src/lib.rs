//! The verifier: turns HTTP 402 challenges into payment intents, verifies them, settles them on Solana and says how
//! final they are. ARCHITECTURE.md follows one request through it.

pub mod chain;
pub mod config;
pub mod engine;
pub mod http;
pub mod operator;
pub mod page;
pub mod router;
pub mod store;
pub mod telemetry;

use std::{
    future::{Future, IntoFuture},
    net::SocketAddr,
    sync::Arc,
};

use tokio::{net::TcpListener, sync::watch};

use crate::{
    engine::{app::App, budget, consensus, lead, pause},
    operator::alarm,
    store::StoreError,
};

/// Serves until `shutdown` completes and what was asked by then is answered; follows transactions meanwhile. What only
/// the operator may see is served at `operator_listener`, if at all.
///
/// # Errors
/// If a listener fails, or the task that follows transactions dies.
pub async fn serve(
    listener: TcpListener,
    operator_listener: Option<TcpListener>,
    app: App,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let app = Arc::new(app);
    let (stop, stopped) = watch::channel(false);
    let mut background = tokio::spawn(run_background(Arc::clone(&app), stopped));
    let stopping = Arc::clone(&app);
    let shutdown = async move {
        shutdown.await;
        stopping.is_stopping.send_replace(true);
    };
    let operator = operator_listener.map(|listener| tokio::spawn(serve_operator(listener, Arc::clone(&app))));
    let service = router::router(Arc::clone(&app)).into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(shutdown);
    let served = tokio::select! {
        served = server.into_future() => served,
        // Without it payments would be accepted that nobody sends. All is in the store: start again.
        died = &mut background => {
            return Err(match died {
                Ok(Err(error)) => std::io::Error::other(error),
                died => std::io::Error::other(format!("the background work stopped: {died:?}")),
            });
        }
    };
    stop.send_replace(true);
    background.await?.map_err(std::io::Error::other)?;
    if let Some(operator) = operator {
        operator.await??;
    }
    if let Err(error) = budget::give_back_all(&app).await {
        tracing::warn!(%error, "what is left of budgets is not given back");
    }
    app.store.close().await;
    served
}

async fn serve_operator(listener: TcpListener, app: Arc<App>) -> std::io::Result<()> {
    let mut is_stopping = app.is_stopping.subscribe();
    let stopped = async move {
        // An error would say that the sender is gone, which the app has.
        let _ = is_stopping.wait_for(|is_stopping| *is_stopping).await;
    };
    axum::serve(listener, router::operator_router(app)).with_graceful_shutdown(stopped).await
}

/// Sends and follows transactions, and ends what nobody ended, whenever no other verifier does it, until `stop` says so.
///
/// # Errors
/// If another verifier has the SQLite file.
pub async fn run_background(app: Arc<App>, stop: watch::Receiver<bool>) -> Result<(), StoreError> {
    tokio::select! {
        biased;
        done = lead::run(Arc::clone(&app), stop) => done,
        never = lead::hear(Arc::clone(&app)) => match never {},
        never = pause::run(Arc::clone(&app)) => match never {},
        never = consensus::run(Arc::clone(&app)) => match never {},
        never = alarm::run(app) => match never {},
    }
}
