//! What the verifier's answer about a payment means for the purchase. No I/O.

use serde::Deserialize;
use x402_escrow_wire::{purchase::buyer::Event, text::Decimal};

use crate::{journal::Purchase, spending::Promise, stream::Stream};

/// How long after a deadline it is believed to be over, in seconds: clocks differ.
const MARGIN_SECONDS: i64 = 60;

/// The verifier's answer about a payment.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Report {
    state: String,
    /// What was captured on chain so far, in base units.
    #[serde(default)]
    captured: Decimal,
    /// The last voucher's amount, in base units.
    #[serde(default)]
    vouched: Decimal,
}

impl Report {
    /// Whether the verifier says that the hold has ended, or that all was charged at once: nothing more can be captured.
    fn has_ended(&self) -> bool {
        matches!(&*self.state, "ended" | "paid")
    }

    /// Whether nothing was ever put on chain. While the authorize-by time has not passed, it still can be.
    fn is_refused(&self) -> bool {
        matches!(&*self.state, "refused" | "failed")
    }

    /// What was bought by vouchers that were accepted, in base units.
    pub(super) fn accepted(&self) -> Decimal {
        self.vouched.max(self.captured)
    }
}

/// Whether nothing is held, or was.
pub(super) fn is_unheld(report: Option<&Report>) -> bool {
    report.is_none_or(Report::is_refused)
}

fn has_passed(deadline: i64, now: i64) -> bool {
    now > deadline.saturating_add(MARGIN_SECONDS)
}

/// What a report, or that there is none, says of a purchase at `now` (unix seconds). `None` if nothing new.
pub(super) fn event(purchase: &Purchase, report: Option<&Report>, now: i64) -> Option<Event> {
    let has_passed = |deadline| has_passed(deadline, now);
    let signed = &purchase.signed;
    let captured = report.map_or(0, |report| report.captured.0);
    match report {
        // Of an intent any capture is a charge.
        Some(_) if captured >= purchase.vouched().unwrap_or(1).max(1) => Some(Event::FoundCaptured),
        Some(report) if report.has_ended() => Some(Event::FoundReleased),
        _ if has_passed(signed.capture_deadline) => Some(Event::Expired),
        Some(report) if !report.is_refused() => Some(Event::FoundHeld),
        _ => has_passed(signed.authorize_by).then_some(Event::Expired),
    }
}

/// Whether nothing of a hold is locked any more, by what the verifier says: `None` if it knows no such payment.
pub(super) fn is_over(stream: &Stream, report: Option<&Report>, now: i64) -> bool {
    let has_passed = |deadline| has_passed(deadline, now);
    match report {
        _ if has_passed(stream.capture_deadline) => true,
        Some(report) if report.has_ended() => true,
        Some(report) if !report.is_refused() => false,
        _ => has_passed(stream.authorize_by),
    }
}

/// The amount that a payment ended with, in base units; `None` while it can still change. `report` is the verifier's
/// report, `None` if the verifier doesn't know the payment.
pub(super) fn came_to(report: Option<&Report>, promise: &Promise, now: i64) -> Option<u64> {
    match report {
        Some(report) if report.has_ended() => Some(report.captured.0),
        Some(report) if !report.is_refused() => None,
        _ => has_passed(promise.authorize_by, now).then_some(0),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use x402_escrow_wire::{
        purchase::buyer,
        text::{Base58, Hex32},
    };

    use super::*;
    use crate::journal::fixture::{self, NOW};

    fn purchase(vouched: Option<u64>) -> Purchase {
        Purchase { state: buyer::Purchase::Unknown, ..fixture::purchase([1; 32], vouched) }
    }

    fn report(state: &str, captured: u64) -> Report {
        Report { state: state.into(), captured: Decimal(captured), vouched: Decimal(0) }
    }

    #[test]
    fn an_intent_is_over_only_when_it_can_not_be_held_any_more() {
        let intent = purchase(None);
        let (in_time, late) = (NOW + 120, NOW + 121);
        for unheld in [None, Some(report("refused", 0)), Some(report("failed", 0))] {
            assert_eq!(event(&intent, unheld.as_ref(), in_time), None, "{unheld:?}");
            assert_eq!(event(&intent, unheld.as_ref(), late), Some(Event::Expired), "{unheld:?}");
        }
        for held in ["unsettled", "authorized", "something new"] {
            let held = report(held, 0);
            assert_eq!(event(&intent, Some(&held), late), Some(Event::FoundHeld), "{held:?}");
            assert_eq!(event(&intent, Some(&held), NOW + 661), Some(Event::Expired), "{held:?}");
        }
        assert_eq!(event(&intent, Some(&report("ended", 0)), NOW), Some(Event::FoundReleased));
        assert_eq!(event(&intent, Some(&report("ended", 1)), NOW), Some(Event::FoundCaptured));
    }

    #[test]
    fn a_voucher_is_charged_when_as_much_is_captured() {
        let voucher = purchase(Some(300));
        assert_eq!(event(&voucher, Some(&report("captured", 299)), NOW), Some(Event::FoundHeld));
        assert_eq!(event(&voucher, Some(&report("ended", 299)), NOW), Some(Event::FoundReleased));
        assert_eq!(event(&voucher, Some(&report("ended", 300)), NOW), Some(Event::FoundCaptured));
    }

    #[test]
    fn a_promise_counts_in_full_until_it_ended_or_can_not_be_held_any_more() {
        let promise = Promise { amount: Decimal(1000), authorize_by: NOW + 60, capture_deadline: NOW + 600 };
        assert_eq!(came_to(Some(&report("authorized", 0)), &promise, NOW + 900), None);
        assert_eq!(came_to(Some(&report("ended", 250)), &promise, NOW), Some(250));
        for unheld in [None, Some(report("refused", 0))] {
            assert_eq!(came_to(unheld.as_ref(), &promise, NOW + 120), None);
            assert_eq!(came_to(unheld.as_ref(), &promise, NOW + 121), Some(0));
        }
    }

    #[test]
    fn a_hold_is_over_when_the_verifier_says_that_it_ended_or_its_time_has_passed() {
        let stream = Stream {
            origin: "https://a.test".into(),
            payment_id: Hex32([1; 32]),
            pay_to: Base58([3; 32]),
            hold: Decimal(1000),
            authorize_by: NOW + 60,
            capture_deadline: NOW + 600,
            signed: Decimal(100),
            served: Decimal(100),
            routes: BTreeMap::new(),
            given_up: true,
        };
        assert!(is_over(&stream, Some(&report("ended", 100)), NOW));
        assert!(!is_over(&stream, Some(&report("authorized", 0)), NOW + 660));
        assert!(is_over(&stream, Some(&report("authorized", 0)), NOW + 661));
        for unheld in [None, Some(report("refused", 0))] {
            assert!(!is_over(&stream, unheld.as_ref(), NOW + 120));
            assert!(is_over(&stream, unheld.as_ref(), NOW + 121));
        }
    }
}
