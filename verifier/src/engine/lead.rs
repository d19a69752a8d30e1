//! Leads, or stands by. Of several verifiers over one PostgreSQL one follows transactions, sends them, ends what nobody
//! ended, and delivers, as long as it gets further; the others answer requests and wait to take over. All that the work
//! needs is in the store.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use x402_escrow_wire::text::Hex32;

use crate::{
    chain::live,
    engine::{app::App, books, discovery, found, lookup_tables, merchant_webhooks, review, track, webhook},
    store::{self, StoreError},
};

/// How long to wait after the store failed.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// How long to let others lead after having got no further.
const AFTER_LOSS: Duration = Duration::from_secs(5);

/// How often the lease is renewed.
const RENEW_INTERVAL: Duration = Duration::from_secs(1);

/// How often to look without having heard of anything.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// Leads whenever no other verifier over the same store does, until `stop` says so.
///
/// # Errors
/// If another verifier has the SQLite file.
pub async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) -> Result<(), StoreError> {
    loop {
        let leader = tokio::select! {
            biased;
            leader = start(&app) => leader,
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        match leader {
            Ok(mut leader) => {
                tracing::info!("leading: following, sending and delivering");
                app.heartbeat.beat();
                app.is_leading.store(true, Ordering::Relaxed);
                let lost = tokio::select! {
                    biased;
                    () = work(&app, stop.clone()) => None,
                    cause = keep(&app, &mut leader) => Some(cause),
                };
                app.is_leading.store(false, Ordering::Relaxed);
                app.is_stalled.store(false, Ordering::Relaxed);
                // Whoever leads next may close them.
                app.tables.stop_using();
                let Some(cause) = lost else {
                    if let Err(error) = leader.release().await {
                        tracing::info!(%error, "another verifier leads once the lease is over");
                    }
                    return Ok(());
                };
                tracing::warn!("not leading any more: {cause}");
                tokio::select! {
                    biased;
                    () = sleep(AFTER_LOSS) => {}
                    _ = stop.wait_for(|stop| *stop) => return Ok(()),
                }
            }
            Err(error @ StoreError::InUse { .. }) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "can't wait to lead");
                sleep(FAILURE_PAUSE).await;
            }
        }
    }
}

async fn start(app: &App) -> Result<store::Leader, StoreError> {
    let leader = app.store.lead().await?;
    app.store.keep_news(app.settings.webhook.is_some()).await?;
    Ok(leader)
}

/// Leads on as long as the tracker gets further, and says why it does not any more. Over a file there is nobody else.
async fn keep(app: &App, leader: &mut store::Leader) -> String {
    if !leader.is_lease() {
        return std::future::pending().await;
    }
    let (mut renewed_at, mut renewed_for) = (Instant::now(), app.heartbeat.last());
    loop {
        sleep(RENEW_INTERVAL).await;
        let (now, last) = (Instant::now(), app.heartbeat.last());
        let mut cause = "its transactions could not be followed";
        if last > renewed_for {
            match leader.renew().await {
                Ok(()) => (renewed_at, renewed_for) = (now, last),
                Err(StoreError::NotLeading) => return "another verifier leads".to_owned(),
                Err(error) => {
                    tracing::warn!(%error, "can't renew the lease");
                    cause = "the database did not answer";
                }
            }
        }
        if renewed_at.elapsed() >= store::LEASE {
            return format!("for {} seconds {cause}", store::LEASE.as_secs());
        }
    }
}

/// Whether this verifier leads, and transactions can't be followed now.
pub fn is_stalled(app: &App) -> bool {
    let is_silent = app.is_leading.load(Ordering::Relaxed) && app.heartbeat.silence() >= store::LEASE;
    is_silent || app.is_stalled.load(Ordering::Relaxed)
}

/// What only one may do at a time, until `stop` says so.
async fn work(app: &Arc<App>, stop: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    for url in app.settings.websocket_urls.clone() {
        tasks.spawn(live::run(Arc::clone(&app.blocks), url));
    }
    if let Some(webhook) = app.settings.webhook.clone() {
        let app = Arc::clone(app);
        tasks.spawn(async move { match webhook::run(app, webhook).await {} });
    }
    let telling = Arc::clone(app);
    tasks.spawn(async move { match merchant_webhooks::run(telling).await {} });
    let booking = Arc::clone(app);
    tasks.spawn(async move { match books::run(booking).await {} });
    let looking = Arc::clone(app);
    tasks.spawn(async move { match found::run(looking).await {} });
    let listing = Arc::clone(app);
    tasks.spawn(async move { match discovery::run(listing).await {} });
    let tending = Arc::clone(app);
    tasks.spawn(async move { match lookup_tables::run(tending).await {} });
    tokio::select! {
        biased;
        () = track::run(Arc::clone(app), stop) => {}
        never = review::run(Arc::clone(app)) => match never {},
    }
}

/// Hears what the other verifiers over the same store write, for ever. That is a hint to look at once; behind it runs a
/// poll.
pub async fn hear(app: Arc<App>) -> Infallible {
    loop {
        match app.store.listen().await {
            Ok(None) => return std::future::pending().await,
            Ok(Some(mut listener)) => loop {
                match timeout(POLL_INTERVAL, listener.recv()).await {
                    Ok(Ok(heard)) if heard.channel() == store::TO_SEND => wake_tracker(&app),
                    // The leader heard of it when it wrote it.
                    Ok(Ok(_)) if app.is_leading.load(Ordering::Relaxed) => {}
                    Ok(Ok(heard)) => match heard.payload().parse::<Hex32>() {
                        Ok(payment) => app.changes.tell(&payment.0),
                        Err(_) => app.changes.tell_all(),
                    },
                    Ok(Err(error)) => {
                        tracing::warn!(%error, "can't hear of other verifiers; polling");
                        break;
                    }
                    Err(_) => wake(&app),
                }
            },
            Err(error) => tracing::warn!(%error, "can't hear of other verifiers; polling"),
        }
        wake(&app);
        sleep(FAILURE_PAUSE).await;
    }
}

fn wake(app: &App) {
    wake_tracker(app);
    app.changes.tell_all();
}

fn wake_tracker(app: &App) {
    app.to_send.notify_one();
    app.to_follow.notify_one();
}
