//! Sells one request for one charge: it is checked, served and charged, and the answer leaves last.
//! Uses the facilitator, the record and the clock.
//!
//! Until the capture is signed nobody can charge anything, so a handler that fails costs its client
//! nothing. From then on the payment may be charged whatever the facilitator says: whoever comes again
//! with it is served, as often as it takes, until an answer has left.

use std::sync::Arc;

use axum::response::Response;
use serde_json::Value;
use tracing::{error, warn};
use x402_escrow_wire::{
    facilitator::SettleResponse,
    purchase::{
        charge::{Charge, ChargeEvent},
        verdict::Verdict,
    },
    text::Hex32,
};

use crate::{
    answer::{internal_error, served},
    asked::{ask, not_sold, used, verify},
    check::Accepted,
    end,
    facilitator::FacilitatorError,
    held::taken,
    price::charge_event,
    record::Change,
    shared::Shared,
    terms::Terms,
};

/// What the client is told where what happened could not be written down.
const SEND_AGAIN: &str = "the server failed; send the same request again";

/// A sale under way.
struct Sale<'a> {
    merchant: &'a Arc<Shared>,
    terms: &'a Terms<'a>,
    accepted: &'a Accepted,
}

/// Serves the request if the payment pays for it.
pub(crate) async fn sell(
    merchant: &Arc<Shared>,
    terms: &Terms<'_>,
    accepted: &Accepted,
    handler: impl Future<Output = Response>,
) -> Response {
    let sale = Sale { merchant, terms, accepted };
    if !sale.change(ChargeEvent::Asked, None).await {
        return used(terms, accepted);
    }
    match merchant.record.with(|book| book.charge(&accepted.payment_id)) {
        Charge::ChargingAgain => sale.again(handler).await,
        Charge::Serving => {
            // For the header; that it is charged is known.
            let settled = sale.settle(sale.kept()).await.1.ok().filter(|answer| answer.success);
            sale.serve_paid(settled, handler).await
        }
        _ => sale.first(handler).await,
    }
}

impl Sale<'_> {
    fn id(&self) -> Hex32 {
        self.accepted.payment_id
    }

    /// Nothing is signed yet.
    async fn first(self, handler: impl Future<Output = Response>) -> Response {
        let (verdict, answer) = verify(self.merchant, self.accepted).await;
        if verdict != Verdict::Yes {
            self.change(ChargeEvent::Refused, None).await;
            return not_sold(self.terms, self.accepted, verdict, &answer);
        }
        self.change(ChargeEvent::Sound, None).await;
        let (response, amount) = taken(self.terms.price, handler.await);
        if amount == 0 {
            self.change(ChargeEvent::Failed, None).await;
            return response;
        }
        let payload = end::charge(&self.merchant.config, self.id(), &self.accepted.payload, amount);
        if !self.change_or_break_off(ChargeEvent::Served, Some(payload.clone())).await {
            return internal_error("the server failed; nothing was charged");
        }
        let Some((event, verdict, answer)) = self.charge(Some(payload)).await else {
            return internal_error(SEND_AGAIN);
        };
        match (event, &answer) {
            (ChargeEvent::Charged, Ok(settled)) => served(response, settled),
            _ => not_sold(self.terms, self.accepted, verdict, &answer),
        }
    }

    /// The capture is signed, and what became of it is not known.
    async fn again(self, handler: impl Future<Output = Response>) -> Response {
        let Some((event, verdict, answer)) = self.charge(self.kept()).await else {
            return internal_error(SEND_AGAIN);
        };
        match (event, answer) {
            (ChargeEvent::Charged, Ok(settled)) => self.serve_paid(Some(settled), handler).await,
            (_, answer) => not_sold(self.terms, self.accepted, verdict, &answer),
        }
    }

    /// It is charged, and nobody was answered.
    async fn serve_paid(
        self,
        settled: Option<SettleResponse>,
        handler: impl Future<Output = Response>,
    ) -> Response {
        let response = handler.await;
        let is_served = response.status().is_success();
        let event = if is_served { ChargeEvent::Served } else { ChargeEvent::Failed };
        if !self.change_or_break_off(event, None).await {
            return internal_error(SEND_AGAIN);
        }
        if !is_served {
            let id = self.id();
            warn!(payment_id = %id, "payment {id} is charged, and its handler failed: the client may retry, or refund it");
        }
        match settled {
            Some(settled) => served(response, &settled),
            None => response,
        }
    }

    /// Has it charged, and writes down what the facilitator says; `None` if that can't be written.
    async fn charge(
        &self,
        payload: Option<Value>,
    ) -> Option<(ChargeEvent, Verdict, Result<SettleResponse, FacilitatorError>)> {
        let (verdict, answer) = self.settle(payload).await;
        let event = charge_event(self.terms.price.commitment, verdict, answer.as_ref().ok());
        self.change_or_break_off(event, None).await.then_some((event, verdict, answer))
    }

    async fn settle(&self, payload: Option<Value>) -> (Verdict, Result<SettleResponse, FacilitatorError>) {
        let accepted = match payload {
            Some(payload) => Accepted { payload, ..self.accepted.clone() },
            None => self.accepted.clone(),
        };
        ask(self.merchant, &accepted).await
    }

    /// What was signed before.
    fn kept(&self) -> Option<Value> {
        self.merchant.record.with(|book| book.get(&self.id())?.payload.clone())
    }

    /// Makes a change, and has it on disk where a crash must not lose it. Returns whether it did.
    async fn change(&self, event: ChargeEvent, payload: Option<Value>) -> bool {
        let id = self.id();
        let change = Change::of_charge(id, event).about(self.accepted.about_charge(self.terms));
        let changed = self.merchant.record.change(Change { payload, ..change }, self.merchant.now()).await;
        if let Err(error) = &changed
            && event != ChargeEvent::Asked
        {
            error!(payment_id = %id, %error, "the outcome of payment {id} could not be recorded");
        }
        changed.is_ok()
    }

    /// Makes a change. If it can't be written, the request breaks off: the payment is where it would be after a crash.
    async fn change_or_break_off(&self, event: ChargeEvent, payload: Option<Value>) -> bool {
        let is_changed = self.change(event, payload).await;
        if !is_changed {
            self.merchant.record.with(|book| book.crash_one(&self.id(), None));
        }
        is_changed
    }
}
