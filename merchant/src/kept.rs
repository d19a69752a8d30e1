//! Keeps answers to purchases that have an id. Uses memory and the clock.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use axum::{body::Bytes, http::response::Parts};
use tokio::sync::watch;

/// For how long an answer is kept.
const KEPT: Duration = Duration::from_secs(3600);

/// How many are kept; of more, the oldest go.
const MOST: usize = 1024;

/// What a purchase is known by: hash of its id, the payment and the request.
pub(crate) type PurchaseKey = [u8; 32];

/// What was answered to purchases, oldest first.
#[derive(Default)]
pub(crate) struct KeptAnswers {
    answers: HashMap<PurchaseKey, (Parts, Bytes)>,
    order: VecDeque<(Instant, PurchaseKey)>,
}

impl KeptAnswers {
    pub(crate) fn get(&self, purchase: &PurchaseKey) -> Option<(Parts, Bytes)> {
        self.answers.get(purchase).cloned()
    }

    pub(crate) fn add(&mut self, purchase: PurchaseKey, answer: (Parts, Bytes)) {
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
pub(crate) type UnderWay = HashMap<PurchaseKey, watch::Receiver<()>>;

#[cfg(test)]
mod tests {
    use axum::response::Response;

    use super::*;

    #[test]
    fn the_oldest_answers_go() {
        let mut kept = KeptAnswers::default();
        let purchase = |index: usize| {
            let mut purchase = [0; 32];
            purchase[..8].copy_from_slice(&index.to_le_bytes());
            purchase
        };
        for index in 0..=MOST {
            let (parts, ()) = Response::new(()).into_parts();
            kept.add(purchase(index), (parts, Bytes::new()));
        }
        assert_eq!((kept.answers.len(), kept.order.len()), (MOST, MOST));
        assert!(!kept.answers.contains_key(&purchase(0)) && kept.answers.contains_key(&purchase(MOST)));
    }
}
