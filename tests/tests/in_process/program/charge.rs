use solana_sdk::instruction::InstructionError;
use spl_token_interface::error::TokenError;
use x402_escrow_interface::{
    error::EscrowError,
    event::{Charged, Event},
    instruction::{Charge, Consent, create_associated_token},
    message::{Capture, Intent, PaymentFlow},
};
use x402_escrow_tests::svm::{World, usdc};

#[test]
fn charge_pays_at_once_without_a_hold() {
    let (mut world, intent) = ready();
    let before = world.chain.lamports(&world.relay);
    let receipt = world.succeed(&[world.charge(&intent)]);
    assert_eq!(world.tokens(&world.receiver), usdc(10));
    let (escrow, session) = (world.escrow(), world.session());
    assert_eq!((escrow.balance, escrow.held), (usdc(90), 0));
    assert_eq!((session.spent, session.open_holds, session.highest_nonce), (usdc(10), 0, 1));
    assert!(!world.hold_exists(&intent));
    assert_eq!(world.chain.lamports(&world.relay), before);
    assert_eq!(receipt.events, [Event::Charged(charged(&world, &intent))]);
}

#[test]
fn charge_below_the_maximum_counts_what_it_takes() {
    let (mut world, intent) = ready();
    let message = world.capture_message(&intent, usdc(4));
    let capture = Some(world.charge_capture(&intent, &message));
    let release = Some(Consent::Signature(world.sign_release(&intent, usdc(4))));
    let charge = Charge { amount: usdc(4), capture, release };
    let receipt = world.succeed(&[world.charge_as(&intent, &charge)]);
    assert_eq!((world.tokens(&world.receiver), world.session().spent), (usdc(4), usdc(4)));
    let less = Charged { amount: usdc(4), balance: usdc(96), spent: usdc(4), ..charged(&world, &intent) };
    assert_eq!(receipt.events, [Event::Charged(less)]);
}

#[test]
fn charge_of_nothing_or_of_more_than_the_intent_refused() {
    let (mut world, intent) = ready();
    let of = |world: &World, amount| {
        let message = world.capture_message(&intent, amount);
        let capture = Some(world.charge_capture(&intent, &message));
        world.charge_as(&intent, &Charge { amount, capture, release: Some(Consent::Signer) })
    };
    world.refuse(of(&world, 0), EscrowError::ZeroAmount);
    world.refuse(of(&world, usdc(10) + 1), EscrowError::ChargeAboveIntent);
    world.refuse(of(&world, u64::MAX), EscrowError::ChargeAboveIntent);
    let nothing = Intent { amount: 0, ..intent };
    world.refuse(world.charge(&nothing), EscrowError::ZeroAmount);
}

#[test]
fn intent_of_the_other_flow_refused() {
    let (mut world, intent) = ready();
    let escrow = Intent { flow: PaymentFlow::Escrow, ..intent };
    world.refuse(world.charge(&escrow), EscrowError::InvalidSignature);
    world.refuse(world.authorize(&intent), EscrowError::InvalidSignature);
}

#[test]
fn charged_intent_can_not_be_charged_again() {
    let (mut world, intent) = ready();
    world.succeed(&[world.charge(&intent)]);
    world.refuse(world.charge(&intent), EscrowError::NonceUsed);
    let held = Intent { flow: PaymentFlow::Escrow, ..intent };
    world.refuse(world.authorize(&held), EscrowError::NonceUsed);
}

#[test]
fn charge_of_the_whole_free_balance_passes_and_one_more_is_refused() {
    let (mut world, intent) = ready();
    let held = Intent { nonce: 2, flow: PaymentFlow::Escrow, ..intent };
    world.succeed(&[world.authorize(&held)]);
    let of = |amount| Intent { amount, ..intent };
    world.refuse(world.charge(&of(usdc(90) + 1)), EscrowError::InsufficientFreeBalance);
    world.succeed(&[world.charge(&of(usdc(90)))]);
    assert_eq!((world.escrow().balance, world.escrow().held), (usdc(10), usdc(10)));
}

#[test]
fn deadlines_and_fee_rules_bind_a_charge_too() {
    let (mut world, intent) = ready();
    let unordered = Intent { capture_deadline: intent.authorize_by - 1, ..intent };
    world.refuse(world.charge(&unordered), EscrowError::DeadlinesOutOfOrder);
    let endless = Intent { capture_deadline: i64::MAX, ..intent };
    world.refuse(world.charge(&endless), EscrowError::CaptureDeadlineTooFar);
    let greedy = Intent { maximum_fee_bps: 10_001, ..intent };
    world.refuse(world.charge(&greedy), EscrowError::FeeBpsTooHigh);
    let to_itself = Intent { fee_recipient: intent.receiver, ..intent };
    world.refuse(world.charge(&to_itself), EscrowError::WrongFeeRecipient);
    world.chain.set_time(World::AUTHORIZE_BY + 1);
    world.refuse(world.charge(&intent), EscrowError::IntentExpired);
    world.chain.set_time(World::AUTHORIZE_BY);
    world.succeed(&[world.charge(&Intent { maximum_fee_bps: 0, ..to_itself })]);
}

#[test]
fn frozen_or_missing_receiver_account_loses_nothing_and_is_paid_when_mended() {
    let (mut world, intent) = ready();
    let account = world.token_account(&world.receiver);
    world.chain.freeze(&account);
    world.refuse(world.charge(&intent), TokenError::AccountFrozen);
    world.chain.thaw(&account);
    world.succeed(&[world.charge(&intent)]);

    let receiver = world.chain.key("receiver without a token account");
    let intent = Intent { receiver, nonce: 2, ..intent };
    world.refuse(world.charge(&intent), InstructionError::InvalidAccountData);
    let create = create_associated_token(&world.relay, &receiver, &world.mint, &world.token_program);
    world.succeed(&[create, world.charge(&intent)]);
    assert_eq!(world.tokens(&receiver), usdc(10));
}

#[test]
fn fee_goes_to_the_recipient_and_is_bounded_by_signature_maximum_and_payment() {
    for (signed, paid) in
        [(0, 0), (1_000, 1_000), (100_000, 100_000), (100_001, 100_000), (u64::MAX, 100_000)]
    {
        let (mut world, intent) = ready();
        let message = Capture { fee: signed, ..world.capture_message(&intent, usdc(10)) };
        let capture = Some(world.charge_capture(&intent, &message));
        let charge = Charge { amount: usdc(10), capture, release: None };
        let receipt = world.succeed(&[world.charge_as(&intent, &charge)]);
        assert_eq!(world.tokens(&world.receiver), usdc(10) - paid);
        assert_eq!(world.tokens(&world.fee_recipient), paid);
        assert_eq!(receipt.events, [Event::Charged(Charged { fee: paid, ..charged(&world, &intent) })]);
    }
}

#[test]
fn fee_to_another_account_than_the_recipients_refused() {
    let (mut world, intent) = ready();
    let message = Capture { fee: 1, ..world.capture_message(&intent, usdc(10)) };
    let capture = Some(world.charge_capture(&intent, &message));
    let good = world.charge_as(&intent, &Charge { amount: usdc(10), capture, release: None });
    let strangers = world.token_account(&world.stranger);
    world.refuse_without_last_account(&good, &[strangers], EscrowError::WrongFeeTokenAccount);
    world.succeed(&[good]);
}

#[test]
fn fee_recipient_that_can_not_receive_blocks_no_charge() {
    let (mut world, intent) = ready();
    let message = Capture { fee: 100_000, ..world.capture_message(&intent, usdc(10)) };
    let capture = Some(world.charge_capture(&intent, &message));
    let account = world.token_account(&world.fee_recipient);
    world.chain.freeze(&account);
    let charge = Charge { amount: usdc(10), capture, release: None };
    let receipt = world.succeed(&[world.charge_as(&intent, &charge)]);
    assert_eq!((world.tokens(&world.receiver), world.tokens(&world.fee_recipient)), (usdc(10), 0));
    assert_eq!(receipt.events, [Event::Charged(charged(&world, &intent))]);
}

/// A session, and an intent of 10 USDC to be charged.
fn ready() -> (World, Intent) {
    let world = World::with_session();
    let intent = Intent { flow: PaymentFlow::Authorization, ..world.intent() };
    (world, intent)
}

/// A charge of the whole of the intent without a fee.
fn charged(world: &World, intent: &Intent) -> Charged {
    Charged {
        escrow: world.escrow,
        session: world.session,
        receiver: intent.receiver,
        capture_authorizer: intent.capture_authorizer,
        receiver_authorizer: intent.receiver_authorizer,
        fee_recipient: intent.fee_recipient,
        intent_digest: intent.digest(),
        resource_hash: intent.resource_hash,
        amount: usdc(10),
        fee: 0,
        nonce: intent.nonce,
        refund_deadline: intent.refund_deadline,
        balance: usdc(90),
        held: 0,
        spent: usdc(10),
    }
}
