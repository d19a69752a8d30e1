//! Compute units of what moves a payment and does not charge it: authorize, capture, void, reclaim, refund.

use x402_escrow_interface::{
    instruction::Consent,
    message::{Capture, Intent},
    receivers::MAXIMUM_RECEIVERS,
};
use x402_escrow_tests::svm::{Chain, World, usdc};

use crate::{
    number::number,
    samples::{Bench, Cases, list_of, work},
};

/// The fee of the cases with one, in base units: what intents allow at most of 1 USDC.
pub(crate) const FEE: u64 = 10_000;
pub(crate) const PART: u64 = 400_000;
const WHOLE: u64 = usdc(1);

/// The lists that a receiver is shown to be in.
pub(crate) const LISTS: [usize; 2] = [1_000, MAXIMUM_RECEIVERS];

pub(crate) fn measure(cases: &mut Cases) {
    authorize(cases);
    authorize_listed(cases);
    capture(cases);
    capture_of_a_bound(cases);
    capture_by_signer(cases);
    release(cases);
    refund(cases);
}

fn authorize(cases: &mut Cases) {
    let mut bench = Bench::new();
    let samples = bench.sample(|bench| {
        let intent = bench.intent();
        bench.world.authorize(&intent)
    });
    cases.add("authorize", "next nonce", work(1, 0, 1), samples);

    let mut bench = Bench::new();
    let newest = Intent { nonce: 1_000, ..bench.intent() };
    bench.run(bench.world.authorize(&newest));
    let samples = bench.sample(|bench| {
        let intent = bench.intent();
        // Those from the intents before: backwards, every third.
        bench.world.authorize(&Intent { nonce: 1_000 - 3 * intent.nonce, ..intent })
    });
    cases.add("authorize", "nonces arrive backwards", work(1, 0, 1), samples);

    let mut bench = Bench::with_periods();
    bench.held();
    bench.next_period();
    let intent = bench.worst_intent();
    bench.send_lamports(&bench.world.hold_address(&intent));
    let samples = vec![bench.run(bench.world.authorize(&intent))];
    let case = "new period, window cleared, unlucky addresses, lamports at the hold's";
    cases.add("authorize", case, work(1, 0, 1), samples);

    let mut bench = Bench::new();
    let samples = bench.sample(|bench| {
        let intent = bench.held();
        bench.world.authorize(&intent)
    });
    cases.add("authorize", "held already: changes nothing", work(0, 0, 0), samples);
}

/// The case of a list of `count` receivers.
pub(crate) fn listed_case(count: usize) -> String {
    format!("next nonce, one of {} listed receivers", number(count as u64))
}

fn authorize_listed(cases: &mut Cases) {
    for count in LISTS {
        let list = list_of(count);
        let mut bench = Bench::with_list(&list);
        let samples = bench.sample(|bench| {
            let intent = Intent { maximum_fee_bps: 0, ..bench.intent() };
            let proof = list.proof(&intent.receiver).expect("the list has the samples' receivers");
            bench.world.authorize_listed(&intent, &proof)
        });
        cases.add("authorize", &listed_case(count), work(1, 0, 1), samples);
    }
}

fn capture(cases: &mut Cases) {
    let mut bench = Bench::new();
    let samples = bench.sample(|bench| {
        let intent = bench.held();
        bench.world.capture(&intent, PART)
    });
    cases.add("capture", "signed, part", work(1, 1, 0), samples);

    let samples = bench.sample(|bench| {
        let intent = bench.held();
        bench.world.capture(&intent, WHOLE)
    });
    cases.add("capture", "signed, whole: closes the hold", work(1, 1, 0), samples);

    let mut bench = Bench::new();
    let samples = bench.sample(|bench| {
        let one_key = bench.intent_of_one_key();
        bench.run(bench.world.authorize(&one_key));
        let capture = Capture { last: true, ..bench.world.capture_message(&one_key, PART) };
        bench.world.capture_as(&one_key, &capture)
    });
    cases.add("capture", "signed, last: releases the rest and closes the hold", work(1, 1, 0), samples);

    let samples = bench.sample(|bench| {
        let intent = bench.held();
        bench.world.capture_and_release(&intent, PART)
    });
    cases.add("capture", "two signatures: releases the rest and closes the hold", work(2, 1, 0), samples);

    let mut bench = Bench::new();
    let samples = bench.sample(|bench| {
        let intent = bench.held();
        let capture = Capture { fee: FEE, ..bench.world.capture_message(&intent, WHOLE) };
        bench.world.capture_as(&intent, &capture)
    });
    cases.add("capture", "signed, with a fee: closes the hold", work(1, 2, 0), samples);

    let mut bench = Bench::of(world_of_token_2022());
    let samples = bench.sample(|bench| {
        let intent = bench.held();
        bench.world.capture(&intent, WHOLE)
    });
    cases.add("capture", "signed, whole, of Token-2022: closes the hold", work(1, 1, 0), samples);
}

/// Captures that pay less than what was signed, or nothing.
fn capture_of_a_bound(cases: &mut Cases) {
    let mut bench = Bench::new();
    let samples = bench.sample(|bench| {
        let intent = bench.held();
        let capture = Capture { fee: FEE, ..bench.world.capture_message(&intent, WHOLE) };
        bench.world.capture_part(&intent, PART, &capture)
    });
    cases.add("capture", "signed, below its bound, with a fee", work(1, 2, 0), samples);

    let samples = bench.sample(|bench| {
        let intent = bench.held();
        bench.run(bench.world.capture(&intent, PART));
        bench.world.capture(&intent, PART)
    });
    cases.add("capture", "signed, captured already: changes nothing", work(0, 0, 0), samples);

    let mut bench = Bench::with_periods();
    let fee_recipient = bench.unlucky_owner("fee recipient");
    let samples = bench.sample(|bench| {
        let intent = Intent { fee_recipient, ..bench.intent() };
        bench.run(bench.world.authorize(&intent));
        bench.run(bench.world.capture(&intent, PART / 2));
        let capture = Capture { fee: FEE / 4, ..bench.world.capture_message(&intent, WHOLE) };
        bench.world.capture_part_and_release(&intent, PART, &capture)
    });
    let case = "two signatures, a fee to an unlucky address, in a period: releases and closes";
    cases.add("capture", case, work(2, 2, 0), samples);
}

fn capture_by_signer(cases: &mut Cases) {
    let mut bench = Bench::new();
    for (case, amount) in [("by signer, part", PART), ("by signer, whole: closes the hold", WHOLE)] {
        let samples = bench.sample(|bench| {
            let intent = bench.held();
            let capture = bench.world.capture_message(&intent, amount);
            bench.world.capture_by(&intent, &capture, Consent::Signer)
        });
        cases.add("capture", case, work(0, 1, 0), samples);
    }
}

fn release(cases: &mut Cases) {
    let mut bench = Bench::new();
    let samples = bench.sample(|bench| {
        let intent = bench.held();
        bench.world.void(&intent, 0)
    });
    cases.add("void", "signed: closes the hold", work(1, 0, 0), samples);

    let samples = bench.sample(|bench| {
        let intent = bench.held();
        bench.world.void_by(&intent, 0, Consent::Signer)
    });
    cases.add("void", "by signer: closes the hold", work(0, 0, 0), samples);

    let mut bench = Bench::with_periods();
    let samples = bench.sample(|bench| {
        let intent = bench.held();
        bench.run(bench.world.capture(&intent, PART));
        bench.world.void(&intent, PART)
    });
    cases.add("void", "signed, after a capture, in a period: closes the hold", work(1, 0, 0), samples);

    let mut bench = Bench::with_periods();
    let intents: Vec<_> = (0..8).map(|_| bench.held()).collect();
    bench.world.chain.set_time(intents[0].capture_deadline + 1);
    let samples = intents.iter().map(|intent| bench.run(bench.world.reclaim(intent))).collect();
    cases.add("reclaim", "closes the hold", work(0, 0, 0), samples);
}

fn refund(cases: &mut Cases) {
    let mut bench = Bench::new();
    let samples = bench.sample(|bench| {
        let intent = Intent { receiver: bench.world.receiver, ..bench.intent() };
        bench.run(bench.world.authorize(&intent));
        bench.run(bench.world.capture(&intent, WHOLE));
        bench.world.refund(&intent, PART)
    });
    cases.add("deposit", "a refund: names the payment", work(0, 1, 0), samples);
}

fn world_of_token_2022() -> World {
    let mut chain = Chain::new("the cluster");
    let mint = chain.create_extended_mint("USDC", &[], |_| Vec::new());
    World::of(chain, mint).and_escrow().and_session_of(World::limits())
}
