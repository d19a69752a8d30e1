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
    let reclaimed = event::Reclaimed {
        escrow: world.escrow,
        session: world.session,
        hold: world.hold_address(&intent),
        intent_digest: intent.digest(),
        captured: usdc(4),
        released: usdc(6),
        balance: usdc(96),
        held: 0,
    };
    assert_eq!(receipt.events, [Event::Reclaimed(reclaimed)]);
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
fn no_hold_outlives_what_it_holds_and_all_rent_comes_back_by_the_deadline() {
    let mut world = World::with_session();
    let before = world.chain.lamports(&world.relay);
    // Small holds with the longest promise of refunds: what an attacker would lock a relay's rent with.
    let refund_deadline = i64::MAX;
    let holds: [Intent; 12] = std::array::from_fn(|index| Intent {
        nonce: index as u64 + 1,
        amount: 100,
        refund_deadline,
        ..world.intent()
    });
    for intent in &holds {
        world.succeed(&[world.authorize(intent)]);
    }
    for intent in &holds[..4] {
        world.succeed(&[world.capture(intent, 100)]);
        assert!(!world.hold_exists(intent), "captured in full");
    }
    for intent in &holds[4..8] {
        world.succeed(&[world.capture(intent, 1)]);
        world.succeed(&[world.void(intent, 1)]);
        assert!(!world.hold_exists(intent), "captured in part and ended");
    }
    world.succeed(&[world.capture(&holds[8], 99)]);
    world.chain.set_time(World::CAPTURE_DEADLINE + 1);
    for intent in &holds[8..] {
        world.succeed(&[world.reclaim(intent)]);
        assert!(!world.hold_exists(intent), "reclaimed");
    }
    assert_eq!(world.chain.lamports(&world.relay), before);
    assert_eq!((world.escrow().held, world.session().open_holds), (0, 0));
}

#[test]
fn reclaim_works_in_a_revoked_and_expired_session() {
    let (mut world, intent) = World::with_hold();
    world.succeed(&[world.revoke_session()]);
    world.chain.set_time(World::limits().expires_at + 1);
    world.succeed(&[world.reclaim(&intent)]);
    assert_eq!(world.escrow().held, 0);
}
