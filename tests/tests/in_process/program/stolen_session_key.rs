//! What a thief takes that has a session key: what the session's limits leave, and of a session of one receiver nothing.

use x402_escrow_interface::{
    Address,
    error::EscrowError,
    instruction::{Charge, SessionLimits},
    message::{Capture, Intent, MAXIMUM_CAPTURE_SECONDS, PaymentFlow},
    receivers::ReceiverList,
};
use x402_escrow_tests::svm::{START, World, usdc};

use super::thief::{BEFORE, Scene, Tokens};

#[test]
fn stolen_session_key_takes_what_its_limits_leave_until_it_is_revoked() {
    let mut scene = Scene::new();
    scene.refuses_the_rest(&[scene.world.agent]);

    let above = scene.to_thief(usdc(20) + 1, 3);
    scene.world.refuse(scene.world.charge(&above), EscrowError::PaymentLimitExceeded);
    scene.world.succeed(&[scene.world.charge(&scene.to_thief(usdc(20), 3))]);
    // It can use up the session's total, but not its nonces.
    let far = scene.to_thief(1, u64::MAX);
    scene.world.refuse(scene.world.charge(&far), EscrowError::NonceTooFarAhead);
    let held = Intent { flow: PaymentFlow::Escrow, ..scene.to_thief(usdc(15), 1_000) };
    let above = Intent { amount: usdc(15) + 1, ..held };
    scene.world.refuse(scene.world.authorize(&above), EscrowError::TotalLimitExceeded);
    let agents = Intent { amount: usdc(15), nonce: 4, ..scene.world.intent() };
    scene.world.succeed(&[scene.world.authorize(&held)]);
    scene
        .world
        .refuse(scene.world.authorize(&Intent { amount: 1, ..agents }), EscrowError::TotalLimitExceeded);
    scene.world.succeed(&[scene.world.update_session(&World::limits())]);
    scene.world.succeed(&[scene.world.authorize(&agents)]);
    scene.world.succeed(&[scene.world.void(&agents, 0)]);

    scene.world.succeed(&[scene.world.revoke_session()]);
    let signed_before = scene.to_thief(1, 1_001);
    scene.world.refuse(scene.world.charge(&signed_before), EscrowError::SessionRevoked);
    // What it held before is its own, if it captures in time.
    scene.world.succeed(&[scene.world.capture(&held, usdc(15))]);
    let taken = Tokens { escrow: usdc(96 - 35), thief: BEFORE.thief + usdc(35), ..BEFORE };
    assert_eq!(scene.tokens(), taken);

    // The payer gets out what is not promised.
    scene.world.succeed(&[scene.world.withdraw(None)]);
    assert_eq!(scene.tokens(), Tokens { payer: usdc(950), escrow: usdc(11), ..taken });
}

#[test]
fn stolen_session_key_of_one_receiver_takes_nothing() {
    let mut world = World::new();
    world.succeed(&world.open_escrow());
    let limits = only(world.receiver);
    world.succeed(&[world.deposit(usdc(100)), world.open_session(&limits)]);
    let thief = world.stranger;
    let to_thief = Intent { receiver: thief, maximum_fee_bps: 0, ..world.intent() };
    world.refuse(world.authorize(&to_thief), EscrowError::ReceiverNotListed);
    let charged = Intent { flow: PaymentFlow::Authorization, ..to_thief };
    world.refuse(world.charge(&charged), EscrowError::ReceiverNotListed);
    assert_eq!((world.tokens(&thief), world.tokens(&world.escrow)), (usdc(100), usdc(100)));
}

#[test]
fn stolen_session_key_of_one_receiver_takes_nothing_as_a_fee_either() {
    let mut world = World::new();
    world.succeed(&world.open_escrow());
    let limits = only(world.receiver);
    world.succeed(&[world.deposit(usdc(100)), world.open_session(&limits)]);
    let thief = world.stranger;
    let charged = Intent { flow: PaymentFlow::Authorization, ..world.intent() };
    // It is the intent, and so the session key, that names fee recipient and capture authorizer.
    let as_fee = Intent {
        receiver: world.receiver,
        capture_authorizer: thief,
        fee_recipient: thief,
        maximum_fee_bps: 10_000,
        ..charged
    };
    let capture = Capture { intent_digest: as_fee.digest(), amount: usdc(10), fee: usdc(10), last: false };
    let capture = Some(world.charge_capture(&as_fee, &capture));
    let charge = Charge { amount: usdc(10), capture, release: None };
    world.refuse(world.charge_as(&as_fee, &charge), EscrowError::FeeNotAllowed);
    let as_fee = Intent { flow: PaymentFlow::Escrow, ..as_fee };
    world.refuse(world.authorize(&as_fee), EscrowError::FeeNotAllowed);
    assert_eq!((world.tokens(&thief), world.tokens(&world.escrow)), (usdc(100), usdc(100)));
}

#[test]
fn stolen_session_key_of_one_receiver_holds_money_for_the_longest_hold_and_no_longer() {
    let mut world = World::new();
    world.succeed(&world.open_escrow());
    let limits = only(world.receiver);
    world.succeed(&[world.deposit(usdc(100)), world.open_session(&limits)]);
    let thief = world.stranger;
    let locked = Intent {
        receiver: world.receiver,
        capture_authorizer: thief,
        receiver_authorizer: thief,
        amount: usdc(25),
        capture_deadline: START + MAXIMUM_CAPTURE_SECONDS,
        maximum_fee_bps: 0,
        ..world.intent()
    };
    let for_ever = Intent { capture_deadline: i64::MAX, ..locked };
    world.refuse(world.authorize(&for_ever), EscrowError::CaptureDeadlineTooFar);
    world.succeed(&[world.authorize(&locked)]);
    world.succeed(&[world.revoke_session(), world.withdraw(None)]);
    assert_eq!(world.tokens(&world.escrow), usdc(25));
    world.chain.set_time(locked.capture_deadline);
    world.refuse(world.reclaim(&locked), EscrowError::CaptureDeadlineNotPassed);
    world.chain.set_time(locked.capture_deadline + 1);
    world.succeed(&[world.reclaim(&locked), world.withdraw(None)]);
    assert_eq!((world.tokens(&world.payer), world.tokens(&world.escrow)), (usdc(1_000), 0));
}

/// A session that may pay this receiver only.
fn only(receiver: Address) -> SessionLimits {
    let list = ReceiverList::new(vec![receiver]).unwrap();
    SessionLimits { receivers_root: list.root(), ..World::limits() }
}
