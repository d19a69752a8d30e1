//! A payer who streams vouchers against one hold after the other, straight to the verifier, and the merchant who serves
//! it.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use x402_escrow_wire::{
    auth_capture::LifecyclePayload,
    error_code::ErrorCode::{
        self, VoucherAboveHold, VoucherDecreased, VoucherHoldClosed, VoucherRepeated, VoucherTooLate,
    },
    payment::PaymentRequirements,
    text::{Base58, Decimal, Hex32},
};

use super::counter::insist;
use x402_escrow_tests::local::parties::{Answer, Parties, Terms, now};

/// What a request costs and what is held for many of them, in base units.
const PRICE: u64 = 10;
const HOLD: u64 = 10_000;
/// The last voucher is taken two minutes before: the least that the verifier can be set to.
const CAPTURE_SECONDS: i64 = 150;
/// Longest time from an answer to the next request. Who never pauses takes so much of the machine that the validator's clock
/// falls behind, and then no verifier becomes ready.
const LONGEST_PAUSE_MILLISECONDS: u64 = 60;

/// Lets the others on this machine go on.
pub(super) fn pause(random: &mut impl Rng) {
    thread::sleep(Duration::from_millis(random.random_range(0..LONGEST_PAUSE_MILLISECONDS)));
}

/// How a hold is meant to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The merchant has the last voucher captured and the rest given back.
    Closed,
    /// Nobody comes back to it.
    LeftAlone,
}

/// A hold, and what was bought out of it.
#[derive(Debug)]
pub(super) struct Streamed {
    pub(super) id: Hex32,
    /// Base units.
    pub(super) hold: u64,
    /// The largest voucher that was answered yes, in base units.
    pub(super) answered: u64,
    /// Larger ones that were sent, and whose answers were lost.
    pub(super) unanswered: BTreeSet<u64>,
    /// How many vouchers were answered yes.
    pub(super) vouchers: u64,
}

impl Streamed {
    pub(super) fn new(id: Hex32, hold: u64) -> Self {
        Self { id, hold, answered: 0, unanswered: BTreeSet::new(), vouchers: 0 }
    }

    pub(super) fn note_yes(&mut self, amount: u64) {
        self.answered = amount;
        self.unanswered.retain(|unanswered| *unanswered > amount);
        self.vouchers += 1;
    }

    /// Whether nothing that was answered yes is missing, and nothing was captured that was not signed.
    pub(super) fn may_end_at(&self, captured: u64) -> bool {
        captured == self.answered || self.unanswered.contains(&captured)
    }

    fn last_sent(&self) -> u64 {
        self.unanswered.last().copied().unwrap_or(self.answered)
    }
}

pub(super) struct Streamer {
    parties: Parties,
    random: StdRng,
}

impl Streamer {
    pub(super) fn new(parties: Parties, seed: u64) -> Self {
        Self { parties, random: StdRng::seed_from_u64(seed) }
    }

    /// Uses one hold after the other. The first ends as told.
    pub(super) fn stream_until(&mut self, closing: &AtomicBool, first: Ending) -> Vec<Streamed> {
        let mut streams = vec![self.stream(closing, first)];
        while !closing.load(Ordering::Relaxed) {
            let ending = if self.random.random_bool(0.1) { Ending::LeftAlone } else { Ending::Closed };
            streams.push(self.stream(closing, ending));
        }
        streams
    }

    fn stream(&mut self, closing: &AtomicBool, ending: Ending) -> Streamed {
        let capture_deadline = now() + CAPTURE_SECONDS;
        let terms = Terms { amount: HOLD, request_price: Some(PRICE), capture_deadline };
        let requirements = self.parties.requirements(&terms);
        let (mut intent, id) = self.parties.intent(&requirements, capture_deadline - 30).unwrap();
        intent.voucher = Some(self.parties.voucher(id, PRICE));
        let mut streamed = Streamed::new(id, HOLD);
        streamed.unanswered.insert(PRICE);
        match self.parties.settle_until_decided(&requirements, &json!(intent)) {
            Ok(()) => streamed.note_yes(PRICE),
            // The verifier was dead for all of the time in which vouchers are taken.
            Err(reason) if reason == VoucherTooLate.as_str() => return streamed,
            Err(reason) => panic!("{reason} for {streamed:?}"),
        }
        for _ in 0..self.random.random_range(20..200) {
            pause(&mut self.random);
            if closing.load(Ordering::Relaxed) || !self.go_on(&requirements, &mut streamed) {
                break;
            }
        }
        if ending == Ending::Closed && self.ask_for_the_last(&requirements, &mut streamed) {
            let amount = Decimal(streamed.answered);
            let close = LifecyclePayload::Close { payment_id: id, amount, signature: Base58([0; 64]) };
            insist(&self.parties, &requirements, &self.parties.signed(close));
        }
        streamed
    }

    /// Mostly buys something; sometimes tries what must be refused. False when the hold takes no more.
    fn go_on(&mut self, requirements: &PaymentRequirements, streamed: &mut Streamed) -> bool {
        match self.random.random_range(0..15) {
            0 if streamed.unanswered.is_empty() => {
                self.expect_no(requirements, streamed, streamed.answered, VoucherRepeated);
            }
            1 => self.expect_no(requirements, streamed, streamed.answered - 1, VoucherDecreased),
            2 => self.expect_no(requirements, streamed, HOLD + 1, VoucherAboveHold),
            _ => {
                let amount = streamed.last_sent() + PRICE * self.random.random_range(1..=5);
                return amount <= HOLD && self.buy(requirements, streamed, amount);
            }
        }
        true
    }

    /// Sends a voucher, mostly until it is answered. False when the hold takes no more.
    fn buy(&mut self, requirements: &PaymentRequirements, streamed: &mut Streamed, amount: u64) -> bool {
        let insists = self.random.random_bool(0.7);
        let voucher = json!(self.parties.voucher(streamed.id, amount));
        let was_lost = !streamed.unanswered.insert(amount);
        let mut asked_before = was_lost;
        loop {
            match self.parties.settle(requirements, &voucher) {
                Answer::Yes => streamed.note_yes(amount),
                // It was kept, and the answer lost: what it pays for is served.
                Answer::No(reason) if asked_before && reason == VoucherRepeated.as_str() => {
                    streamed.note_yes(amount);
                }
                Answer::No(reason) if reason == VoucherTooLate.as_str() => {
                    if !asked_before {
                        streamed.unanswered.remove(&amount);
                    }
                    return false;
                }
                // The verifier captures the last voucher on its own once it is too late for others.
                Answer::No(reason) if asked_before && reason == VoucherHoldClosed.as_str() => return false,
                Answer::No(reason) => panic!("{reason} for a voucher of {amount}: {streamed:?}"),
                Answer::Undecided if insists => {
                    asked_before = true;
                    thread::sleep(Duration::from_millis(50));
                    continue;
                }
                Answer::Undecided => {}
            }
            return true;
        }
    }

    /// Learns what became of the last voucher. False if it is too late to learn.
    fn ask_for_the_last(&mut self, requirements: &PaymentRequirements, streamed: &mut Streamed) -> bool {
        while let Some(last) = streamed.unanswered.last().copied() {
            if !self.buy(requirements, streamed, last) {
                return false;
            }
        }
        true
    }

    #[track_caller]
    fn expect_no(
        &self,
        requirements: &PaymentRequirements,
        streamed: &Streamed,
        amount: u64,
        expected: ErrorCode,
    ) {
        let voucher = json!(self.parties.voucher(streamed.id, amount));
        match self.parties.settle(requirements, &voucher) {
            Answer::Yes => panic!("a voucher of {amount} was taken: {streamed:?}"),
            Answer::No(reason) => assert_eq!(reason, expected.as_str(), "{amount}: {streamed:?}"),
            Answer::Undecided => {}
        }
    }
}
