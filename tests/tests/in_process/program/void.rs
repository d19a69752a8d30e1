use solana_sdk::instruction::InstructionError;
use x402_escrow_interface::{
    error::EscrowError,
    event::{Event, Voided},
    instruction::Consent,
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
    let voided = Voided { released: usdc(10), balance: World::DEPOSIT, ..nothing(&world, &intent) };
    assert_eq!(receipt.events, [Event::Voided(voided)]);
}

#[test]
fn void_between_captured_and_maximum_lowers_what_can_be_captured() {
    let (mut world, intent) = World::with_hold();
    world.succeed(&[world.capture(&intent, usdc(4))]);
    let receipt = world.succeed(&[world.void(&intent, usdc(7))]);
    let voided = Voided {
        captured: usdc(4),
        released: usdc(3),
        left: usdc(3),
        balance: usdc(96),
        held: usdc(3),
        ..nothing(&world, &intent)
    };
    assert_eq!(receipt.events, [Event::Voided(voided)]);
    let (hold, escrow) = (world.hold(&intent), world.escrow());
    assert_eq!((hold.amount, hold.captured, escrow.held), (usdc(7), usdc(4), usdc(3)));
    assert_eq!(world.session().spent, usdc(7));
    world.succeed(&[world.capture(&intent, usdc(7) + 1)]);
    assert!(!world.hold_exists(&intent));
    assert_eq!(world.tokens(&world.receiver), usdc(7));
}

#[test]
fn void_at_or_below_what_is_captured_ends_the_payment_there() {
    for amount in [usdc(4), usdc(4) - 1, 0] {
        let (mut world, intent) = World::with_hold();
        world.succeed(&[world.capture(&intent, usdc(4))]);
        let receipt = world.succeed(&[world.void(&intent, amount)]);
        assert!(!world.hold_exists(&intent));
        assert_eq!((world.escrow().balance, world.session().spent), (usdc(96), usdc(4)));
        let voided =
            Voided { captured: usdc(4), released: usdc(6), balance: usdc(96), ..nothing(&world, &intent) };
        assert_eq!(receipt.events, [Event::Voided(voided)]);
    }
}

#[test]
fn void_at_or_above_where_the_payment_ends_succeeds_and_changes_nothing() {
    let (mut world, intent) = World::with_hold();
    let seven = world.void(&intent, usdc(7));
    for end in [usdc(10), usdc(7)] {
        world.succeed(&[world.void(&intent, end)]);
        let before = world.hold(&intent);
        for amount in [end, end + 1, u64::MAX] {
            let receipt = world.succeed(&[world.void(&intent, amount)]);
            assert_eq!((world.hold(&intent), receipt.events), (before, Vec::new()));
        }
    }
    // Also the very same instruction again.
    assert_eq!(world.succeed(&[seven]).events, []);
    assert_eq!(world.escrow().held, usdc(7));
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
    world.succeed(&[world.void_by(&intent, 0, Consent::Signer)]);
    assert_eq!(world.escrow().held, 0);
}

#[test]
fn void_without_the_authorizer_refused() {
    let (mut world, intent) = World::with_hold();
    let good = world.void_by(&intent, 0, Consent::Signer);
    // The payer's side and the capture authorizer included: only the receiver's side lets money go back.
    let thieves = [world.payer, world.agent, world.capture_authorizer, world.relay, world.stranger];
    world.refuse_without_signer(&good, &thieves);
    for thief in thieves {
        let release = Release { intent_digest: intent.digest(), amount: 0 };
        let signature = world.chain.sign(&thief, &release.signed_bytes());
        let forged = world.void_by(&intent, 0, Consent::Signature(signature));
        world.refuse(forged, EscrowError::InvalidSignature);
    }
}

#[test]
fn void_of_an_ended_hold_refused() {
    let (mut world, intent) = World::with_hold();
    let void = world.void(&intent, 0);
    world.succeed(std::slice::from_ref(&void));
    world.refuse(void, InstructionError::AccountDataTooSmall);
}

/// A void of this intent that released nothing, of a hold that is closed.
fn nothing(world: &World, intent: &Intent) -> Voided {
    Voided {
        escrow: world.escrow,
        session: world.session,
        hold: world.hold_address(intent),
        intent_digest: intent.digest(),
        captured: 0,
        released: 0,
        left: 0,
        balance: 0,
        held: 0,
    }
}
