use solana_sdk::instruction::InstructionError;
use x402_escrow_interface::{
    account::{Hold, VERSION},
    error::EscrowError,
    event::{self, Event},
    instruction::SessionLimits,
    message::{Intent, MAXIMUM_CAPTURE_SECONDS},
};
use x402_escrow_tests::svm::{HOLD_BYTES, START, World, usdc};

#[test]
fn authorize_holds_the_amount_and_stores_the_intent() {
    let mut world = World::with_session();
    let refund_deadline = World::CAPTURE_DEADLINE + 1;
    let intent = Intent { nonce: 7, refund_deadline, ..world.intent() };
    let before = world.chain.lamports(&world.relay);
    let receipt = world.succeed(&[world.authorize(&intent)]);

    let expected = Hold {
        version: VERSION,
        padding: [0; 5],
        maximum_fee_bps: 100,
        session: world.session,
        receiver: world.receiver,
        receiver_token_account: world.token_account(&world.receiver),
        capture_authorizer: world.capture_authorizer,
        receiver_authorizer: world.receiver_authorizer,
        fee_recipient: world.fee_recipient,
        rent_payer: world.relay,
        intent_digest: intent.digest(),
        amount: usdc(10),
        captured: 0,
        fee: 0,
        capture_deadline: World::CAPTURE_DEADLINE,
        period_index: 0,
        spare: [0; 16],
    };
    assert_eq!(world.hold(&intent), expected);
    let (escrow, session) = (world.escrow(), world.session());
    assert_eq!((escrow.balance, escrow.held), (World::DEPOSIT, usdc(10)));
    assert_eq!((session.spent, session.open_holds, session.highest_nonce), (usdc(10), 1, 7));
    assert_eq!(world.tokens(&world.escrow), World::DEPOSIT);
    assert_eq!(world.chain.lamports(&world.relay), before - world.chain.rent(HOLD_BYTES));
    let authorized = event::Authorized {
        escrow: world.escrow,
        session: world.session,
        hold: world.hold_address(&intent),
        receiver: world.receiver,
        capture_authorizer: world.capture_authorizer,
        receiver_authorizer: world.receiver_authorizer,
        fee_recipient: world.fee_recipient,
        intent_digest: intent.digest(),
        resource_hash: intent.resource_hash,
        amount: usdc(10),
        nonce: 7,
        capture_deadline: World::CAPTURE_DEADLINE,
        refund_deadline,
        maximum_fee_bps: 100,
        balance: World::DEPOSIT,
        held: usdc(10),
        spent: usdc(10),
    };
    assert_eq!(receipt.events, [Event::Authorized(authorized)]);
}

#[test]
fn hold_of_the_whole_free_balance_passes_and_one_more_is_refused() {
    let mut world = World::with_session();
    let intent = |amount, nonce| Intent { amount, nonce, ..world.intent() };
    let (most, last) = (intent(usdc(99), 1), intent(usdc(1), 2));
    let (too_much, nothing_left) = (intent(usdc(1) + 1, 2), intent(1, 3));
    world.succeed(&[world.authorize(&most)]);
    world.refuse(world.authorize(&too_much), EscrowError::InsufficientFreeBalance);
    world.succeed(&[world.authorize(&last)]);
    world.refuse(world.authorize(&nothing_left), EscrowError::InsufficientFreeBalance);
    assert_eq!(world.escrow().held, World::DEPOSIT);
}

#[test]
fn hold_of_nothing_refused() {
    let mut world = World::with_session();
    let intent = Intent { amount: 0, ..world.intent() };
    world.refuse(world.authorize(&intent), EscrowError::ZeroAmount);
}

#[test]
fn intent_in_its_last_second_held_and_a_second_later_refused() {
    let mut world = World::with_session();
    let intent = world.intent();
    world.chain.set_time(World::AUTHORIZE_BY + 1);
    world.refuse(world.authorize(&intent), EscrowError::IntentExpired);
    world.chain.set_time(World::AUTHORIZE_BY);
    world.succeed(&[world.authorize(&intent)]);
}

#[test]
fn deadlines_out_of_order_refused_and_equal_ones_accepted() {
    let mut world = World::with_session();
    let base = world.intent();
    let authorize_by = base.authorize_by;
    for intent in
        [Intent { capture_deadline: authorize_by - 1, ..base }, Intent { capture_deadline: i64::MIN, ..base }]
    {
        world.refuse(world.authorize(&intent), EscrowError::DeadlinesOutOfOrder);
    }
    let equal = Intent { capture_deadline: authorize_by, ..base };
    world.succeed(&[world.authorize(&equal)]);
}

#[test]
fn deadlines_too_far_away_refused_and_the_last_ones_accepted() {
    let mut world = World::with_session();
    let capture_deadline = START + MAXIMUM_CAPTURE_SECONDS;
    let last = Intent { authorize_by: capture_deadline, capture_deadline, ..world.intent() };
    for too_far in [capture_deadline + 1, i64::MAX] {
        let intent = Intent { capture_deadline: too_far, ..last };
        world.refuse(world.authorize(&intent), EscrowError::CaptureDeadlineTooFar);
        let intent = Intent { authorize_by: too_far, ..intent };
        world.refuse(world.authorize(&intent), EscrowError::CaptureDeadlineTooFar);
    }
    world.succeed(&[world.authorize(&last)]);
}

#[test]
fn refund_deadline_is_the_receivers_promise_and_binds_the_program_to_nothing() {
    let mut world = World::with_session();
    for (nonce, refund_deadline) in [(1, i64::MIN), (2, -1), (3, 1), (4, World::AUTHORIZE_BY), (5, i64::MAX)]
    {
        let intent = Intent { nonce, refund_deadline, ..world.intent() };
        let receipt = world.succeed(&[world.authorize(&intent)]);
        let [Event::Authorized(authorized)] = receipt.events[..] else { panic!("{receipt:?}") };
        assert_eq!(authorized.refund_deadline, refund_deadline);
        world.succeed(&[world.capture(&intent, usdc(10))]);
        assert!(!world.hold_exists(&intent), "no hold waits for refunds");
    }
}

#[test]
fn fee_of_the_whole_amount_accepted_and_more_refused() {
    let mut world = World::with_session();
    let of = |maximum_fee_bps| Intent { maximum_fee_bps, ..world.intent() };
    let (whole, more, most) = (of(10_000), of(10_001), of(u16::MAX));
    world.refuse(world.authorize(&more), EscrowError::FeeBpsTooHigh);
    world.refuse(world.authorize(&most), EscrowError::FeeBpsTooHigh);
    world.succeed(&[world.authorize(&whole)]);
}

#[test]
fn fee_that_could_only_go_to_the_receiver_refused_and_nobody_named_as_recipient_accepted() {
    let mut world = World::with_session();
    // Nobody is written as the receiver itself: the wire format has it so.
    let of = |maximum_fee_bps| Intent { fee_recipient: world.receiver, maximum_fee_bps, ..world.intent() };
    let (least, most, none) = (of(1), of(10_000), of(0));
    world.refuse(world.authorize(&least), EscrowError::WrongFeeRecipient);
    world.refuse(world.authorize(&most), EscrowError::WrongFeeRecipient);
    world.succeed(&[world.authorize(&none)]);
    world.succeed(&[world.capture(&none, usdc(10))]);
    assert_eq!(world.tokens(&world.receiver), usdc(10));
}

#[test]
fn fee_that_could_only_go_to_the_escrow_refused() {
    let mut world = World::with_session();
    for maximum_fee_bps in [1, 0] {
        let intent = Intent { fee_recipient: world.escrow, maximum_fee_bps, ..world.intent() };
        // Anchor comes first: no account that is written is named twice.
        let duplicate = InstructionError::Custom(CONSTRAINT_DUPLICATE_MUTABLE_ACCOUNT);
        world.refuse(world.authorize(&intent), duplicate);
    }
}

#[test]
fn hold_whose_address_was_sent_lamports_before_is_made_and_gives_them_back() {
    let mut world = World::with_session();
    let intent = world.intent();
    let before = world.chain.lamports(&world.relay);
    let address = world.hold_address(&intent);
    let gift = solana_system_interface::instruction::transfer(&world.stranger, &address, 1_000_000);
    world.succeed(&[gift, world.authorize(&intent)]);
    assert_eq!(world.chain.lamports(&world.relay), before - world.chain.rent(HOLD_BYTES) + 1_000_000);
    world.succeed(&[world.void(&intent, 0)]);
    assert_eq!(world.chain.lamports(&world.relay), before + 1_000_000);
}

#[test]
fn many_intents_fit_one_transaction() {
    let mut world = World::with_session();
    let intents = [1, 2, 3].map(|nonce| Intent { nonce, ..world.intent() });
    let receipt = world.succeed(&intents.map(|intent| world.authorize(&intent)));
    assert_eq!(receipt.events.len(), 3);
    assert_eq!((world.escrow().held, world.session().open_holds), (usdc(30), 3));
}

#[test]
fn intent_that_expires_with_the_session_held_in_the_last_second() {
    let limits = SessionLimits { expires_at: START + 5, ..World::limits() };
    let mut world = World::with_session_of(limits);
    let intent = world.intent();
    world.chain.set_time(START + 6);
    world.refuse(world.authorize(&intent), EscrowError::SessionExpired);
    world.chain.set_time(START + 5);
    world.succeed(&[world.authorize(&intent)]);
}

#[test]
fn escrow_as_its_own_receiver_refused() {
    let mut world = World::with_session();
    let intent = Intent { receiver: world.escrow, ..world.intent() };
    world.refuse(world.authorize(&intent), InstructionError::Custom(CONSTRAINT_DUPLICATE_MUTABLE_ACCOUNT));
}

/// Anchor's `ConstraintDuplicateMutableAccount`.
const CONSTRAINT_DUPLICATE_MUTABLE_ACCOUNT: u32 = 2040;
