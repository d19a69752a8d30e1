//! A hold as a payment channel: its capture authorizer is the payer's session key, and each signed capture is a voucher
//! for all that was served so far. Only the merchant can let the rest go back early.

use x402_escrow_interface::{
    error::EscrowError,
    instruction::{Consent, Signature},
    message::{Capture, Intent, Release},
};
use x402_escrow_tests::svm::{World, usdc};

#[test]
fn last_of_many_vouchers_pays_for_all_of_them_in_one_transaction() {
    let (mut world, intent) = channel();
    let vouchers: Vec<_> = (1..=1_000).map(|request| voucher(&world, &intent, request * 7_000)).collect();
    let (last, signature) = vouchers[999];
    world.succeed(&[world.capture_by(&intent, &last, Consent::Signature(signature))]);
    assert_eq!(world.tokens(&world.receiver), usdc(7));
    // The older ones are worth nothing more.
    for (older, signature) in [vouchers[0], vouchers[998], vouchers[999]] {
        world.succeed(&[world.capture_by(&intent, &older, Consent::Signature(signature))]);
        assert_eq!(world.tokens(&world.receiver), usdc(7));
    }
}

#[test]
fn payer_can_not_spoil_its_best_voucher_by_a_capture_with_a_fee() {
    let (mut world, intent) = channel();
    let (best, signature) = voucher(&world, &intent, usdc(10));
    let spoiler = Capture { fee: 1, ..world.capture_message(&intent, 100) };
    world.succeed(&[world.capture_as(&intent, &spoiler)]);
    world.succeed(&[world.capture_by(&intent, &best, Consent::Signature(signature))]);
    assert_eq!(world.tokens(&world.receiver), usdc(10) - 1);
}

#[test]
fn payer_can_not_spoil_its_best_voucher_by_a_capture_without_the_fee() {
    let (mut world, intent) = channel();
    let best = Capture { fee: 100_000, ..world.capture_message(&intent, usdc(10)) };
    let voucher = world.sign_capture(&intent, &best);
    world.succeed(&[world.capture(&intent, usdc(10) - best.fee + 1)]);
    world.succeed(&[world.capture_by(&intent, &best, voucher)]);
    assert!(!world.hold_exists(&intent), "all of it is paid");
    assert_eq!(world.tokens(&world.receiver) + world.tokens(&world.fee_recipient), usdc(10));
}

#[test]
fn ceilings_meter_a_price_that_is_known_only_after_the_work() {
    let (mut world, intent) = channel();
    // Each voucher allows the ceiling of 2 on top of what was reported; the merchant reports what it took.
    let mut reported = 0;
    let mut last = None;
    for taken in [usdc(1), usdc(2), 0, usdc(1) / 2] {
        last = Some(voucher(&world, &intent, reported + usdc(2)));
        reported += taken;
    }
    let (bound, _) = last.unwrap();
    assert!(bound.amount > reported);
    world.succeed(&[world.capture_part_and_release(&intent, reported, &bound)]);
    assert!(!world.hold_exists(&intent));
    assert_eq!(world.tokens(&world.receiver), reported);
    assert_eq!(world.escrow().balance, World::DEPOSIT - reported);
}

#[test]
fn merchant_settles_now_and_then_while_the_stream_goes_on() {
    let (mut world, intent) = channel();
    for settled in [usdc(1), usdc(3), usdc(10)] {
        let (voucher, signature) = voucher(&world, &intent, settled);
        world.succeed(&[world.capture_by(&intent, &voucher, Consent::Signature(signature))]);
        assert_eq!(world.tokens(&world.receiver), settled);
    }
    assert!(!world.hold_exists(&intent), "the hold is used up");
}

#[test]
fn merchant_ends_the_stream_at_the_last_voucher_and_the_rest_is_free_at_once() {
    let (mut world, intent) = channel();
    world.succeed(&[world.capture_and_release(&intent, usdc(2))]);
    let escrow = world.escrow();
    assert_eq!(world.tokens(&world.receiver), usdc(2));
    assert_eq!((escrow.balance, escrow.held), (World::DEPOSIT - usdc(2), 0));
    assert!(!world.hold_exists(&intent));
}

#[test]
fn payer_can_not_release_the_hold_below_what_it_has_signed() {
    let (mut world, intent) = channel();
    let release = Release { intent_digest: intent.digest(), amount: 0 };
    let signature = world.chain.sign(&world.agent, &release.signed_bytes());
    world.refuse(world.void_by(&intent, 0, Consent::Signature(signature)), EscrowError::InvalidSignature);
    let last = Capture { last: true, ..world.capture_message(&intent, 1) };
    world.refuse(world.capture_as(&intent, &last), EscrowError::LastCaptureNotAllowed);
    world.refuse(world.reclaim(&intent), EscrowError::CaptureDeadlineNotPassed);
}

#[test]
fn vouchers_outlive_the_session() {
    let (mut world, intent) = channel();
    let (voucher, signature) = voucher(&world, &intent, usdc(4));
    world.succeed(&[world.revoke_session()]);
    world.refuse(world.close_session(), EscrowError::SessionHasHolds);
    world.succeed(&[world.capture_by(&intent, &voucher, Consent::Signature(signature))]);
    assert_eq!(world.tokens(&world.receiver), usdc(4));
}

#[test]
fn voucher_for_another_hold_or_by_the_merchant_is_refused() {
    let (mut world, intent) = channel();
    let other = Intent { nonce: 2, ..intent };
    world.succeed(&[world.authorize(&other)]);
    let (for_other, signature) = voucher(&world, &other, usdc(1));
    let elsewhere = Capture { intent_digest: intent.digest(), ..for_other };
    world.refuse(
        world.capture_by(&intent, &elsewhere, Consent::Signature(signature)),
        EscrowError::InvalidSignature,
    );
    let by_merchant = world.chain.sign(&world.receiver_authorizer, &elsewhere.signed_bytes());
    world.refuse(
        world.capture_by(&intent, &elsewhere, Consent::Signature(by_merchant)),
        EscrowError::InvalidSignature,
    );
}

#[test]
fn voucher_after_the_deadline_is_worth_nothing_and_the_payer_has_the_rest_back() {
    let (mut world, intent) = channel();
    let (first, signature) = voucher(&world, &intent, usdc(1));
    world.succeed(&[world.capture_by(&intent, &first, Consent::Signature(signature))]);
    let (late, signature) = voucher(&world, &intent, usdc(9));
    world.chain.set_time(World::CAPTURE_DEADLINE + 1);
    world.refuse(
        world.capture_by(&intent, &late, Consent::Signature(signature)),
        EscrowError::CaptureDeadlinePassed,
    );
    world.succeed(&[world.reclaim(&intent)]);
    let escrow = world.escrow();
    assert_eq!((escrow.balance, escrow.held), (World::DEPOSIT - usdc(1), 0));
}

/// A hold of 10 USDC that the agent's session key steps through.
fn channel() -> (World, Intent) {
    let mut world = World::with_session();
    let intent = Intent { capture_authorizer: world.agent, ..world.intent() };
    world.succeed(&[world.authorize(&intent)]);
    (world, intent)
}

/// The agent's signature under `amount` in all.
fn voucher(world: &World, intent: &Intent, amount: u64) -> (Capture, Signature) {
    let capture = world.capture_message(intent, amount);
    (capture, world.chain.sign(&world.agent, &capture.signed_bytes()))
}
