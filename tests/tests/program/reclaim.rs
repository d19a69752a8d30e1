use x402_escrow_interface::{
    error::EscrowError,
    event::{self, Event},
    message::Intent,
};
use x402_escrow_tests::svm::{HOLD_BYTES, World, usdc};

#[test]
fn reclaim_gives_back_what_was_not_captured() {
    let (mut world, intent) = World::with_hold();
    world.succeed(&[world.capture(&intent, usdc(4))]);
    world.chain.set_time(World::CAPTURE_DEADLINE + 1);
    let before = world.chain.lamports(&world.relay);
    // Nobody but the fee payer signs: a stranger can do it.
    let receipt = world.succeed(&[world.reclaim(&intent)]);
    let (escrow, session) = (world.escrow(), world.session());
    assert_eq!((escrow.balance, escrow.held), (usdc(96), 0));
    assert_eq!((session.spent, session.open_holds), (usdc(4), 0));
    assert_eq!(world.chain.lamports(&world.relay), before + world.chain.rent(HOLD_BYTES));
    let (escrow, intent_digest) = (world.escrow, intent.digest());
    let reclaimed = event::Reclaimed { escrow, intent_digest, released: usdc(6) };
    let closed = event::HoldClosed { session: world.session, intent_digest };
    assert_eq!(receipt.events, [Event::Reclaimed(reclaimed), Event::HoldClosed(closed)]);
}

#[test]
fn reclaim_in_the_last_second_of_captures_refused_and_a_second_later_accepted() {
    let (mut world, intent) = World::with_hold();
    world.refuse(world.reclaim(&intent), EscrowError::CaptureDeadlineNotPassed);
    world.chain.set_time(World::CAPTURE_DEADLINE);
    world.refuse(world.reclaim(&intent), EscrowError::CaptureDeadlineNotPassed);
    world.chain.set_time(World::CAPTURE_DEADLINE + 1);
    world.succeed(&[world.reclaim(&intent)]);
}

#[test]
fn hold_with_refunds_stays_after_reclaim_until_they_are_over() {
    let mut world = World::with_session();
    let refund_deadline = World::CAPTURE_DEADLINE + 60;
    let intent = Intent { refund_deadline, ..world.intent() };
    world.succeed(&[world.authorize(&intent)]);
    world.succeed(&[world.capture(&intent, usdc(4))]);
    world.chain.set_time(World::CAPTURE_DEADLINE + 1);
    world.succeed(&[world.reclaim(&intent)]);
    assert_eq!(world.hold(&intent).amount, usdc(4));
    world.refuse(world.reclaim(&intent), EscrowError::NothingToRelease);
    world.chain.set_time(refund_deadline + 1);
    world.succeed(&[world.close_hold(&intent)]);
}

#[test]
fn uncaptured_hold_with_refunds_closes_at_once() {
    let mut world = World::with_session();
    let intent = Intent { refund_deadline: World::CAPTURE_DEADLINE + 60, ..world.intent() };
    world.succeed(&[world.authorize(&intent)]);
    world.chain.set_time(World::CAPTURE_DEADLINE + 1);
    world.succeed(&[world.reclaim(&intent)]);
    assert!(!world.hold_exists(&intent));
}

#[test]
fn reclaim_works_in_a_revoked_and_expired_session() {
    let (mut world, intent) = World::with_hold();
    world.succeed(&[world.revoke_session()]);
    world.chain.set_time(World::limits().expires_at + 1);
    world.succeed(&[world.reclaim(&intent)]);
    assert_eq!(world.escrow().held, 0);
}
