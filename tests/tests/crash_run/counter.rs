//! A counter at which payments are taken: payer and merchant in one, who never give up asking.

use std::sync::atomic::{AtomicBool, Ordering};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use x402_escrow_wire::{payment::PaymentRequirements, text::Hex32};

use x402_escrow_tests::local::parties::{Parties, Terms, now};

/// How a payment is meant to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    InFull,
    InPart,
    InTwoParts,
    Voided,
    LeftAlone,
    /// A part is captured, and nobody comes back for the rest.
    InPartAndLeft,
}

/// A payment that the verifier said yes to.
pub(super) struct Sale {
    pub(super) id: Hex32,
    pub(super) ending: Ending,
    pub(super) amount: u64,
    /// What the merchant must have in the end.
    pub(super) captured: u64,
}

/// A payment and what it is for.
pub(super) struct Hold {
    pub(super) id: Hex32,
    pub(super) amount: u64,
    pub(super) requirements: PaymentRequirements,
    pub(super) payload: Value,
}

pub(super) struct Counter {
    parties: Parties,
    random: StdRng,
    /// From a payment's intent to its capture deadline: long enough for processes that die several times on the way.
    capture_seconds: i64,
}

impl Counter {
    pub(super) fn new(parties: Parties, seed: u64, capture_seconds: i64) -> Self {
        Self { parties, random: StdRng::seed_from_u64(seed), capture_seconds }
    }

    /// Takes one payment after the other. The first ends as told, the others by a draw from what `endings` are then.
    pub(super) fn sell_until<'a>(
        &mut self,
        closing: &AtomicBool,
        first: Ending,
        endings: impl Fn() -> &'a [Ending],
    ) -> Vec<Sale> {
        let mut sales = vec![self.sell(first)];
        while !closing.load(Ordering::Relaxed) {
            let endings = endings();
            let ending = endings[self.random.random_range(0..endings.len())];
            sales.push(self.sell(ending));
        }
        sales
    }

    pub(super) fn sell(&mut self, ending: Ending) -> Sale {
        let hold = self.hold();
        self.end(&hold, ending)
    }

    /// Takes a payment and leaves it open.
    pub(super) fn hold(&mut self) -> Hold {
        let hold = self.draft();
        self.insist(&hold);
        hold
    }

    /// Asks until it is held.
    #[track_caller]
    pub(super) fn insist(&self, hold: &Hold) {
        insist(&self.parties, &hold.requirements, &hold.payload);
    }

    /// A payment that nobody was asked to settle yet.
    pub(super) fn draft(&mut self) -> Hold {
        let amount = self.random.random_range(1_000..100_000);
        let capture_deadline = now() + self.capture_seconds;
        let requirements =
            self.parties.requirements(&Terms { amount, request_price: None, capture_deadline });
        let (payload, id) = self.parties.intent(&requirements, capture_deadline - 30).unwrap();
        Hold { id, amount, requirements, payload: json!(payload) }
    }

    /// Has a payment that is held end.
    pub(super) fn end(&mut self, hold: &Hold, ending: Ending) -> Sale {
        let Hold { id, amount, requirements, .. } = hold;
        let (id, amount) = (*id, *amount);
        let part = self.random.random_range(1..amount);
        let captured = match ending {
            Ending::InFull => self.capture(requirements, id, amount, true),
            Ending::InPart => self.capture(requirements, id, part, true),
            Ending::InPartAndLeft => self.capture(requirements, id, part, false),
            Ending::InTwoParts => {
                self.capture(requirements, id, part, false);
                self.capture(requirements, id, amount, true)
            }
            Ending::Voided => self.void(requirements, id),
            Ending::LeftAlone => 0,
        };
        Sale { id, ending, amount, captured }
    }

    fn capture(&self, requirements: &PaymentRequirements, payment_id: Hex32, amount: u64, last: bool) -> u64 {
        insist(&self.parties, requirements, &self.parties.capture(payment_id, amount, last));
        amount
    }

    fn void(&self, requirements: &PaymentRequirements, payment_id: Hex32) -> u64 {
        insist(&self.parties, requirements, &self.parties.void(payment_id));
        0
    }
}

/// Asks until the answer is yes, for what may not be refused.
#[track_caller]
pub(super) fn insist(parties: &Parties, requirements: &PaymentRequirements, payload: &Value) {
    if let Err(reason) = parties.settle_until_decided(requirements, payload) {
        panic!("{reason} for {payload}");
    }
}
