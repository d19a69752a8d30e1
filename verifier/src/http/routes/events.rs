//! A payment, again whenever something about it changes.

use std::{convert::Infallible, net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{Path, State},
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use tokio::{sync::watch, time::sleep};
use x402_escrow_domain::report;
use x402_escrow_interface::message::Digest;

use super::payments;
use crate::{
    engine::{
        app::App,
        changes::Subscription,
        limits::{Caller, Held},
    },
    http::error::ApiError,
};

/// At most this often a follower reads the store, however often operations get further.
const INTERVAL: Duration = Duration::from_millis(200);

/// `GET /payments/{id}/events`: the payment's report now and whenever it changes, as server-sent events (the HTML
/// standard, 9.2), until nothing can change any more.
pub async fn events(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let id = payments::read_id(&id)?;
    let place = app.limits.follow(caller.client())?;
    payments::find(&app, &id).await?;
    let follower = Follower {
        id: id.0,
        changes: app.changes.of(id.0),
        is_stopping: app.is_stopping.subscribe(),
        app,
        told: String::new(),
        is_over: false,
        _place: place,
    };
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok(event), follower))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// A client that follows a payment.
struct Follower {
    app: Arc<App>,
    id: Digest,
    changes: Subscription,
    is_stopping: watch::Receiver<bool>,
    /// The last report that it got, as JSON.
    told: String,
    /// Whether that was the last there will be.
    is_over: bool,
    _place: Held<IpAddr>,
}

impl Follower {
    /// Waits for a report that it does not have yet. `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        while !self.is_over {
            self.changes.forget();
            let history = match self.app.store.history(&self.id).await {
                Ok(history) => history?,
                Err(error) => {
                    tracing::error!(%error, "a follower's payment can't be read");
                    return None;
                }
            };
            let report = serde_json::to_string(&report::payment(&self.app.rules.network, &history));
            let report = report.inspect_err(|error| tracing::error!(%error, "a report is not JSON")).ok()?;
            if report != self.told {
                self.is_over = history.is_over();
                self.told.clone_from(&report);
                return Some(Event::default().event("payment").data(report));
            }
            tokio::select! {
                _ = self.changes.changed() => {}
                _ = self.is_stopping.wait_for(|is_stopping| *is_stopping) => return None,
            }
            sleep(INTERVAL).await;
        }
        None
    }
}
