//! Answers a repeat of a purchase that has an id (the extension `payment-identifier`) as the first
//! was answered. Uses memory, no I/O of its own.
//!
//! A client whose answer got lost sends the same payment again. While the first is still being
//! served, the repeat waits for its answer. After a restart a repeat is refused, as without an id;
//! nothing is paid twice either way.

use std::{collections::hash_map::Entry, sync::Arc};

use axum::{
    body::{Body, HttpBody, to_bytes},
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

use crate::{
    kept::PurchaseKey,
    price::Price,
    shared::{Shared, lock},
};

/// Longer answers, and those of unknown length, are not kept.
const LONGEST_BYTES: usize = 64 * 1024;

/// A purchase that a request is serving, until dropped. However that comes about, equal requests
/// that wait go on.
struct Turn {
    shared: Arc<Shared>,
    purchase: PurchaseKey,
    /// Dropped after the purchase was taken out of those under way.
    _end: watch::Sender<()>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.shared.under_way).remove(&self.purchase);
    }
}

/// The purchase of a payment that has an id, where the price takes ids.
///
/// # Errors
/// If the id is malformed, or missing where the offer that the client took needs one.
pub(crate) fn purchase(
    price: &Price,
    payment: &PaymentPayload,
    resource_hash: &[u8; 32],
) -> Result<Option<PurchaseKey>, FieldError> {
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

impl Shared {
    /// Answers a purchase as before, or by the sale. If an equal request is being served, it is
    /// waited for; where its answer is not kept, the sale says what this one gets.
    pub(crate) async fn sell_once(
        self: &Arc<Self>,
        purchase: PurchaseKey,
        sale: impl Future<Output = Response>,
    ) -> Response {
        let _turn = self.turn(purchase).await;
        if let Some(answer) = self.answered(&purchase) {
            return answer;
        }
        self.keep_answer(purchase, sale.await).await
    }

    /// Takes the turn to serve a purchase. Waits for one other to end, not for all that wait with
    /// this one: of those, one has the next turn, and the rest go on without.
    async fn turn(self: &Arc<Self>, purchase: PurchaseKey) -> Option<Turn> {
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
    fn try_turn(self: &Arc<Self>, purchase: PurchaseKey) -> Result<Turn, watch::Receiver<()>> {
        match lock(&self.under_way).entry(purchase) {
            Entry::Occupied(other) => Err(other.get().clone()),
            Entry::Vacant(none) => {
                let (end, ended) = watch::channel(());
                none.insert(ended);
                Ok(Turn { shared: Arc::clone(self), purchase, _end: end })
            }
        }
    }

    /// What was answered to this purchase before.
    fn answered(&self, purchase: &PurchaseKey) -> Option<Response> {
        let (parts, body) = lock(&self.answered).get(purchase)?;
        Some(Response::from_parts(parts, Body::from(body)))
    }

    /// Keeps what is answered to a purchase that was paid.
    async fn keep_answer(&self, purchase: PurchaseKey, response: Response) -> Response {
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
