//! A last capture: one key, which is both authorizers, consents to an amount and to ending there.

use x402_escrow_interface::{
    error::EscrowError,
    event::{Captured, Event},
    instruction::Consent,
    message::{Capture, Intent},
};
use x402_escrow_tests::svm::{World, usdc};

#[test]
fn last_capture_pays_its_bound_and_releases_the_rest() {
    let (mut world, intent) = held_with_one_authorizer();
    let receipt = world.succeed(&[world.capture_as(&intent, &last(&world, &intent, usdc(4)))]);
    let escrow = world.escrow();
    assert_eq!((escrow.balance, escrow.held), (usdc(96), 0));
    assert_eq!(world.session().spent, usdc(4));
    assert!(!world.hold_exists(&intent));
    let captured = Captured {
        escrow: world.escrow,
        session: world.session,
        hold: world.hold_address(&intent),
        receiver: world.receiver,
        intent_digest: intent.digest(),
        amount: usdc(4),
        fee: 0,
        captured: usdc(4),
        released: usdc(6),
        left: 0,
        balance: usdc(96),
        held: 0,
    };
    assert_eq!(receipt.events, [Event::Captured(captured)]);
}

#[test]
fn last_capture_of_everything_or_of_nothing_more_ends_the_hold() {
    for (first, amount) in [(0, usdc(10)), (usdc(4), usdc(4)), (0, 0)] {
        let (mut world, intent) = held_with_one_authorizer();
        world.succeed(&[world.capture(&intent, first)]);
        world.succeed(&[world.capture_as(&intent, &last(&world, &intent, amount))]);
        assert!(!world.hold_exists(&intent));
        assert_eq!((world.tokens(&world.receiver), world.escrow().held), (amount, 0));
    }
}

#[test]
fn last_capture_is_paid_in_full_or_not_at_all() {
    let (mut world, intent) = held_with_one_authorizer();
    let message = last(&world, &intent, usdc(4));
    for less in [0, 1, usdc(4) - 1] {
        for consent in [world.sign_capture(&intent, &message), Consent::Signer] {
            let part = world.capture_part_by(&intent, less, &message, consent);
            world.refuse(part, EscrowError::LastCaptureNotInFull);
        }
    }
    let more = world.capture_part(&intent, usdc(4) + 1, &message);
    world.refuse(more, EscrowError::CaptureAboveBound);
    world.succeed(&[world.capture_as(&intent, &message)]);
    assert_eq!(world.tokens(&world.receiver), usdc(4));
}

#[test]
fn last_capture_below_what_is_captured_ends_the_payment_there() {
    let (mut world, intent) = held_with_one_authorizer();
    world.succeed(&[world.capture(&intent, usdc(7))]);
    world.succeed(&[world.capture_as(&intent, &last(&world, &intent, usdc(4)))]);
    assert!(!world.hold_exists(&intent));
    assert_eq!((world.tokens(&world.receiver), world.escrow().balance), (usdc(7), usdc(93)));
}

#[test]
fn last_capture_above_where_the_payment_ends_pays_up_to_there() {
    for bound in [usdc(7), usdc(10), usdc(10) + 1, u64::MAX] {
        let (mut world, intent) = held_with_one_authorizer();
        world.succeed(&[world.void(&intent, usdc(6))]);
        world.succeed(&[world.capture_as(&intent, &last(&world, &intent, bound))]);
        assert!(!world.hold_exists(&intent));
        assert_eq!((world.tokens(&world.receiver), world.escrow().balance), (usdc(6), usdc(94)));
    }
}

#[test]
fn last_capture_by_a_signer_names_the_payment() {
    let (mut world, intent) = held_with_one_authorizer();
    world.succeed(&[world.capture_by(&intent, &last(&world, &intent, usdc(4)), Consent::Signer)]);
    assert_eq!((world.tokens(&world.receiver), world.escrow().held), (usdc(4), 0));
}

#[test]
fn last_capture_that_moves_nothing_ends_the_hold_after_the_capture_deadline_too() {
    let (mut world, intent) = held_with_one_authorizer();
    world.succeed(&[world.capture(&intent, usdc(4))]);
    world.chain.set_time(World::CAPTURE_DEADLINE + 1);
    let more = world.capture_as(&intent, &last(&world, &intent, usdc(5)));
    world.refuse(more, EscrowError::CaptureDeadlinePassed);
    world.succeed(&[world.capture_as(&intent, &last(&world, &intent, usdc(4)))]);
    assert!(!world.hold_exists(&intent));
}

#[test]
fn last_capture_refused_where_another_key_lets_money_go_back() {
    let (mut world, intent) = World::with_hold();
    for amount in [usdc(4), usdc(10)] {
        let message = last(&world, &intent, amount);
        world.refuse(world.capture_as(&intent, &message), EscrowError::LastCaptureNotAllowed);
        let as_signer = world.capture_by(&intent, &message, Consent::Signer);
        world.refuse(as_signer, EscrowError::LastCaptureNotAllowed);
    }
}

#[test]
fn signature_under_a_capture_that_is_not_the_last_ends_nothing() {
    let (mut world, intent) = held_with_one_authorizer();
    let open = world.capture_message(&intent, usdc(4));
    let signature = world.sign_capture(&intent, &open);
    let made_last = world.capture_by(&intent, &Capture { last: true, ..open }, signature);
    world.refuse(made_last, EscrowError::InvalidSignature);
    // Nor can a last one be used to leave the rest held.
    let signature = world.sign_capture(&intent, &Capture { last: true, ..open });
    world.refuse(world.capture_by(&intent, &open, signature), EscrowError::InvalidSignature);
}

/// A hold of 10 USDC whose capture authorizer is its receiver authorizer too.
fn held_with_one_authorizer() -> (World, Intent) {
    let mut world = World::with_session();
    let intent = Intent { receiver_authorizer: world.capture_authorizer, ..world.intent() };
    world.succeed(&[world.authorize(&intent)]);
    (world, intent)
}

fn last(world: &World, intent: &Intent, amount: u64) -> Capture {
    Capture { last: true, ..world.capture_message(intent, amount) }
}
