use solana_sdk::instruction::InstructionError;
use spl_token_interface::error::TokenError;
use x402_escrow_interface::{
    error::EscrowError,
    event::{self, Event},
    instruction::{Charge, Proof, create_associated_token},
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
    assert_eq!(receipt.events, [charged(&world, &intent, usdc(10), 0)]);
}

#[test]
fn charge_below_the_maximum_needs_the_release_and_counts_what_it_takes() {
    let (mut world, intent) = ready();
    let terms = Charge { amount: usdc(4), fee: 0, release: None, capture: None };
    world.refuse(world.charge_as(&intent, &terms), EscrowError::MissingAuthorizer);
    let release = Some(Proof::Signature(world.sign_release(&intent, usdc(4))));
    let receipt = world.succeed(&[world.charge_as(&intent, &Charge { release, ..terms })]);
    assert_eq!((world.tokens(&world.receiver), world.session().spent), (usdc(4), usdc(4)));
    assert_eq!(receipt.events, [charged(&world, &intent, usdc(4), 0)]);
}

#[test]
fn receiver_authorizer_can_sign_the_transaction_instead() {
    let (mut world, intent) = ready();
    let terms = Charge { amount: usdc(4), fee: 0, release: Some(Proof::Signer), capture: None };
    let good = world.charge_as(&intent, &terms);
    for thief in [world.stranger, world.payer, world.agent, world.capture_authorizer] {
        let mut stolen = good.clone();
        stolen.accounts.last_mut().expect("the signer is there").pubkey = thief;
        world.refuse(stolen, EscrowError::MissingAuthorizer);
    }
    world.succeed(&[good]);
}

#[test]
fn release_at_another_amount_or_by_another_key_refused() {
    let (mut world, intent) = ready();
    for release in [
        world.sign_release(&intent, usdc(4) + 1),
        world.sign_release(&intent, usdc(4) - 1),
        world.sign_release(&Intent { nonce: 2, ..intent }, usdc(4)),
        world.sign_release(&Intent { receiver_authorizer: world.agent, ..intent }, usdc(4)),
    ] {
        let release = Some(Proof::Signature(release));
        let terms = Charge { amount: usdc(4), fee: 0, release, capture: None };
        world.refuse(world.charge_as(&intent, &terms), EscrowError::InvalidSignature);
    }
}

#[test]
fn charge_of_nothing_or_of_more_than_the_intent_refused() {
    let (mut world, intent) = ready();
    let terms = |amount| Charge { amount, fee: 0, release: Some(Proof::Signer), capture: None };
    world.refuse(world.charge_as(&intent, &terms(0)), EscrowError::ZeroAmount);
    world.refuse(world.charge_as(&intent, &terms(usdc(10) + 1)), EscrowError::ChargeAboveIntent);
    world.refuse(world.charge_as(&intent, &terms(u64::MAX)), EscrowError::ChargeAboveIntent);
    let nothing = Intent { amount: 0, ..intent };
    world.refuse(world.charge(&nothing), EscrowError::ZeroAmount);
}

#[test]
fn fee_needs_the_capture_authorizer() {
    let (mut world, intent) = ready();
    let terms = Charge { amount: usdc(10), fee: 1_000, release: None, capture: None };
    let mut nobody = world.charge_as(&intent, &terms);
    world.refuse(nobody.clone(), EscrowError::MissingAuthorizer);
    // Not even with somebody else's signature on the transaction.
    let fee_account = nobody.accounts.len() - 1;
    let stranger = solana_sdk::instruction::AccountMeta::new_readonly(world.stranger, true);
    nobody.accounts.insert(fee_account, stranger);
    world.refuse(nobody, EscrowError::MissingAuthorizer);

    let capture = Capture { intent_digest: intent.digest(), amount: usdc(10), fee: 1_000, last: true };
    for wrong in [
        Capture { fee: 999, ..capture },
        Capture { amount: usdc(9), ..capture },
        Capture { last: false, ..capture },
        Capture { intent_digest: [1; 32], ..capture },
    ] {
        let signature = world.chain.sign(&intent.capture_authorizer, &wrong.signed_bytes());
        let terms = Charge { capture: Some(Proof::Signature(signature)), ..terms };
        world.refuse(world.charge_as(&intent, &terms), EscrowError::InvalidSignature);
    }
    let signature = world.chain.sign(&intent.capture_authorizer, &capture.signed_bytes());
    let terms = Charge { capture: Some(Proof::Signature(signature)), ..terms };
    let receipt = world.succeed(&[world.charge_as(&intent, &terms)]);
    assert_eq!(receipt.events, [charged(&world, &intent, usdc(10), 1_000)]);
    assert_eq!(world.tokens(&world.receiver), usdc(10) - 1_000);
    assert_eq!(world.tokens(&world.fee_recipient), 1_000);
}

#[test]
fn less_with_a_fee_takes_both_consents_as_signers_or_signatures() {
    for by_signature in [false, true] {
        let (mut world, intent) = ready();
        let (amount, fee) = (usdc(4), 40_000);
        let capture = Capture { intent_digest: intent.digest(), amount, fee, last: true };
        let proofs = if by_signature {
            let capture = world.chain.sign(&intent.capture_authorizer, &capture.signed_bytes());
            (Proof::Signature(world.sign_release(&intent, amount)), Proof::Signature(capture))
        } else {
            (Proof::Signer, Proof::Signer)
        };
        let terms = Charge { amount, fee, release: Some(proofs.0), capture: Some(proofs.1) };
        world.succeed(&[world.charge_as(&intent, &terms)]);
        assert_eq!(world.tokens(&world.receiver), amount - fee);
        assert_eq!(world.tokens(&world.fee_recipient), fee);
    }
}

#[test]
fn fee_at_the_maximum_paid_and_one_more_refused() {
    let (mut world, intent) = ready();
    let terms = |fee| Charge { amount: usdc(10), fee, release: None, capture: Some(Proof::Signer) };
    world.refuse(world.charge_as(&intent, &terms(100_001)), EscrowError::FeeTooHigh);
    world.refuse(world.charge_as(&intent, &terms(u64::MAX)), EscrowError::FeeTooHigh);
    world.succeed(&[world.charge_as(&intent, &terms(100_000))]);
}

#[test]
fn fee_to_another_account_than_the_recipients_refused() {
    let (mut world, intent) = ready();
    let terms = Charge { amount: usdc(10), fee: 1, release: None, capture: Some(Proof::Signer) };
    let good = world.charge_as(&intent, &terms);
    let last = good.accounts.len() - 1;
    let mut stolen = good.clone();
    stolen.accounts[last].pubkey = world.token_account(&world.stranger);
    world.refuse(stolen, EscrowError::WrongFeeTokenAccount);
    let mut missing = good;
    missing.accounts.truncate(last);
    world.refuse(missing, EscrowError::WrongFeeTokenAccount);
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
fn deadlines_bind_a_charge_too() {
    let (mut world, intent) = ready();
    let unordered = Intent { capture_deadline: intent.authorize_by - 1, ..intent };
    world.refuse(world.charge(&unordered), EscrowError::DeadlinesOutOfOrder);
    let endless = Intent { capture_deadline: i64::MAX, ..intent };
    world.refuse(world.charge(&endless), EscrowError::CaptureDeadlineTooFar);
    let greedy = Intent { maximum_fee_bps: 10_001, ..intent };
    world.refuse(world.charge(&greedy), EscrowError::FeeBpsTooHigh);
    world.chain.set_time(World::AUTHORIZE_BY + 1);
    world.refuse(world.charge(&intent), EscrowError::IntentExpired);
    world.chain.set_time(World::AUTHORIZE_BY);
    world.succeed(&[world.charge(&intent)]);
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

/// A session, and an intent of 10 USDC to be charged.
fn ready() -> (World, Intent) {
    let world = World::with_session();
    let intent = Intent { flow: PaymentFlow::Authorization, ..world.intent() };
    (world, intent)
}

fn charged(world: &World, intent: &Intent, amount: u64, fee: u64) -> Event {
    Event::Charged(event::Charged {
        escrow: world.escrow,
        session: world.session,
        receiver: intent.receiver,
        intent_digest: intent.digest(),
        resource_hash: intent.resource_hash,
        amount,
        fee,
        nonce: intent.nonce,
    })
}
