//! Compute units of a charge, by who consents to it.

use x402_escrow_interface::{
    instruction::{Charge, Consent},
    message::{Capture, Intent, PaymentFlow},
};

use crate::{
    payments::{FEE, PART},
    samples::{Bench, Cases, work},
};

pub(crate) fn measure(cases: &mut Cases) {
    by_session_key(cases);
    by_one_key(cases);
    by_two_keys(cases);
    worst(cases);
}

/// The session key captures: its intent is enough for the whole amount.
fn by_session_key(cases: &mut Cases) {
    let mut bench = Bench::new();
    let samples = bench.sample(|bench| {
        let intent = Intent { capture_authorizer: bench.world.agent, ..bench.intent_to_charge() };
        bench.world.charge(&intent)
    });
    cases.add("charge", "whole: the session key captures", work(1, 1, 0), samples);

    let samples = bench.sample(|bench| {
        let intent = Intent { capture_authorizer: bench.world.agent, ..bench.intent_to_charge() };
        let release = Some(Consent::Signature(bench.world.sign_release(&intent, PART)));
        bench.world.charge_as(&intent, &Charge { amount: PART, capture: None, release })
    });
    cases.add("charge", "part: the session key captures, a release", work(2, 1, 0), samples);
}

/// One other key is both authorizers.
fn by_one_key(cases: &mut Cases) {
    let mut bench = Bench::new();
    let samples = bench.sample(|bench| {
        let intent = Intent { flow: PaymentFlow::Authorization, ..bench.intent_of_one_key() };
        bench.world.charge(&intent)
    });
    cases.add("charge", "whole: a capture", work(2, 1, 0), samples);

    let samples = bench.sample(|bench| {
        let intent = Intent { flow: PaymentFlow::Authorization, ..bench.intent_of_one_key() };
        let last = Capture { last: true, ..bench.world.capture_message(&intent, PART) };
        let capture = Some(bench.world.charge_capture(&intent, &last));
        bench.world.charge_as(&intent, &Charge { amount: PART, capture, release: None })
    });
    cases.add("charge", "part: one last capture", work(2, 1, 0), samples);
}

fn by_two_keys(cases: &mut Cases) {
    let mut bench = Bench::new();
    let samples = bench.sample(|bench| {
        let intent = bench.intent_to_charge();
        let capture = Some(bench.world.charge_capture(&intent, &bench.world.capture_message(&intent, PART)));
        let release = Some(Consent::Signature(bench.world.sign_release(&intent, PART)));
        bench.world.charge_as(&intent, &Charge { amount: PART, capture, release })
    });
    cases.add("charge", "part: a capture and a release", work(3, 1, 0), samples);

    let samples = bench.sample(|bench| {
        let intent = bench.intent_to_charge();
        let message = Capture { fee: FEE, ..bench.world.capture_message(&intent, intent.amount) };
        let capture = Some(bench.world.charge_capture(&intent, &message));
        bench.world.charge_as(&intent, &Charge { amount: intent.amount, capture, release: None })
    });
    cases.add("charge", "whole: a capture with a fee", work(2, 2, 0), samples);
}

fn worst(cases: &mut Cases) {
    let mut bench = Bench::with_periods();
    bench.held();
    bench.next_period();
    let fee_recipient = bench.unlucky_owner("fee recipient");
    let flow = PaymentFlow::Authorization;
    let intent = Intent { fee_recipient, flow, ..bench.worst_intent() };
    let message = Capture { fee: FEE / 4, ..bench.world.capture_message(&intent, intent.amount) };
    let capture = Some(bench.world.charge_capture(&intent, &message));
    let release = Some(Consent::Signature(bench.world.sign_release(&intent, PART)));
    let charge = Charge { amount: PART, capture, release };
    let samples = vec![bench.run(bench.world.charge_as(&intent, &charge))];
    let case = "three signatures, a fee, new period, window cleared, unlucky addresses";
    cases.add("charge", case, work(3, 2, 0), samples);
}
