//! What a thief takes that has a session key: what the session's limits leave, and of a session of one receiver nothing.

use x402_escrow_interface::{
    error::EscrowError,
    instruction::{Charge, Proof, SessionLimits},
    message::{Capture, Intent, MAXIMUM_CAPTURE_SECONDS, PaymentFlow},
};
use x402_escrow_tests::svm::{START, World, usdc};

use super::thief::{BEFORE, Scene, Tokens};

/// When a withdrawal that was requested at the start can leave.
const DUE: i64 = START + World::WITHDRAW_DELAY_SECONDS as i64;

#[test]
fn stolen_session_key_takes_what_its_limits_leave_until_it_is_revoked() {
    let mut scene = Scene::new();
    scene.refuses_the_rest(&[scene.world.agent]);

    let above = scene.to_thief(usdc(20) + 1, 3);
    scene.world.refuse(scene.world.charge(&above), EscrowError::PaymentLimitExceeded);
    scene.world.succeed(&[scene.world.charge(&scene.to_thief(usdc(20), 3))]);
    // It can also make the session useless to the agent.
    let held = Intent { flow: PaymentFlow::Escrow, ..scene.to_thief(usdc(15), u64::MAX) };
    let above = Intent { amount: usdc(15) + 1, ..held };
    scene.world.refuse(scene.world.authorize(&above), EscrowError::TotalLimitExceeded);
    let agents = Intent { amount: usdc(15), nonce: 4, ..scene.world.intent() };
    scene.world.succeed(&[scene.world.authorize(&held)]);
    scene
        .world
        .refuse(scene.world.authorize(&Intent { amount: 1, ..agents }), EscrowError::TotalLimitExceeded);
    scene.world.succeed(&[scene.world.update_session(&World::limits())]);
    scene.world.refuse(scene.world.authorize(&agents), EscrowError::NonceTooOld);

    scene.world.succeed(&[scene.world.revoke_session()]);
    let signed_before = scene.to_thief(1, u64::MAX - 1);
    scene.world.refuse(scene.world.charge(&signed_before), EscrowError::SessionRevoked);
    // What it held before is its own, if it captures in time.
    scene.world.succeed(&[scene.world.capture(&held, usdc(15))]);
    let taken = Tokens { escrow: usdc(96 - 35), thief: BEFORE.thief + usdc(35), ..BEFORE };
    assert_eq!(scene.tokens(), taken);

    // The payer gets out what is not promised.
    scene.world.succeed(&[scene.world.request_withdrawal(usdc(61))]);
    scene.world.chain.set_time(DUE);
    scene.world.succeed(&[scene.world.withdraw()]);
    assert_eq!(scene.tokens(), Tokens { payer: usdc(950), escrow: usdc(11), ..taken });
}

#[test]
fn stolen_session_key_of_one_receiver_takes_nothing() {
    let mut world = World::new();
    world.succeed(&world.open_escrow(0));
    let limits = SessionLimits { receiver: world.receiver, ..World::limits() };
    world.succeed(&[world.deposit(usdc(100)), world.open_session(&limits)]);
    let thief = world.stranger;
    let to_thief = Intent { receiver: thief, ..world.intent() };
    world.refuse(world.authorize(&to_thief), EscrowError::ReceiverNotAllowed);
    let charged = Intent { flow: PaymentFlow::Authorization, ..to_thief };
    world.refuse(world.charge(&charged), EscrowError::ReceiverNotAllowed);

    assert_eq!((world.tokens(&thief), world.tokens(&world.escrow)), (usdc(100), usdc(100)));
}

#[test]
fn stolen_session_key_of_one_receiver_takes_nothing_as_a_fee_either() {
    let mut world = World::new();
    world.succeed(&world.open_escrow(0));
    let limits = SessionLimits { receiver: world.receiver, ..World::limits() };
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
    let capture = Capture { intent_digest: as_fee.digest(), amount: usdc(10), fee: usdc(10), last: true };
    let signature = Some(Proof::Signature(world.chain.sign(&thief, &capture.signed_bytes())));
    let terms = Charge { amount: usdc(10), fee: usdc(10), release: None, capture: signature };
    world.refuse(world.charge_as(&as_fee, &terms), EscrowError::FeeNotAllowed);
    let as_fee = Intent { flow: PaymentFlow::Escrow, ..as_fee };
    world.refuse(world.authorize(&as_fee), EscrowError::FeeNotAllowed);
    assert_eq!((world.tokens(&thief), world.tokens(&world.escrow)), (usdc(100), usdc(100)));
}

#[test]
fn stolen_session_key_of_one_receiver_holds_money_for_the_longest_hold_and_no_longer() {
    let mut world = World::new();
    world.succeed(&world.open_escrow(0));
    let limits = SessionLimits { receiver: world.receiver, ..World::limits() };
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
    world.succeed(&[world.revoke_session(), world.request_withdrawal(usdc(100))]);
    world.chain.set_time(locked.capture_deadline);
    world.refuse(world.reclaim(&locked), EscrowError::CaptureDeadlineNotPassed);
    world.chain.set_time(locked.capture_deadline + 1);
    world.succeed(&[world.reclaim(&locked), world.withdraw()]);
    assert_eq!((world.tokens(&world.payer), world.tokens(&world.escrow)), (usdc(1_000), 0));
}
