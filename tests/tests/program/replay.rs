//! What keeps a signature from being used twice: the nonce, the window and the incarnation.

use x402_escrow_interface::{
    error::EscrowError,
    instruction::{self, Proof},
    message::{Capture, Intent},
};
use x402_escrow_tests::svm::{World, usdc};

#[test]
fn intent_refused_while_its_hold_is_open() {
    let (mut world, intent) = World::with_hold();
    world.refuse(world.authorize(&intent), EscrowError::NonceUsed);
}

#[test]
fn intent_refused_after_its_hold_was_captured_voided_or_reclaimed() {
    let (mut world, captured) = World::with_hold();
    let deadline = World::AUTHORIZE_BY;
    let [voided, reclaimed] = [2, 3].map(|nonce| Intent { nonce, capture_deadline: deadline, ..captured });
    world.succeed(&[world.authorize(&voided), world.authorize(&reclaimed)]);
    world.succeed(&[world.capture(&captured, usdc(10)), world.void(&voided, 0)]);
    world.refuse(world.authorize(&captured), EscrowError::NonceUsed);
    world.refuse(world.authorize(&voided), EscrowError::NonceUsed);

    world.chain.set_time(deadline + 1);
    world.succeed(&[world.reclaim(&reclaimed)]);
    // Even on a clock that steps back into the intent's time.
    world.chain.set_time(deadline);
    world.refuse(world.authorize(&reclaimed), EscrowError::NonceUsed);
}

#[test]
fn another_intent_with_a_used_nonce_refused() {
    let (mut world, intent) = World::with_hold();
    let other = Intent { amount: 1, receiver: world.stranger, ..intent };
    world.refuse(world.authorize(&other), EscrowError::NonceUsed);
}

#[test]
fn one_intent_twice_in_one_transaction_refused() {
    let mut world = World::with_session();
    let intent = world.intent();
    let authorize = world.authorize(&intent);
    world.chain.refuse(&[authorize.clone(), authorize], EscrowError::NonceUsed);
    assert_eq!(world.escrow().held, 0);
}

#[test]
fn nonces_arrive_in_any_order() {
    let mut world = World::with_session();
    let intent = |nonce| Intent { nonce, amount: 1, ..world.intent() };
    for intent in [5, 1, 4, 2, 3, 70, 6].map(intent) {
        world.succeed(&[world.authorize(&intent)]);
    }
    for intent in [5, 1, 4, 2, 3, 70, 6].map(|nonce| Intent { nonce, amount: 1, ..world.intent() }) {
        world.refuse(world.authorize(&intent), EscrowError::NonceUsed);
    }
}

#[test]
fn oldest_nonce_of_the_window_accepted_once_and_the_one_below_refused() {
    let mut world = World::with_session();
    let [newest, oldest, below] =
        [5_000, 5_000 - 1_024, 5_000 - 1_025].map(|nonce| Intent { nonce, amount: 1, ..world.intent() });
    world.succeed(&[world.authorize(&newest)]);
    world.refuse(world.authorize(&below), EscrowError::NonceTooOld);
    world.succeed(&[world.authorize(&oldest)]);
    world.refuse(world.authorize(&oldest), EscrowError::NonceUsed);
}

#[test]
fn nonce_zero_refused() {
    let mut world = World::with_session();
    let intent = Intent { nonce: 0, ..world.intent() };
    world.refuse(world.authorize(&intent), EscrowError::NonceUsed);
}

#[test]
fn last_nonce_of_all_leaves_no_way_round() {
    let mut world = World::with_session();
    let [last, first, before_last] =
        [u64::MAX, 1, u64::MAX - 1].map(|nonce| Intent { nonce, amount: 1, ..world.intent() });
    world.succeed(&[world.authorize(&last)]);
    world.refuse(world.authorize(&last), EscrowError::NonceUsed);
    world.refuse(world.authorize(&first), EscrowError::NonceTooOld);
    world.succeed(&[world.authorize(&before_last)]);
}

#[test]
fn refused_intent_does_not_use_its_nonce() {
    let mut world = World::with_session();
    let intent = world.intent();
    let too_much = Intent { amount: World::DEPOSIT + 1, ..intent };
    world.refuse(world.authorize(&too_much), EscrowError::InsufficientFreeBalance);
    world.succeed(&[world.authorize(&intent)]);
}

#[test]
fn nothing_signed_in_a_closed_session_counts_in_its_successor() {
    let (mut world, old) = World::with_hold();
    let capture = Capture { intent_digest: old.digest(), amount: usdc(4), fee: 0, last: false };
    let old_capture = world.chain.sign(&old.capture_authorizer, &capture.signed_bytes());
    let old_release = world.sign_release(&old, 0);
    world.succeed(&[world.void(&old, 0), world.close_session()]);
    world.succeed(&[world.open_session(&World::limits())]);

    // The same key, the same addresses, the same nonce: another incarnation.
    world.refuse(world.authorize(&old), EscrowError::InvalidSignature);
    let new = world.intent();
    assert_eq!(new, Intent { incarnation: new.incarnation, ..old });
    assert_eq!(world.hold_address(&new), world.hold_address(&old));
    world.succeed(&[world.authorize(&new)]);
    let capture = Capture { intent_digest: new.digest(), ..capture };
    let captured = world.capture_by(&new, &capture, Proof::Signature(old_capture));
    world.refuse(captured, EscrowError::InvalidSignature);
    let voided = world.void_by(&new, 0, Proof::Signature(old_release));
    world.refuse(voided, EscrowError::InvalidSignature);
}

#[test]
fn session_closed_and_opened_in_one_transaction_has_another_incarnation() {
    let mut world = World::with_session();
    let old = world.intent();
    world.succeed(&[world.close_session(), world.open_session(&World::limits())]);
    assert_ne!(world.session().incarnation, old.incarnation);
    world.refuse(world.authorize(&old), EscrowError::InvalidSignature);
    world.refuse(world.close_session(), EscrowError::ClosedInOpeningSlot);
}

#[test]
fn escrow_closed_and_opened_again_gives_old_intents_no_new_life() {
    let mut world = World::new();
    world.succeed(&world.open_escrow(0));
    world.succeed(&[world.open_session(&World::limits())]);
    world.chain.next_slot();
    let old = world.intent();
    world.succeed(&[world.close_session(), world.close_escrow()]);
    world.succeed(&world.open_escrow(0));
    world.succeed(&[world.deposit(usdc(10)), world.open_session(&World::limits())]);
    world.refuse(world.authorize(&old), EscrowError::InvalidSignature);
}

#[test]
fn intent_of_another_cluster_refused() {
    let mut other = World::on("another cluster");
    other.succeed(&other.open_escrow(0));
    other.succeed(&[other.open_session(&World::limits())]);
    let mut world = World::with_session();
    // All keys, accounts, slots and times are the same there: only the slot hashes differ.
    let foreign = other.intent();
    assert_eq!(foreign, Intent { incarnation: foreign.incarnation, ..world.intent() });
    let authorize = instruction::authorize(&world.relay, &foreign, &other.sign_intent(&foreign));
    world.refuse(authorize, EscrowError::InvalidSignature);
    world.succeed(&[world.authorize(&world.intent())]);
}

#[test]
fn intents_of_one_key_in_two_escrows_opened_in_one_slot_stay_apart() {
    let mut world = World::with_session();
    let payer = world.chain.key("second payer");
    let escrow = x402_escrow_interface::address::escrow(&payer, &world.mint);
    world.succeed(&instruction::open_escrow(&world.relay, &payer, &world.mint, &world.token_program, 0));
    let limits = World::limits();
    // The session of the first escrow is opened again, so that both have the same incarnation.
    world.succeed(&[
        world.close_session(),
        world.open_session(&limits),
        instruction::open_session(&world.relay, &payer, &escrow, &world.agent, &limits),
    ]);
    let intent = world.intent();
    let signature = world.sign_intent(&intent);
    let elsewhere = Intent { escrow, ..intent };
    let authorize = instruction::authorize(&world.relay, &elsewhere, &signature);
    world.refuse(authorize, EscrowError::InvalidSignature);
    world.succeed(&[world.authorize(&intent)]);
}
