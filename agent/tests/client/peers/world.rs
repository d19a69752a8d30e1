//! An honest shop on a bad line: what it accepts, and whether its answer arrives, is left to chance. It remembers what it
//! was paid for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use x402_escrow_wire::{
    auth_capture::{Extra, Payload},
    payment::PaymentPayload,
    text::Hex32,
};

use super::{CLOSED, DUPLICATE, NOT_FOUND, PRICE, Paid, REPEATED};

/// A payment that arrived.
#[derive(Default)]
pub(crate) struct Held {
    /// Amounts of vouchers that bought something; 0 of a payment that is no stream.
    pub(crate) accepted: BTreeSet<u64>,
    /// The highest voucher that was sent, accepted or not.
    pub(crate) sent: u64,
    has_ended: bool,
}

/// Everything that is true.
pub(crate) struct World {
    state: u64,
    pub(crate) holds: BTreeMap<String, Held>,
    /// How often something was bought, by path.
    pub(crate) bought: BTreeMap<String, u64>,
    /// How many of its answers said so and left.
    pub(crate) answered: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, holds: BTreeMap::new(), bought: BTreeMap::new(), answered: 0 }
    }

    /// A number below `bound`, by chance (Knuth's MMIX generator).
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % bound
    }

    /// Some holds that the shop took no more of end at last.
    pub(crate) fn end_some(&mut self) {
        let ids: Vec<String> = self.holds.keys().cloned().collect();
        for id in ids {
            let ends = self.below(10) == 0;
            if let Some(hold) = self.holds.get_mut(&id) {
                hold.has_ended |= ends;
            }
        }
    }

    pub(super) fn decide(&mut self, path: &str, payment: &PaymentPayload) -> Paid {
        let (id, opens, voucher) = match Payload::read(&payment.payload).unwrap() {
            Payload::Intent(intent) => {
                let digest =
                    intent.intent(&payment.accepted, &Extra::read(&payment.accepted).unwrap()).digest();
                (Hex32(digest).to_string(), true, intent.voucher.map_or(0, |voucher| voucher.amount.0))
            }
            Payload::Voucher(voucher) => (voucher.payment_id.to_string(), false, voucher.amount.0),
            Payload::Lifecycle(payload) => panic!("an agent sent {payload:?}"),
        };
        let is_known = self.holds.contains_key(&id);
        match self.below(10) {
            // It does not arrive.
            0 => return Paid::HangUp,
            1 => return Paid::Status(503),
            // It is not looked at.
            2 => return Paid::Say("insufficient_funds"),
            3 => return Paid::Say("settlement_pending"),
            _ => {}
        }
        if !is_known && !opens {
            return Paid::Say(NOT_FOUND);
        }
        let closes = self.below(12) == 0;
        let ends = self.below(2) == 0;
        let hold = self.holds.entry(id).or_default();
        hold.sent = hold.sent.max(voucher);
        hold.has_ended |= closes && ends && is_known;
        if hold.has_ended || closes && is_known && voucher > 0 {
            return Paid::Say(CLOSED);
        }
        let last = hold.accepted.last().copied();
        if last.is_some_and(|last| voucher < last + PRICE) {
            return Paid::Say(if voucher == 0 { DUPLICATE } else { REPEATED });
        }
        hold.accepted.insert(voucher);
        *self.bought.entry(path.to_owned()).or_default() += 1;
        match self.below(10) {
            // It bought something, and nobody hears of it.
            0 => Paid::HangUp,
            1 => Paid::Status(502),
            2 => Paid::Status(500),
            _ => {
                self.answered += 1;
                Paid::Serve
            }
        }
    }

    pub(super) fn report(&self, id: &str) -> Option<Value> {
        let hold = self.holds.get(id)?;
        let accepted = hold.accepted.last().copied().unwrap_or(0);
        let (state, captured) = match hold.accepted.contains(&0) {
            true => ("ended", PRICE),
            false if hold.has_ended => ("ended", accepted),
            false => ("authorized", 0),
        };
        Some(json!({ "state": state, "captured": captured.to_string(), "vouched": accepted.to_string() }))
    }
}
