use x402_escrow_interface::{
    error::EscrowError,
    event::{self, Event},
    message::Intent,
};
use x402_escrow_tests::svm::{HOLD_BYTES, World, usdc};

const REFUND_DEADLINE: i64 = World::CAPTURE_DEADLINE + 60;

#[test]
fn hold_closes_once_refunds_are_over_and_the_rent_goes_back() {
    let (mut world, intent) = captured();
    world.chain.set_time(REFUND_DEADLINE);
    world.refuse(world.close_hold(&intent), EscrowError::HoldNotFinished);
    world.chain.set_time(REFUND_DEADLINE + 1);
    let before = world.chain.lamports(&world.relay);
    // Nobody but the fee payer signs: a stranger can do it.
    let receipt = world.succeed(&[world.close_hold(&intent)]);
    assert!(!world.hold_exists(&intent));
    assert_eq!(world.chain.lamports(&world.relay), before + world.chain.rent(HOLD_BYTES));
    assert_eq!((world.session().open_holds, world.session().spent), (0, usdc(10)));
    let closed = event::HoldClosed { session: world.session, intent_digest: intent.digest() };
    assert_eq!(receipt.events, [Event::HoldClosed(closed)]);
}

#[test]
fn fully_refunded_hold_closes_before_the_refund_deadline() {
    let (mut world, intent) = captured();
    world.succeed(&[world.refund(&intent, usdc(10) - 1)]);
    world.refuse(world.close_hold(&intent), EscrowError::HoldNotFinished);
    world.succeed(&[world.refund(&intent, 1), world.close_hold(&intent)]);
    assert!(!world.hold_exists(&intent));
    assert_eq!((world.escrow().balance, world.escrow().held), (World::DEPOSIT, 0));
}

#[test]
fn hold_that_still_holds_refused_even_after_all_deadlines() {
    let (mut world, intent) = World::with_hold();
    world.refuse(world.close_hold(&intent), EscrowError::HoldNotFinished);
    world.chain.set_time(World::CAPTURE_DEADLINE + 1_000);
    world.refuse(world.close_hold(&intent), EscrowError::HoldNotFinished);
    world.succeed(&[world.reclaim(&intent)]);
}

/// A hold of 10 USDC with refunds, wholly captured.
fn captured() -> (World, Intent) {
    let mut world = World::with_session();
    let intent = Intent { refund_deadline: REFUND_DEADLINE, ..world.intent() };
    world.succeed(&[world.authorize(&intent)]);
    world.succeed(&[world.capture(&intent, usdc(10))]);
    (world, intent)
}
