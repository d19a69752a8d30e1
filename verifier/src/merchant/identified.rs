//! Purchases that have an id (the extension `payment-identifier`): a client whose answer got lost sends the same payment
//! again, and is answered as before. What was answered is kept in memory: after a restart a repeat is refused, as
//! without an id, and nothing is paid twice either way.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes, HttpBody, to_bytes},
    http::response::Parts,
    response::Response,
};
use sha2::{Digest, Sha256};
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

/// The purchase of a payment that has an id, where the price takes ids.
///
/// # Errors
/// If the id is malformed, or missing where the price needs one.
pub(super) fn purchase(
    price: &Price,
    payment: &PaymentPayload,
    resource_hash: &[u8; 32],
) -> Result<Option<Purchase>, FieldError> {
    let Some(offer) = price.identified else { return Ok(None) };
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
        None if offer == Offer::Required => Err(FieldError {
            field: format!("extensions.{EXTENSION}.info.id"),
            message: "missing: this route sells nothing without it".to_owned(),
        }),
        None => Ok(None),
    }
}

impl Inner {
    /// What was answered to this purchase before.
    pub(super) fn answered(&self, purchase: &Purchase) -> Option<Response> {
        let (parts, body) = lock(&self.answered).answers.get(purchase).cloned()?;
        Some(Response::from_parts(parts, Body::from(body)))
    }

    /// Keeps what is answered to a purchase that was paid.
    pub(super) async fn keep_answer(&self, purchase: Purchase, response: Response) -> Response {
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
