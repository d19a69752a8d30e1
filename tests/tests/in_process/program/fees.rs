//! Fees on captures: a part of what the receiver is paid, bounded by the signature, by the intent and by what moves;
//! cumulative, rounded in the receiver's favour.

use x402_escrow_interface::{
    error::EscrowError,
    instruction::{Charge, Consent, SessionLimits},
    message::{Capture, Intent, PaymentFlow},
};
use x402_escrow_tests::svm::{World, usdc};

#[test]
fn fee_goes_to_the_recipient_and_the_rest_to_the_receiver() {
    let (mut world, intent) = World::with_hold();
    capture(&mut world, &intent, usdc(4), 40_000);
    assert_eq!(split(&world), (usdc(4) - 40_000, 40_000));
    let (hold, escrow) = (world.hold(&intent), world.escrow());
    assert_eq!((hold.captured, hold.fee), (usdc(4), 40_000));
    assert_eq!((escrow.balance, escrow.held), (usdc(96), usdc(6)));
}

#[test]
fn signed_fee_above_the_maximum_is_paid_up_to_the_maximum() {
    for signed in [40_001, usdc(4), u64::MAX] {
        let (mut world, intent) = World::with_hold();
        capture(&mut world, &intent, usdc(4), signed);
        assert_eq!(split(&world), (usdc(4) - 40_000, 40_000));
    }
}

#[test]
fn maximum_fee_is_rounded_down() {
    // 1 % of 199 base units are 1.99.
    let (mut world, intent) = World::with_hold();
    for (amount, paid) in [(99, (99, 0)), (199, (198, 1)), (299, (297, 2))] {
        capture(&mut world, &intent, amount, u64::MAX);
        assert_eq!(split(&world), paid);
    }
}

#[test]
fn fee_is_cumulative_and_may_fall_or_rise() {
    let (mut world, intent) = World::with_hold();
    for (amount, signed, fee) in [
        (usdc(4), 30_000, 30_000),
        // Less or no fee was signed for the sum: what was taken stays taken, and no more is.
        (usdc(5), 29_999, 30_000),
        (usdc(6), 0, 30_000),
        (usdc(7), 30_000, 30_000),
        (usdc(10), 100_000, 100_000),
    ] {
        capture(&mut world, &intent, amount, signed);
        assert_eq!(split(&world), (amount - fee, fee));
    }
    assert!(!world.hold_exists(&intent));
}

#[test]
fn fee_is_at_most_what_the_capture_pays() {
    let (mut world, intent) = World::with_hold();
    capture(&mut world, &intent, usdc(4), 0);
    // Within 1 % of the sum, and above the one base unit that moves.
    capture(&mut world, &intent, usdc(4) + 1, 40_000);
    assert_eq!(split(&world), (usdc(4), 1));
}

#[test]
fn capture_with_a_fee_relayed_first_spoils_no_higher_capture_without_one() {
    let (mut world, intent) = World::with_hold();
    capture(&mut world, &intent, 100, 1);
    capture(&mut world, &intent, usdc(10), 0);
    assert_eq!(split(&world), (usdc(10) - 1, 1));
    assert!(!world.hold_exists(&intent));
}

#[test]
fn capture_of_nearly_all_without_a_fee_spoils_no_higher_capture_with_one() {
    let (mut world, intent) = World::with_hold();
    let best = Capture { fee: 90_000, ..world.capture_message(&intent, usdc(9)) };
    let spoiler = usdc(9) - best.fee + 1;
    capture(&mut world, &intent, spoiler, 0);
    world.succeed(&[world.capture_as(&intent, &best)]);
    // The receiver's side has all that was promised; the fee takes what this capture still pays.
    assert_eq!(split(&world), (spoiler, best.fee - 1));
    assert_eq!(world.hold(&intent).captured, usdc(9));
}

#[test]
fn part_of_a_bound_takes_the_fee_of_that_part() {
    let (mut world, intent) = World::with_hold();
    let bound = Capture { fee: 100_000, ..world.capture_message(&intent, usdc(10)) };
    for (amount, fee) in [(usdc(4), 40_000), (usdc(5), 50_000), (usdc(10), 100_000)] {
        world.succeed(&[world.capture_part(&intent, amount, &bound)]);
        assert_eq!(split(&world), (amount - fee, fee));
    }
}

#[test]
fn intent_without_a_fee_pays_none_whatever_is_signed() {
    let mut world = World::with_session();
    let intent = Intent { maximum_fee_bps: 0, ..world.intent() };
    world.succeed(&[world.authorize(&intent)]);
    capture(&mut world, &intent, usdc(10), u64::MAX);
    assert_eq!(split(&world), (usdc(10), 0));
}

#[test]
fn fee_that_the_intent_does_not_allow_stops_no_capture_and_no_charge_of_a_receiver_without_fees() {
    let mut world = World::with_session();
    let receiver = world.receiver;
    let intent = Intent { fee_recipient: receiver, maximum_fee_bps: 0, ..world.intent() };
    world.succeed(&[world.authorize(&intent)]);
    let capture = Capture { fee: 1, ..world.capture_message(&intent, usdc(4)) };
    world.succeed(&[world.capture_as(&intent, &capture)]);
    assert_eq!((world.tokens(&receiver), world.hold(&intent).fee), (usdc(4), 0));

    let intent = Intent { nonce: 2, flow: PaymentFlow::Authorization, ..intent };
    let capture = Capture { fee: 1, ..world.capture_message(&intent, intent.amount) };
    let capture = Some(world.charge_capture(&intent, &capture));
    world.succeed(&[world.charge_as(&intent, &Charge { amount: intent.amount, capture, release: None })]);
    assert_eq!(world.tokens(&receiver), usdc(4) + intent.amount);
}

#[test]
fn fee_of_the_whole_amount_leaves_the_receiver_nothing() {
    let mut world = World::with_session();
    let intent = Intent { maximum_fee_bps: 10_000, ..world.intent() };
    world.succeed(&[world.authorize(&intent)]);
    capture(&mut world, &intent, usdc(10), usdc(10));
    assert_eq!(split(&world), (0, usdc(10)));
}

#[test]
fn fee_on_the_largest_amounts_is_exact() {
    let mut world = World::new();
    let (payer, mint, rest) = (world.payer, world.mint, u64::MAX - usdc(1_100));
    world.chain.fund(&payer, &mint, rest);
    world.succeed(&world.open_escrow());
    let all = world.tokens(&payer);
    let limits = SessionLimits { maximum_payment: u64::MAX, maximum_total: u64::MAX, ..World::limits() };
    world.succeed(&[world.deposit(all), world.open_session(&limits)]);
    let intent = Intent { amount: all, maximum_fee_bps: 9_999, ..world.intent() };
    world.succeed(&[world.authorize(&intent)]);
    let most = u64::try_from(u128::from(all) * 9_999 / 10_000).expect("less than all");
    capture(&mut world, &intent, all, most + 1);
    assert_eq!(split(&world), (all - most, most));
}

#[test]
fn fee_to_another_account_than_the_recipients_refused() {
    let (mut world, intent) = World::with_hold();
    let message = Capture { fee: 10, ..world.capture_message(&intent, usdc(4)) };
    let good = world.capture_as(&intent, &message);
    let strangers = world.token_account(&world.stranger);
    world.refuse_without_last_account(&good, &[strangers], EscrowError::WrongFeeTokenAccount);
    world.succeed(&[good]);
}

#[test]
fn remaining_accounts_are_found_by_their_address_in_any_order() {
    let (mut world, intent) = World::with_hold();
    let message = Capture { fee: 10, ..world.capture_message(&intent, usdc(4)) };
    let mut turned = world.capture_by(&intent, &message, Consent::Signer);
    turned.accounts[8..].reverse();
    world.succeed(&[turned]);
    assert_eq!(split(&world), (usdc(4) - 10, 10));
}

/// Captures up to `amount` with a cumulative fee, by the capture authorizer's signature.
#[track_caller]
fn capture(world: &mut World, intent: &Intent, amount: u64, fee: u64) {
    let message = Capture { fee, ..world.capture_message(intent, amount) };
    world.succeed(&[world.capture_as(intent, &message)]);
}

/// What receiver and fee recipient have.
fn split(world: &World) -> (u64, u64) {
    (world.tokens(&world.receiver), world.tokens(&world.fee_recipient))
}
