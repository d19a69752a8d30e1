use solana_sdk::instruction::InstructionError;
use x402_escrow_interface::{
    error::EscrowError,
    event::{self, Event},
    instruction::Proof,
    message::{Intent, Release},
};
use x402_escrow_tests::svm::{HOLD_BYTES, World, usdc};

#[test]
fn void_of_an_uncaptured_hold_gives_everything_back_and_closes_it() {
    let (mut world, intent) = World::with_hold();
    let before = world.chain.lamports(&world.relay);
    let receipt = world.succeed(&[world.void(&intent, 0)]);
    let (escrow, session) = (world.escrow(), world.session());
    assert_eq!((escrow.balance, escrow.held), (World::DEPOSIT, 0));
    assert_eq!((session.spent, session.open_holds), (0, 0));
    assert!(!world.hold_exists(&intent));
    assert_eq!(world.chain.lamports(&world.relay), before + world.chain.rent(HOLD_BYTES));
    let closed = event::HoldClosed { session: world.session, intent_digest: intent.digest() };
    assert_eq!(receipt.events, [voided(&world, &intent, usdc(10)), Event::HoldClosed(closed)]);
}

#[test]
fn void_between_captured_and_maximum_lowers_what_can_be_captured() {
    let (mut world, intent) = World::with_hold();
    world.succeed(&[world.capture(&intent, usdc(4))]);
    let receipt = world.succeed(&[world.void(&intent, usdc(7))]);
    assert_eq!(receipt.events, [voided(&world, &intent, usdc(3))]);
    let (hold, escrow) = (world.hold(&intent), world.escrow());
    assert_eq!((hold.amount, hold.captured, escrow.held), (usdc(7), usdc(4), usdc(3)));
    assert_eq!(world.session().spent, usdc(7));
    world.refuse(world.capture(&intent, usdc(7) + 1), EscrowError::CaptureAboveHold);
    world.succeed(&[world.capture(&intent, usdc(7))]);
    assert!(!world.hold_exists(&intent));
}

#[test]
fn void_at_what_is_captured_ends_the_hold() {
    let (mut world, intent) = World::with_hold();
    world.succeed(&[world.capture(&intent, usdc(4))]);
    world.succeed(&[world.void(&intent, usdc(4))]);
    assert!(!world.hold_exists(&intent));
    assert_eq!((world.escrow().balance, world.session().spent), (usdc(96), usdc(4)));
}

#[test]
fn void_below_what_is_captured_refused() {
    let (mut world, intent) = World::with_hold();
    world.succeed(&[world.capture(&intent, usdc(4))]);
    world.refuse(world.void(&intent, usdc(4) - 1), EscrowError::ReleaseBelowCaptured);
    world.refuse(world.void(&intent, 0), EscrowError::ReleaseBelowCaptured);
}

#[test]
fn void_that_releases_nothing_refused() {
    let (mut world, intent) = World::with_hold();
    world.refuse(world.void(&intent, usdc(10)), EscrowError::NothingToRelease);
    world.refuse(world.void(&intent, usdc(10) + 1), EscrowError::NothingToRelease);
    world.refuse(world.void(&intent, u64::MAX), EscrowError::NothingToRelease);
}

#[test]
fn repeated_void_releases_nothing_more() {
    let (mut world, intent) = World::with_hold();
    let void = world.void(&intent, usdc(7));
    world.succeed(std::slice::from_ref(&void));
    world.refuse(void, EscrowError::NothingToRelease);
}

#[test]
fn void_after_the_capture_deadline_passes() {
    let (mut world, intent) = World::with_hold();
    world.chain.set_time(World::CAPTURE_DEADLINE + 1);
    world.succeed(&[world.void(&intent, 0)]);
}

#[test]
fn receiver_authorizer_can_sign_the_transaction_instead() {
    let (mut world, intent) = World::with_hold();
    world.succeed(&[world.void_by(&intent, 0, Proof::Signer)]);
    assert_eq!(world.escrow().held, 0);
}

#[test]
fn void_without_the_authorizer_refused() {
    let (mut world, intent) = World::with_hold();
    let good = world.void_by(&intent, 0, Proof::Signer);
    let last = good.accounts.len() - 1;

    let mut nobody = good.clone();
    nobody.accounts.truncate(last);
    world.refuse(nobody, EscrowError::MissingAuthorizer);
    let mut not_signing = good.clone();
    not_signing.accounts[last].is_signer = false;
    world.refuse(not_signing, EscrowError::MissingAuthorizer);
    // The payer's side and the capture authorizer included: only the receiver's side lets money go back.
    for thief in [world.payer, world.agent, world.capture_authorizer, world.relay, world.stranger] {
        let mut stolen = good.clone();
        stolen.accounts[last].pubkey = thief;
        world.refuse(stolen, EscrowError::MissingAuthorizer);
        let release = Release { intent_digest: intent.digest(), amount: 0 };
        let signature = world.chain.sign(&thief, &release.signed_bytes());
        let forged = world.void_by(&intent, 0, Proof::Signature(signature));
        world.refuse(forged, EscrowError::InvalidSignature);
    }
}

#[test]
fn captured_hold_that_waits_for_refunds_has_nothing_to_release() {
    let mut world = World::with_session();
    let intent = Intent { refund_deadline: World::CAPTURE_DEADLINE, ..world.intent() };
    world.succeed(&[world.authorize(&intent)]);
    world.succeed(&[world.capture(&intent, usdc(10))]);
    world.refuse(world.void(&intent, usdc(10)), EscrowError::NothingToRelease);
}

#[test]
fn void_of_an_ended_hold_refused() {
    let (mut world, intent) = World::with_hold();
    let void = world.void(&intent, 0);
    world.succeed(std::slice::from_ref(&void));
    world.refuse(void, InstructionError::AccountDataTooSmall);
}

fn voided(world: &World, intent: &Intent, released: u64) -> Event {
    Event::Voided(event::Voided { escrow: world.escrow, intent_digest: intent.digest(), released })
}
