//! What is already true is no error: whoever relays second finds the work done and reports success, and fails no
//! transaction that carries others.

use x402_escrow_interface::{
    account::{Escrow, Hold, Session},
    error::EscrowError,
    instruction::{self, Consent},
    message::Intent,
};
use x402_escrow_tests::svm::{HOLD_BYTES, World, usdc};

#[test]
fn second_authorize_succeeds_changes_nothing_and_keeps_the_first_rent_payer() {
    let mut world = World::with_session();
    let intent = world.intent();
    let signature = world.sign_intent(&intent);
    let by = |rent_payer| instruction::authorize(&rent_payer, &intent, &signature, &[]);
    let (first, second) = (by(world.stranger), by(world.relay));
    world.succeed(&[first]);
    let (before, relay) = (stored(&world, &intent), world.chain.lamports(&world.relay));
    let receipt = world.succeed(&[second]);
    assert_eq!((stored(&world, &intent), receipt.events), (before, Vec::new()));
    assert_eq!(world.hold(&intent).rent_payer, world.stranger);
    assert_eq!(world.chain.lamports(&world.relay), relay);

    let stranger = world.chain.lamports(&world.stranger);
    world.succeed(&[world.void(&intent, 0)]);
    assert_eq!(world.chain.lamports(&world.stranger), stranger + world.chain.rent(HOLD_BYTES));
}

#[test]
fn authorize_of_a_hold_that_is_there_succeeds_after_its_time_and_in_a_revoked_session() {
    let (mut world, intent) = World::with_hold();
    world.succeed(&[world.capture(&intent, usdc(4)), world.revoke_session()]);
    world.chain.set_time(World::AUTHORIZE_BY + 1);
    let before = stored(&world, &intent);
    let receipt = world.succeed(&[world.authorize(&intent)]);
    assert_eq!((stored(&world, &intent), receipt.events), (before, Vec::new()));
}

#[test]
fn one_intent_twice_in_one_transaction_holds_once() {
    let mut world = World::with_session();
    let intent = world.intent();
    let receipt = world.succeed(&[world.authorize(&intent), world.authorize(&intent)]);
    assert_eq!((receipt.events.len(), world.escrow().held, world.session().open_holds), (1, usdc(10), 1));
}

#[test]
fn another_intent_for_the_nonce_of_a_hold_refused() {
    let (mut world, intent) = World::with_hold();
    for other in [
        Intent { amount: 1, ..intent },
        Intent { receiver: world.stranger, ..intent },
        Intent { refund_deadline: 1, ..intent },
    ] {
        world.refuse(world.authorize(&other), EscrowError::NonceUsed);
    }
}

#[test]
fn second_equal_capture_succeeds_and_changes_nothing() {
    let (mut world, intent) = World::with_hold();
    let message = world.capture_message(&intent, usdc(4));
    let again = [world.capture(&intent, usdc(4)), world.capture_by(&intent, &message, Consent::Signer)];
    world.succeed(&[world.capture(&intent, usdc(4))]);
    let before = stored(&world, &intent);
    for capture in again {
        let receipt = world.succeed(&[capture]);
        assert_eq!((stored(&world, &intent), receipt.events), (before, Vec::new()));
    }
    // After the deadline too: nothing moves.
    world.chain.set_time(World::CAPTURE_DEADLINE + 1);
    world.succeed(&[world.capture(&intent, usdc(4))]);
    assert_eq!(world.tokens(&world.receiver), usdc(4));
}

#[test]
fn work_that_is_done_fails_no_transaction_that_carries_others() {
    let mut world = World::with_session();
    let [first, second] = [1, 2].map(|nonce| Intent { nonce, ..world.intent() });
    world.succeed(&[world.authorize(&first), world.authorize(&second)]);
    // Somebody else relayed some of it before.
    world.succeed(&[world.capture(&first, usdc(4)), world.void(&second, usdc(7))]);
    let receipt = world.succeed(&[
        world.authorize(&first),
        world.capture(&first, usdc(4)),
        world.void(&second, usdc(7)),
        world.sync(),
        world.capture(&second, usdc(1)),
    ]);
    assert_eq!(receipt.events.len(), 1, "{:?}", receipt.events);
    assert_eq!(world.escrow().held, usdc(6 + 6));
    assert_eq!(world.tokens(&world.receiver), usdc(5));
}

/// Everything that a payment changes.
fn stored(world: &World, intent: &Intent) -> (Escrow, Session, Hold) {
    (world.escrow(), world.session(), world.hold(intent))
}
