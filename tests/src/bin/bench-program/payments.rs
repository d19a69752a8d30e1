//! Compute units of what moves a payment: authorize, capture, charge, void, reclaim, refund, close_hold.

use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    instruction::{self, Charge, HoldAccounts, Proof},
    message::{Capture, Intent, PaymentFlow},
};
use x402_escrow_tests::svm::{Chain, World, usdc};

use crate::samples::{Bench, Cases, authorize_by, work};

/// The fee of the cases with one, in base units: what intents allow at most of 1 USDC.
const FEE: u64 = 10_000;
const PART: u64 = 400_000;
const WHOLE: u64 = usdc(1);

/// Seconds until the refund deadline, where there is one.
const REFUNDS: i64 = 3_600;

pub(crate) fn measure(cases: &mut Cases) {
    authorize(cases);
    capture(cases);
    capture_by_signer(cases);
    charge(cases);
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
    let intent = worst_intent(&mut bench);
    bench.send_lamports(&bench.world.hold_address(&intent));
    let samples = vec![bench.run(bench.world.authorize(&intent))];
    cases.add(
        "authorize",
        "new period, window cleared, unlucky addresses, lamports at the hold's",
        work(1, 0, 1),
        samples,
    );
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
        let one_key = Intent { receiver_authorizer: bench.world.capture_authorizer, ..bench.intent() };
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

    let mut bench = Bench::with_periods();
    let fee_recipient = bench.unlucky_owner("fee recipient");
    let samples = bench.sample(|bench| {
        let intent = Intent { fee_recipient, ..bench.intent() };
        bench.run(bench.world.authorize(&intent));
        bench.run(bench.world.capture(&intent, PART / 2));
        let capture = Capture { fee: FEE / 4, ..bench.world.capture_message(&intent, PART) };
        capture_with_fee_and_release(&bench.world, &intent, &capture)
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
            bench.world.capture_by(&intent, &capture, Proof::Signer)
        });
        cases.add("capture", case, work(0, 1, 0), samples);
    }
}

fn charge(cases: &mut Cases) {
    let mut bench = Bench::new();
    let samples = bench.sample(|bench| {
        let intent = bench.intent_to_charge();
        bench.world.charge(&intent)
    });
    cases.add("charge", "whole", work(1, 1, 0), samples);

    let samples = bench.sample(|bench| {
        let intent = bench.intent_to_charge();
        let release = Some(Proof::Signature(bench.world.sign_release(&intent, PART)));
        bench.world.charge_as(&intent, &Charge { amount: PART, fee: 0, release, capture: None })
    });
    cases.add("charge", "part, two signatures", work(2, 1, 0), samples);

    let mut bench = Bench::with_periods();
    bench.held();
    bench.next_period();
    let fee_recipient = bench.unlucky_owner("fee recipient");
    let flow = PaymentFlow::Authorization;
    let intent = Intent { fee_recipient, flow, ..worst_intent(&mut bench) };
    let fee = FEE / 4;
    let release = Some(Proof::Signature(bench.world.sign_release(&intent, PART)));
    let message = Capture { intent_digest: intent.digest(), amount: PART, fee, last: true };
    let signature = bench.world.chain.sign(&intent.capture_authorizer, &message.signed_bytes());
    let capture = Some(Proof::Signature(signature));
    let charge = Charge { amount: PART, fee, release, capture };
    let samples = vec![bench.run(bench.world.charge_as(&intent, &charge))];
    let case = "three signatures, a fee, new period, window cleared, unlucky addresses";
    cases.add("charge", case, work(3, 2, 0), samples);
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
        bench.world.void_by(&intent, 0, Proof::Signer)
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
    let receiver = bench.world.receiver;
    let samples = bench.sample(|bench| {
        let intent = bench.intent();
        let refund_deadline = intent.capture_deadline + REFUNDS;
        let refundable = Intent { receiver, refund_deadline, ..intent };
        bench.run(bench.world.authorize(&refundable));
        bench.run(bench.world.capture(&refundable, WHOLE));
        bench.world.refund(&refundable, PART)
    });
    cases.add("refund", "part", work(0, 1, 0), samples);

    let intent = bench.intent();
    let refund_deadline = intent.capture_deadline + REFUNDS;
    let refundable = Intent { receiver, refund_deadline, ..intent };
    bench.run(bench.world.authorize(&refundable));
    bench.run(bench.world.capture(&refundable, WHOLE));
    bench.world.chain.set_time(refund_deadline + 1);
    let samples = vec![bench.run(bench.world.close_hold(&refundable))];
    cases.add("close_hold", "after the refund deadline", work(0, 0, 0), samples);

    let world = &bench.world;
    let source = world.token_account(&receiver);
    let refund =
        instruction::refund_charge(&[7; 32], &receiver, &source, &world.escrow, &world.escrow(), PART);
    let samples = vec![bench.run(refund)];
    cases.add("deposit", "a charge's refund", work(0, 1, 0), samples);
}

/// A payment whose addresses are costly to derive, and whose nonce clears most of the replay window.
fn worst_intent(bench: &mut Bench) -> Intent {
    let receiver = bench.unlucky_owner("unlucky receiver");
    let (nonce, authorize_by) = (bench.unlucky_nonce(), authorize_by(&bench.world));
    Intent { nonce, receiver, authorize_by, ..bench.intent() }
}

fn capture_with_fee_and_release(world: &World, intent: &Intent, capture: &Capture) -> Instruction {
    let accounts = HoldAccounts {
        escrow_address: intent.escrow,
        escrow: &world.escrow(),
        hold_address: world.hold_address(intent),
        hold: &world.hold(intent),
    };
    let proof = Proof::Signature(world.chain.sign(&intent.capture_authorizer, &capture.signed_bytes()));
    let release = world.sign_release(intent, capture.amount);
    instruction::capture_and_release(accounts, capture, proof, &release)
}

fn world_of_token_2022() -> World {
    let mut chain = Chain::new("the cluster");
    let mint = chain.create_extended_mint("USDC", &[], |_| Vec::new());
    World::of(chain, mint).and_escrow().and_session_of(World::limits())
}
