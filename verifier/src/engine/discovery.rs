//! The catalogue of what is sold: x402's extension `bazaar`. A payment offers what its server declared, and it is listed once
//! the payment is made.

use std::{convert::Infallible, sync::Arc};

use tokio::time::sleep;
use x402_escrow_domain::{discovery, payment::History};
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::{bazaar::DiscoveryResource, facilitator::FacilitatorRequest, text::Hex32};

use crate::{
    engine::app::App,
    store::{Room, StoreError, Wanted},
};

/// For how long a resource stays listed after somebody paid for it, in seconds.
const LISTED_SECONDS: i64 = 30 * 86_400;

/// How often to look for those, in seconds: each time is a write.
const FORGETTING_SECONDS: i64 = 3600;

/// The most resources of one receiver.
const PER_RECEIVER: u64 = 256;

/// How many offers are looked at in one step.
const DECIDED_TOGETHER: u32 = 100;

/// Whether the request declares something, and there is a catalogue for it.
pub fn declares(app: &App, request: &FacilitatorRequest) -> bool {
    app.settings.maximum_resources > 0 && discovery::declares(request)
}

/// Offers what the request for a payment that was accepted declares, without letting its caller wait. Returns whether
/// something was declared that can be listed.
///
/// # Errors
/// Why what was declared can't be listed, for people.
pub fn offer(app: &Arc<App>, request: &FacilitatorRequest, payment: &Digest) -> Option<Result<(), String>> {
    let offer = match discovery::offer(request)? {
        Ok(offer) => offer,
        Err(reason) => return Some(Err(reason)),
    };
    let now = app.now();
    if app.recent_offers.is_due(&offer.key, now) {
        let (app, payment) = (Arc::clone(app), *payment);
        tokio::spawn(async move {
            let room = Room { per_receiver: PER_RECEIVER, overall: app.settings.maximum_resources };
            if let Err(error) = app.store.offer_resource(&offer, &payment, room, now).await {
                tracing::warn!(%error, "a resource could not be offered");
            }
        });
    }
    Some(Ok(()))
}

/// Lists what was paid for, and forgets what nobody pays for any more, again and again, for ever.
pub async fn run(app: Arc<App>) -> Infallible {
    if app.settings.maximum_resources == 0 {
        return std::future::pending().await;
    }
    let mut forgotten_at = None;
    loop {
        sleep(app.settings.review_interval).await;
        if let Err(error) = decide_all(&app).await {
            tracing::warn!(%error, "can't list what was paid for");
        }
        let now = app.now();
        if forgotten_at.is_none_or(|at| now >= FORGETTING_SECONDS.saturating_add(at)) {
            forgotten_at = Some(now);
            if let Err(error) = app.store.forget_resources(now.saturating_sub(LISTED_SECONDS)).await {
                tracing::warn!(%error, "can't forget what nobody pays for any more");
            }
        }
    }
}

async fn decide_all(app: &App) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let offered = app.store.offered_resources(after.as_ref(), DECIDED_TOGETHER).await?;
        let Some(last) = offered.last() else { return Ok(()) };
        after = Some(last.key);
        let (mut paid, mut not_paid) = (Vec::new(), Vec::new());
        for offer in offered {
            match history(app, &offer.payment).await? {
                Some(history) if history.settled_sums().captured > 0 => paid.push(offer),
                Some(history) if !history.is_over() => {}
                _ => not_paid.push(offer),
            }
        }
        if !paid.is_empty() || !not_paid.is_empty() {
            app.store.decide_offers(&paid, &not_paid, app.now()).await?;
        }
    }
}

/// `None` of a payment that is not there, or can't be read.
async fn history(app: &App, payment: &Hex32) -> Result<Option<History>, StoreError> {
    match app.store.history(&payment.0).await {
        Err(error) if error.is_of_row() => Ok(None),
        history => history,
    }
}

/// What is listed of what is `wanted`, and how many there are in all.
///
/// # Errors
/// If the store fails.
pub async fn list(
    app: &App,
    wanted: Wanted,
    limit: u32,
    offset: u32,
) -> Result<(Vec<(DiscoveryResource, i64)>, u64), StoreError> {
    let since = app.now().saturating_sub(LISTED_SECONDS);
    app.store.resources(&Wanted { since, ..wanted }, limit, offset).await
}
