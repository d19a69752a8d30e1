//! Sells one request for one hold: it is held, served, and then captured or released. Uses
//! the facilitator, the record and the clock.

use std::{sync::Arc, time::Duration};

use axum::response::Response;
use tokio::time::timeout;
use tracing::{error, warn};
use x402_escrow_wire::{facilitator::SettleResponse, purchase::seller::HoldEvent, text::Hex32};

use crate::{
    answer::{internal_error, served},
    asked::{ask, not_sold, used},
    check::Accepted,
    end, ending,
    price::{CaptureAmount, Price},
    record::{Change, NotChanged},
    shared::Shared,
    terms::Terms,
};

/// How long a response waits for its capture. It is signed and on disk by then; the rest needs no
/// client.
const PATIENCE: Duration = Duration::from_secs(20);

/// Serves the request if the payment is held for it.
pub(crate) async fn sell(
    merchant: &Arc<Shared>,
    terms: &Terms<'_>,
    accepted: &Accepted,
    handler: impl Future<Output = Response>,
) -> Response {
    let id = accepted.payment_id;
    let change = |event| Change {
        payload: Some(accepted.payload.clone()),
        ..Change::of_hold(id, event).about(accepted.about(terms))
    };
    if merchant.record.change(change(HoldEvent::Asked), merchant.now()).await.is_err() {
        return used(terms, accepted);
    }
    let (verdict, answer) = ask(merchant, accepted).await;
    let held = match (verdict.of_hold(), &answer) {
        (None, Ok(answer)) if terms.price.is_final_enough(answer) => Some(answer),
        _ => None,
    };
    let event = if held.is_some() { HoldEvent::Held } else { verdict.of_hold().unwrap_or(HoldEvent::Weak) };
    let is_written = ending::write_down(merchant, change(event)).await;
    match (held, is_written) {
        (Some(held), true) => serve(merchant, terms.price, id, held, handler).await,
        (Some(_), false) => internal_error("the server failed; nothing was charged"),
        (None, _) => not_sold(terms, accepted, verdict, &answer),
    }
}

/// The handler's response, and what it takes, in base units. What wants more than the price is a fault.
pub(crate) fn taken(price: &Price, response: Response) -> (Response, u64) {
    let wanted = response.extensions().get::<CaptureAmount>().map_or(price.amount, |wanted| wanted.0);
    if wanted > price.amount {
        error!(wanted, price = price.amount, "a handler wants {wanted} of a price of {}", price.amount);
        return (internal_error("the server failed; nothing was charged"), 0);
    }
    let amount = if response.status().is_success() { wanted } else { 0 };
    (response, amount)
}

/// Runs the handler, then captures or releases.
async fn serve(
    merchant: &Arc<Shared>,
    price: &Price,
    id: Hex32,
    held: &SettleResponse,
    handler: impl Future<Output = Response>,
) -> Response {
    let (response, amount) = taken(price, handler.await);
    let change = match amount {
        0 => Change::of_hold(id, HoldEvent::Failed),
        _ => Change {
            payload: Some(end::capture(&merchant.config, id, amount)),
            ..Change::of_hold(id, HoldEvent::Served)
        },
    };
    if let Err(error) = merchant.record.change(change, merchant.now()).await {
        broke_off(merchant, id, &error);
        return if amount == 0 { response } else { internal_error("the server failed; nothing was charged") };
    }
    let settled = tokio::spawn({
        let merchant = Arc::clone(merchant);
        async move { ending::settle(&merchant, id).await }
    });
    let settled = match timeout(PATIENCE, settled).await {
        Ok(settled) => settled.ok().flatten().filter(|answer| answer.success),
        Err(_) => {
            warn!(payment_id = %id, "payment {id} is not settled yet: the facilitator is slow");
            None
        }
    };
    served(response, settled.as_ref().unwrap_or(held))
}

/// Releases what can't be captured: the capture could not be written, so it must not leave.
fn broke_off(merchant: &Shared, id: Hex32, error: &NotChanged) {
    error!(payment_id = %id, %error, "payment {id} is released");
    merchant.record.with(|book| book.crash_one(&id, None));
}
