use solana_sdk::instruction::InstructionError;
use spl_token_interface::error::TokenError;
use x402_escrow_interface::{
    error::EscrowError,
    event::{Captured, Event},
    instruction::{Consent, create_associated_token},
    message::Intent,
};
use x402_escrow_tests::svm::{HOLD_BYTES, World, usdc};

#[test]
fn capture_pays_the_receiver_and_keeps_the_rest_held() {
    let (mut world, intent) = World::with_hold();
    let receipt = world.succeed(&[world.capture(&intent, usdc(4))]);
    assert_eq!(world.tokens(&world.receiver), usdc(4));
    assert_eq!(world.tokens(&world.escrow), usdc(96));
    let (escrow, hold) = (world.escrow(), world.hold(&intent));
    assert_eq!((escrow.balance, escrow.held), (usdc(96), usdc(6)));
    assert_eq!((hold.amount, hold.captured, hold.fee), (usdc(10), usdc(4), 0));
    assert_eq!(world.session().spent, usdc(10));
    let left = Captured { left: usdc(6), balance: usdc(96), held: usdc(6), ..captured(&world, &intent) };
    assert_eq!(receipt.events, [Event::Captured(Captured { amount: usdc(4), captured: usdc(4), ..left })]);
}

#[test]
fn full_capture_closes_the_hold_and_returns_its_rent() {
    let (mut world, intent) = World::with_hold();
    let before = world.chain.lamports(&world.relay);
    let receipt = world.succeed(&[world.capture(&intent, usdc(10))]);
    assert!(!world.hold_exists(&intent));
    assert_eq!(world.chain.lamports(&world.relay), before + world.chain.rent(HOLD_BYTES));
    let session = world.session();
    assert_eq!((session.open_holds, session.spent), (0, usdc(10)));
    let all =
        Captured { amount: usdc(10), captured: usdc(10), balance: usdc(90), ..captured(&world, &intent) };
    assert_eq!(receipt.events, [Event::Captured(all)]);
}

#[test]
fn captures_are_cumulative_and_a_repeat_or_a_lower_one_changes_nothing() {
    let (mut world, intent) = World::with_hold();
    let [three, five] = [usdc(3), usdc(5)].map(|amount| world.capture(&intent, amount));
    world.succeed(std::slice::from_ref(&five));
    let before = world.hold(&intent);
    for done in [five, three, world.capture(&intent, 0)] {
        let receipt = world.succeed(&[done]);
        assert_eq!((world.hold(&intent), receipt.events), (before, Vec::new()));
    }
    let receipt = world.succeed(&[world.capture(&intent, usdc(5) + 1)]);
    let one_more = Captured {
        amount: 1,
        captured: usdc(5) + 1,
        left: usdc(5) - 1,
        balance: usdc(95) - 1,
        held: usdc(5) - 1,
        ..captured(&world, &intent)
    };
    assert_eq!(receipt.events, [Event::Captured(one_more)]);
    assert_eq!(world.tokens(&world.receiver), usdc(5) + 1);
}

#[test]
fn capture_in_the_last_second_paid_and_a_second_later_refused() {
    let (mut world, intent) = World::with_hold();
    world.chain.set_time(World::CAPTURE_DEADLINE + 1);
    world.refuse(world.capture(&intent, usdc(4)), EscrowError::CaptureDeadlinePassed);
    world.chain.set_time(World::CAPTURE_DEADLINE);
    world.succeed(&[world.capture(&intent, usdc(4))]);
}

#[test]
fn capture_authorizer_can_sign_the_transaction_instead() {
    let (mut world, intent) = World::with_hold();
    let capture = world.capture_message(&intent, usdc(4));
    world.succeed(&[world.capture_by(&intent, &capture, Consent::Signer)]);
    assert_eq!(world.tokens(&world.receiver), usdc(4));
}

#[test]
fn capture_without_the_authorizer_refused() {
    let (mut world, intent) = World::with_hold();
    let capture = world.capture_message(&intent, usdc(4));
    let good = world.capture_by(&intent, &capture, Consent::Signer);
    let thieves = [world.stranger, world.relay, world.receiver, world.agent, world.receiver_authorizer];
    world.refuse_without_signer(&good, &thieves);
}

#[test]
fn signature_of_anyone_but_the_capture_authorizer_refused() {
    let (mut world, intent) = World::with_hold();
    let capture = world.capture_message(&intent, usdc(4));
    for thief in [world.stranger, world.relay, world.receiver, world.agent, world.receiver_authorizer] {
        let signature = world.chain.sign(&thief, &capture.signed_bytes());
        let stolen = world.capture_by(&intent, &capture, Consent::Signature(signature));
        world.refuse(stolen, EscrowError::InvalidSignature);
    }
}

#[test]
fn capture_and_release_in_one_instruction() {
    let (mut world, intent) = World::with_hold();
    let receipt = world.succeed(&[world.capture_and_release(&intent, usdc(4))]);
    assert!(!world.hold_exists(&intent));
    assert_eq!((world.tokens(&world.receiver), world.escrow().held), (usdc(4), 0));
    assert_eq!(world.session().spent, usdc(4));
    let ended = Captured {
        amount: usdc(4),
        captured: usdc(4),
        released: usdc(6),
        balance: usdc(96),
        ..captured(&world, &intent)
    };
    assert_eq!(receipt.events, [Event::Captured(ended)]);
}

#[test]
fn release_signed_by_another_key_or_at_another_amount_refused() {
    let (mut world, intent) = World::with_hold();
    let good = world.capture_and_release(&intent, usdc(4));
    // The release's signature follows the amount and the kind of end.
    let from = 1 + 8 + 1;
    for signature in [
        world.sign_release(&intent, usdc(4) - 1),
        world.sign_release(&intent, usdc(4) + 1),
        world.sign_release(&Intent { receiver_authorizer: world.stranger, ..intent }, usdc(4)),
        world.sign_release(&Intent { receiver_authorizer: world.capture_authorizer, ..intent }, usdc(4)),
    ] {
        let mut forged = good.clone();
        forged.data[from..from + 64].copy_from_slice(&signature);
        world.refuse(forged, EscrowError::InvalidSignature);
    }
    world.succeed(&[good]);
}

#[test]
fn captured_hold_can_not_be_captured_again() {
    let (mut world, intent) = World::with_hold();
    let capture = world.capture(&intent, usdc(10));
    world.succeed(std::slice::from_ref(&capture));
    world.refuse(capture, InstructionError::AccountDataTooSmall);
}

#[test]
fn frozen_receiver_account_loses_nothing_and_is_paid_when_thawed() {
    let (mut world, intent) = World::with_hold();
    let account = world.token_account(&world.receiver);
    world.chain.freeze(&account);
    world.refuse(world.capture(&intent, usdc(4)), TokenError::AccountFrozen);
    world.chain.thaw(&account);
    world.succeed(&[world.capture(&intent, usdc(4))]);
}

#[test]
fn missing_receiver_account_loses_nothing_and_is_paid_when_made() {
    let mut world = World::with_session();
    let receiver = world.chain.key("receiver without a token account");
    let intent = Intent { receiver, ..world.intent() };
    world.succeed(&[world.authorize(&intent)]);
    world.refuse(world.capture(&intent, usdc(4)), InstructionError::InvalidAccountData);
    let create = create_associated_token(&world.relay, &receiver, &world.mint, &world.token_program);
    world.succeed(&[create, world.capture(&intent, usdc(4))]);
    assert_eq!(world.tokens(&receiver), usdc(4));
}

#[test]
fn frozen_vault_pays_when_thawed() {
    let (mut world, intent) = World::with_hold();
    let vault = world.escrow().vault;
    world.chain.freeze(&vault);
    world.refuse(world.capture(&intent, usdc(4)), TokenError::AccountFrozen);
    world.chain.thaw(&vault);
    world.succeed(&[world.capture(&intent, usdc(4))]);
}

#[test]
fn captures_of_several_holds_fit_one_transaction() {
    let mut world = World::with_session();
    let intents = [1, 2, 3, 4].map(|nonce| Intent { nonce, ..world.intent() });
    for intent in &intents {
        world.succeed(&[world.authorize(intent)]);
    }
    world.succeed(&intents.map(|intent| world.capture(&intent, usdc(10))));
    assert_eq!((world.tokens(&world.receiver), world.session().open_holds), (usdc(40), 0));
}

/// A capture of this intent that moved nothing.
fn captured(world: &World, intent: &Intent) -> Captured {
    Captured {
        escrow: world.escrow,
        session: world.session,
        hold: world.hold_address(intent),
        receiver: intent.receiver,
        intent_digest: intent.digest(),
        amount: 0,
        fee: 0,
        captured: 0,
        released: 0,
        left: 0,
        balance: 0,
        held: 0,
    }
}
