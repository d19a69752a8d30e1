//! Every state of a purchase with every event, as `docs/purchase-vectors.json` has them for other
//! languages, and what holds of all ways through them.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::{fs, path::Path};

use serde_json::{Value, json};
use x402_escrow_wire::purchase::{
    Illegal,
    buyer::{Event, Purchase},
    charge::{Charge, ChargeEvent},
    seller::{Hold, HoldEvent, Voucher, VoucherEvent},
};

/// A row for every state with every event.
fn rows<S: Copy, E: Copy>(
    side: &str,
    (states, state_name): (&[S], fn(S) -> &'static str),
    (events, event_name): (&[E], fn(E) -> &'static str),
    next: fn(S, E) -> Result<S, Illegal>,
) -> Vec<Value> {
    let pairs = states.iter().flat_map(|state| events.iter().map(move |event| (*state, *event)));
    let row = |(state, event)| {
        let mut row = json!({"side": side, "state": state_name(state), "event": event_name(event)});
        match next(state, event) {
            Ok(next) => row["next"] = json!(state_name(next)),
            Err(Illegal) => row["refused"] = json!(true),
        }
        row
    };
    pairs.map(row).collect()
}

fn vectors() -> String {
    let rows = [
        rows("seller_hold", (Hold::ALL, Hold::as_str), (HoldEvent::ALL, HoldEvent::as_str), Hold::next),
        rows(
            "seller_voucher",
            (Voucher::ALL, Voucher::as_str),
            (VoucherEvent::ALL, VoucherEvent::as_str),
            Voucher::next,
        ),
        // What it makes of its hold: that goes on as it is, or takes none.
        rows(
            "seller_lone_voucher",
            (Hold::ALL, Hold::as_str),
            (&[VoucherEvent::Asked], VoucherEvent::as_str),
            |hold, _| if hold.takes_vouchers() { Ok(hold) } else { Err(Illegal) },
        ),
        rows(
            "seller_charge",
            (Charge::ALL, Charge::as_str),
            (ChargeEvent::ALL, ChargeEvent::as_str),
            Charge::next,
        ),
        rows("buyer", (Purchase::ALL, Purchase::as_str), (Event::ALL, Event::as_str), Purchase::next),
    ];
    let lines: Vec<String> = rows.concat().iter().map(Value::to_string).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

#[test]
fn vectors_are_what_the_state_machines_do() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/purchase-vectors.json");
    if std::env::var_os("WRITE_VECTORS").is_some() {
        fs::write(&path, vectors()).unwrap();
    }
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        vectors(),
        "docs/purchase-vectors.json is stale: `WRITE_VECTORS=1 cargo test -p x402-escrow-wire` writes it"
    );
}

/// Everything that the events can make of a state.
fn reachable<S: Copy + PartialEq, E: Copy>(
    from: S,
    events: &[E],
    next: fn(S, E) -> Result<S, Illegal>,
) -> Vec<S> {
    let mut found = vec![from];
    let mut at = 0;
    while at < found.len() {
        let state = found[at];
        for state in events.iter().filter_map(|event| next(state, *event).ok()) {
            if !found.contains(&state) {
                found.push(state);
            }
        }
        at += 1;
    }
    found
}

#[test]
fn every_state_is_reached() {
    assert_eq!(reachable(Hold::Offered, HoldEvent::ALL, Hold::next).len(), Hold::ALL.len());
    assert_eq!(reachable(Voucher::Offered, VoucherEvent::ALL, Voucher::next).len(), Voucher::ALL.len());
    assert_eq!(reachable(Charge::Offered, ChargeEvent::ALL, Charge::next).len(), Charge::ALL.len());
    assert_eq!(reachable(Purchase::Offered, Event::ALL, Purchase::next).len(), Purchase::ALL.len());
}

#[test]
fn what_was_served_never_buys_again_before_its_deadline() {
    let before: Vec<HoldEvent> =
        HoldEvent::ALL.iter().copied().filter(|event| *event != HoldEvent::Over).collect();
    for ended in [Hold::Capturing, Hold::Releasing] {
        for state in reachable(ended, &before, Hold::next) {
            assert_eq!(state.next(HoldEvent::Asked), Err(Illegal), "{state:?}");
        }
    }
    assert_eq!(reachable(Voucher::Served, VoucherEvent::ALL, Voucher::next), [Voucher::Served]);
}

#[test]
fn what_may_be_charged_is_kept_until_it_was_served_or_nobody_can_charge_it() {
    let signed = [Charge::Charging, Charge::ChargingAgain, Charge::Unknown, Charge::Paid, Charge::Serving];
    for state in signed {
        for event in [ChargeEvent::Undecided, ChargeEvent::Denied, ChargeEvent::Failed, ChargeEvent::Crashed]
        {
            assert_ne!(state.next(event), Ok(Charge::Offered), "{state:?} {event:?}");
        }
    }
    assert_eq!(Charge::Served.next(ChargeEvent::Asked), Err(Illegal));
    for state in [Charge::Verifying, Charge::Working] {
        assert_eq!(state.next(ChargeEvent::Crashed), Ok(Charge::Offered), "nothing is signed");
    }
}

#[test]
fn a_capture_is_never_given_up_for_a_release() {
    assert!(!reachable(Hold::Capturing, &HoldEvent::ALL[8..], Hold::next).contains(&Hold::Releasing));
}

#[test]
fn a_buyer_believes_no_refusal_of_a_repeat() {
    for event in [Event::Refused, Event::Repeated, Event::NoAnswer] {
        assert_eq!(Purchase::SentAgain.next(event), Ok(Purchase::Unknown));
    }
    assert_eq!(Purchase::Sent.next(Event::Repeated), Ok(Purchase::Unknown));
    assert_eq!(Purchase::Sent.next(Event::Refused), Ok(Purchase::Refused));
}

#[test]
fn nothing_that_left_is_forgotten_by_a_crash() {
    for state in Purchase::ALL.iter().copied().filter(|state| *state != Purchase::Offered) {
        assert_ne!(state.next(Event::Crashed), Ok(Purchase::Offered));
    }
    for state in [Hold::Unknown, Hold::SentAgain, Hold::Checking, Hold::Serving, Hold::Open, Hold::Capturing]
    {
        assert_ne!(state.next(HoldEvent::Crashed), Ok(Hold::Offered));
    }
}
