//! Purchases that have an id (the extension `payment-identifier`): a client whose answer got lost sends the same payment
//! again, and is answered as before; while the first is still being served, the repeat waits for its answer. What was
//! answered is kept in memory: after a restart a repeat is refused, as without an id, and nothing is paid twice either
//! way.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes, HttpBody, to_bytes},
    http::response::Parts,
    response::Response,
};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tracing::error;
use x402_escrow_wire::{
    field::FieldError,
    payment::PaymentPayload,
    payment_identifier::{self, EXTENSION, Offer},
};

use super::{Inner, Price, lock};

/// For how long an answer is kept.
const KEPT: Duration = Duration::from_secs(3600);

/// How many are kept; of more, the oldest go.
const MOST: usize = 1024;

/// Longer answers, and those of unknown length, are not kept.
const LONGEST_BYTES: usize = 64 * 1024;

/// What a purchase is known by: hash of its id, the payment and the request.
pub(super) type Purchase = [u8; 32];

/// What was answered to purchases, oldest first.
#[derive(Default)]
pub(super) struct Answered {
    answers: HashMap<Purchase, (Parts, Bytes)>,
    order: VecDeque<(Instant, Purchase)>,
}

impl Answered {
    fn add(&mut self, purchase: Purchase, answer: (Parts, Bytes)) {
        while self.order.len() >= MOST || self.order.front().is_some_and(|(at, _)| at.elapsed() >= KEPT) {
            let Some((_, oldest)) = self.order.pop_front() else { break };
            self.answers.remove(&oldest);
        }
        if self.answers.insert(purchase, answer).is_none() {
            self.order.push_back((Instant::now(), purchase));
        }
    }
}

/// Purchases that are being served: their receivers learn of the end.
pub(super) type UnderWay = HashMap<Purchase, watch::Receiver<()>>;

/// A purchase that a request is serving, until dropped. However that comes about, equal requests that wait go on.
struct Turn {
    inner: Arc<Inner>,
    purchase: Purchase,
    /// Dropped after the purchase was taken out of those under way.
    _end: watch::Sender<()>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.inner.under_way).remove(&self.purchase);
    }
}

/// The purchase of a payment that has an id, where the price takes ids.
///
/// # Errors
/// If the id is malformed, or missing where the offer that the client took needs one.
pub(super) fn purchase(
    price: &Price,
    payment: &PaymentPayload,
    resource_hash: &[u8; 32],
) -> Result<Option<Purchase>, FieldError> {
    if price.identified.is_none() {
        return Ok(None);
    }
    let info = payment_identifier::read(payment.extensions.as_ref())
        .map_err(|error| error.within("extensions"))?
        .unwrap_or_default();
    match info.id {
        Some(id) => {
            let mut hash = Sha256::new();
            hash.update(id.as_str());
            // No id has one.
            hash.update([0]);
            hash.update(resource_hash);
            hash.update(payment.payload.to_string());
            Ok(Some(hash.finalize().into()))
        }
        // A client that took an older offer is told the terms as they are now.
        None if payment_identifier::offer(&payment.accepted.extra) == Ok(Some(Offer::Required)) => {
            Err(FieldError {
                field: format!("extensions.{EXTENSION}.info.id"),
                message: "missing: this route sells nothing without it".to_owned(),
            })
        }
        None => Ok(None),
    }
}

impl Inner {
    /// Answers a purchase as before, or by the sale. If an equal request is being served, it is waited for; where its
    /// answer is not kept, the sale says what this one gets.
    pub(super) async fn sell_once(
        self: &Arc<Self>,
        purchase: Purchase,
        sale: impl Future<Output = Response>,
    ) -> Response {
        let _turn = self.turn(purchase).await;
        if let Some(answer) = self.answered(&purchase) {
            return answer;
        }
        self.keep_answer(purchase, sale.await).await
    }

    /// Takes the turn to serve a purchase. Waits for one other to end, not for all that wait with this one: of those, one
    /// has the next turn, and the rest go on without.
    async fn turn(self: &Arc<Self>, purchase: Purchase) -> Option<Turn> {
        match self.try_turn(purchase) {
            Ok(turn) => Some(turn),
            Err(mut other) => {
                // Nothing is ever sent: an error, since the sender is gone, is the end.
                _ = other.changed().await;
                self.try_turn(purchase).ok()
            }
        }
    }

    /// Takes the turn, or says whose end to wait for.
    fn try_turn(self: &Arc<Self>, purchase: Purchase) -> Result<Turn, watch::Receiver<()>> {
        match lock(&self.under_way).entry(purchase) {
            Entry::Occupied(other) => Err(other.get().clone()),
            Entry::Vacant(none) => {
                let (end, ended) = watch::channel(());
                none.insert(ended);
                Ok(Turn { inner: Arc::clone(self), purchase, _end: end })
            }
        }
    }

    /// What was answered to this purchase before.
    fn answered(&self, purchase: &Purchase) -> Option<Response> {
        let (parts, body) = lock(&self.answered).answers.get(purchase).cloned()?;
        Some(Response::from_parts(parts, Body::from(body)))
    }

    /// Keeps what is answered to a purchase that was paid.
    async fn keep_answer(&self, purchase: Purchase, response: Response) -> Response {
        let is_short = response.body().size_hint().upper().is_some_and(|bytes| bytes <= LONGEST_BYTES as u64);
        if !response.status().is_success() || !is_short {
            return response;
        }
        let (parts, body) = response.into_parts();
        match to_bytes(body, LONGEST_BYTES).await {
            Ok(body) => {
                lock(&self.answered).add(purchase, (parts.clone(), body.clone()));
                Response::from_parts(parts, Body::from(body))
            }
            Err(error) => {
                error!(%error, "a handler's answer broke off");
                Response::from_parts(parts, Body::empty())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_answers_go() {
        let mut answered = Answered::default();
        let purchase = |index: usize| {
            let mut purchase = [0; 32];
            purchase[..8].copy_from_slice(&index.to_le_bytes());
            purchase
        };
        for index in 0..=MOST {
            let (parts, ()) = Response::new(()).into_parts();
            answered.add(purchase(index), (parts, Bytes::new()));
        }
        assert_eq!((answered.answers.len(), answered.order.len()), (MOST, MOST));
        assert!(
            !answered.answers.contains_key(&purchase(0)) && answered.answers.contains_key(&purchase(MOST))
        );
    }
}
