//! What keeps a signature from being used twice: the nonce, the window and the incarnation.

use x402_escrow_interface::{
    account::{DISCRIMINATOR_BYTES, Session},
    address,
    error::EscrowError,
    instruction::{self, Consent},
    message::{Capture, Intent, PaymentFlow},
};
use x402_escrow_tests::{
    program_id,
    svm::{World, usdc},
};

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
fn nonces_arrive_in_any_order() {
    let mut world = World::with_session();
    const NONCES: [u64; 7] = [5, 1, 4, 2, 3, 70, 6];
    for nonce in NONCES {
        world.succeed(&[world.charge(&charged(&world, nonce))]);
    }
    for nonce in NONCES {
        world.refuse(world.charge(&charged(&world, nonce)), EscrowError::NonceUsed);
    }
}

#[test]
fn oldest_nonce_of_the_window_accepted_once_and_the_one_below_refused() {
    let mut world = World::with_session();
    let newest = 3 * 1_024;
    for nonce in [1_024, 2_048, newest] {
        world.succeed(&[world.charge(&charged(&world, nonce))]);
    }
    let [oldest, below] = [newest - 1_024 + 1, newest - 1_025].map(|nonce| charged(&world, nonce));
    world.refuse(world.charge(&below), EscrowError::NonceTooOld);
    world.succeed(&[world.charge(&oldest)]);
    world.refuse(world.charge(&oldest), EscrowError::NonceUsed);
    // The oldest of all was used.
    world.refuse(world.charge(&charged(&world, newest - 1_024)), EscrowError::NonceUsed);
}

#[test]
fn no_signature_uses_up_the_session_by_a_jump_of_the_nonce() {
    let mut world = World::with_session();
    for far in [1_025, 1 << 32, u64::MAX - 1, u64::MAX] {
        let [held, charged] = [Intent { nonce: far, amount: 1, ..world.intent() }, charged(&world, far)];
        world.refuse(world.authorize(&held), EscrowError::NonceTooFarAhead);
        world.refuse(world.charge(&charged), EscrowError::NonceTooFarAhead);
    }
    assert_eq!(world.session().highest_nonce, 0);
    world.succeed(&[world.charge(&charged(&world, 1_024))]);
    world.refuse(world.charge(&charged(&world, 2_049)), EscrowError::NonceTooFarAhead);
    world.succeed(&[world.charge(&charged(&world, 2_048))]);
    // Whatever was skipped in the last step is still there.
    for nonce in [1_025, 2_047] {
        world.succeed(&[world.charge(&charged(&world, nonce))]);
    }
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
    // Where only 2^54 steps lead.
    let session = world.session;
    world.chain.rewrite(&session, |data| {
        let mut stored = Session::decode(data).unwrap();
        stored.highest_nonce = u64::MAX - 1_024;
        data.truncate(DISCRIMINATOR_BYTES);
        borsh::to_writer(data, &stored).unwrap();
    });
    let [last, first, before_last] = [u64::MAX, 1, u64::MAX - 1].map(|nonce| charged(&world, nonce));
    world.succeed(&[world.charge(&last)]);
    world.refuse(world.charge(&last), EscrowError::NonceUsed);
    world.refuse(world.charge(&first), EscrowError::NonceTooOld);
    world.succeed(&[world.charge(&before_last)]);
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
    let captured = world.capture_by(&new, &capture, Consent::Signature(old_capture));
    world.refuse(captured, EscrowError::InvalidSignature);
    let voided = world.void_by(&new, 0, Consent::Signature(old_release));
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
    world.succeed(&world.open_escrow());
    world.succeed(&[world.open_session(&World::limits())]);
    world.chain.next_slot();
    let old = world.intent();
    world.succeed(&[world.close_session(), world.close_escrow()]);
    world.succeed(&world.open_escrow());
    world.succeed(&[world.deposit(usdc(10)), world.open_session(&World::limits())]);
    world.refuse(world.authorize(&old), EscrowError::InvalidSignature);
}

#[test]
fn intent_of_another_cluster_refused() {
    let mut other = World::on("another cluster");
    other.succeed(&other.open_escrow());
    other.succeed(&[other.open_session(&World::limits())]);
    let mut world = World::with_session();
    // All keys, accounts, slots and times are the same there: only the slot hashes differ.
    let foreign = other.intent();
    assert_eq!(foreign, Intent { incarnation: foreign.incarnation, ..world.intent() });
    let authorize = instruction::authorize(&world.relay, &foreign, &other.sign_intent(&foreign), &[]);
    world.refuse(authorize, EscrowError::InvalidSignature);
    world.succeed(&[world.authorize(&world.intent())]);
}

#[test]
fn intents_of_one_key_in_two_escrows_opened_in_one_slot_stay_apart() {
    let mut world = World::with_session();
    let payer = world.chain.key("second payer");
    let (program, World { relay, mint, token_program, .. }) = (program_id(), &world);
    let escrow = address::escrow(&program, &payer, mint);
    let open = instruction::open_escrow(&program, relay, &payer, mint, token_program);
    world.succeed(&open);
    let limits = World::limits();
    // The session of the first escrow is opened again, so that both have the same incarnation.
    world.succeed(&[
        world.close_session(),
        world.open_session(&limits),
        instruction::open_session(&program, &world.relay, &payer, &escrow, &world.agent, &limits),
    ]);
    let intent = world.intent();
    let signature = world.sign_intent(&intent);
    let elsewhere = Intent { escrow, ..intent };
    let authorize = instruction::authorize(&world.relay, &elsewhere, &signature, &[]);
    world.refuse(authorize, EscrowError::InvalidSignature);
    world.succeed(&[world.authorize(&intent)]);
}

/// An intent of one base unit, to be charged at once.
fn charged(world: &World, nonce: u64) -> Intent {
    Intent { nonce, amount: 1, flow: PaymentFlow::Authorization, ..world.intent() }
}
