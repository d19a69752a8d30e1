//! All sessions of an escrow are stopped at once by its payer or guardian: those opened up to a slot.

use x402_escrow_interface::{
    Address, address,
    error::EscrowError,
    event::{self, Event},
    instruction::Consent,
    message::{Intent, PaymentFlow, Revoke, RevokeScope},
};
use x402_escrow_tests::{
    program_id,
    svm::{World, usdc},
};

#[test]
fn payer_and_guardian_each_revoke_by_message_and_as_signer() {
    for by_message in [false, true] {
        for by_guardian in [false, true] {
            let (mut world, second) = with_two_sessions();
            let revoker = if by_guardian { world.guardian } else { world.payer };
            let slot = world.chain.slot();
            let consent = match by_message {
                true => world.sign_revoke(&revoker, &world.revoke_all_message(slot)),
                false => Consent::Signer,
            };
            let receipt = world.succeed(&[world.revoke_sessions_by(&revoker, slot, consent)]);
            assert_eq!(world.escrow().revoked_before_slot, slot + 1);
            let revoked = event::SessionsRevoked { escrow: world.escrow, opened_through_slot: slot, revoker };
            assert_eq!(receipt.events, [Event::SessionsRevoked(revoked)]);
            // The sessions' own accounts are not touched.
            assert_eq!(world.session().revoked, 0);
            assert!(world.escrow().has_revoked(&world.session()));
            for intent in [world.intent(), second] {
                world.refuse(world.authorize(&intent), EscrowError::SessionRevoked);
                let charged = Intent { flow: PaymentFlow::Authorization, ..intent };
                world.refuse(world.charge(&charged), EscrowError::SessionRevoked);
            }
        }
    }
}

#[test]
fn what_is_held_can_still_be_captured_and_sessions_close() {
    let (mut world, intent) = World::with_hold();
    let (payer, slot) = (world.payer, world.chain.slot());
    world.succeed(&[world.revoke_sessions_by(&payer, slot, Consent::Signer)]);
    world.succeed(&[world.capture(&intent, usdc(10)), world.close_session(), world.close_escrow()]);
    assert_eq!(world.tokens(&world.receiver), usdc(10));
}

#[test]
fn session_opened_in_a_later_slot_lives_and_one_of_the_same_slot_does_not() {
    let mut world = World::with_escrow();
    let (payer, slot) = (world.payer, world.chain.slot());
    let [same, later] =
        ["agent of the same slot", "agent of the next slot"].map(|name| world.chain.key(name));
    world.succeed(&[
        world.revoke_sessions_by(&payer, slot, Consent::Signer),
        world.open_session_of(&same, &World::limits()),
    ]);
    world.chain.next_slot();
    world.succeed(&[world.open_session_of(&later, &World::limits())]);
    let [of_same, of_later] = [same, later].map(|agent| intent_of(&world, &agent));
    world.refuse(world.authorize(&of_same), EscrowError::SessionRevoked);
    world.succeed(&[world.authorize(&of_later)]);
}

#[test]
fn only_sessions_opened_up_to_the_slot_are_revoked() {
    let mut world = World::with_session();
    let (payer, opened) = (world.payer, world.session().opened_slot);
    let second = world.chain.key("second agent");
    world.succeed(&[world.open_session_of(&second, &World::limits())]);
    let [first, second] = [world.intent(), intent_of(&world, &second)];
    world.succeed(&[world.revoke_sessions_by(&payer, opened - 1, Consent::Signer)]);
    world.succeed(&[world.authorize(&first)]);
    world.succeed(&[world.revoke_sessions_by(&payer, opened, Consent::Signer)]);
    world.refuse(world.authorize(&Intent { nonce: 2, ..first }), EscrowError::SessionRevoked);
    world.succeed(&[world.authorize(&second)]);
}

#[test]
fn slot_in_the_future_refused_until_it_has_come() {
    let mut world = World::with_session();
    let (payer, slot) = (world.payer, world.chain.slot());
    for future in [slot + 1, u64::MAX] {
        let by_message = world.sign_revoke(&payer, &world.revoke_all_message(future));
        for consent in [Consent::Signer, by_message] {
            let revoke = world.revoke_sessions_by(&payer, future, consent);
            world.refuse(revoke, EscrowError::RevokedSlotInFuture);
        }
    }
    assert_eq!(world.escrow().revoked_before_slot, 0);
    world.chain.next_slot();
    world.succeed(&[world.revoke_sessions_by(&payer, slot + 1, Consent::Signer)]);
}

#[test]
fn revocation_of_no_more_succeeds_and_changes_nothing() {
    let (mut world, _) = with_two_sessions();
    let (payer, slot) = (world.payer, world.chain.slot());
    world.succeed(&[world.revoke_sessions_by(&payer, slot, Consent::Signer)]);
    let before = world.escrow();
    for earlier in [slot, slot - 1, 0] {
        let by_message = world.sign_revoke(&payer, &world.revoke_all_message(earlier));
        for consent in [Consent::Signer, by_message] {
            let receipt = world.succeed(&[world.revoke_sessions_by(&payer, earlier, consent)]);
            assert_eq!((world.escrow(), receipt.events), (before, Vec::new()));
        }
    }
}

#[test]
fn revocation_relayed_again_does_nothing_to_a_session_opened_again() {
    let mut world = World::with_session();
    let (payer, slot) = (world.payer, world.chain.slot());
    let by_message = world.sign_revoke(&payer, &world.revoke_all_message(slot));
    let lingering = world.revoke_sessions_by(&payer, slot, Consent::Signer);
    let revoke = world.revoke_sessions_by(&payer, slot, by_message);
    world.succeed(&[revoke.clone(), world.close_session()]);
    world.chain.next_slot();
    world.succeed(&[world.open_session(&World::limits())]);
    for again in [revoke, lingering] {
        world.succeed(&[again]);
        assert!(!world.escrow().has_revoked(&world.session()));
    }
    let intent = world.intent();
    world.succeed(&[world.authorize(&intent)]);
}

#[test]
fn revocation_of_an_escrow_opened_again_needs_another_slot() {
    let mut world = World::with_session();
    let (payer, slot) = (world.payer, world.chain.slot());
    let by_message = world.sign_revoke(&payer, &world.revoke_all_message(slot));
    world.succeed(&[world.close_session(), world.close_escrow()]);
    world.chain.next_slot();
    world.succeed(&world.open_escrow());
    world.succeed(&[world.deposit(usdc(10)), world.open_session(&World::limits())]);
    // The message names the escrow's address, which is the same, and a slot before this session's.
    world.succeed(&[world.revoke_sessions_by(&payer, slot, by_message)]);
    let intent = world.intent();
    world.succeed(&[world.authorize(&intent)]);
}

#[test]
fn revocation_of_another_escrow_program_slot_or_kind_refused() {
    let mut world = World::with_session();
    let (payer, slot) = (world.payer, world.chain.slot());
    let Revoke { program, escrow, .. } = world.revoke_all_message(slot);
    let (other, all) = (Address::new_from_array([9; 32]), RevokeScope::OpenedThroughSlot(slot));
    for message in [
        Revoke::new(other, escrow, all),
        Revoke::new(program, other, all),
        Revoke::new(program, escrow, RevokeScope::OpenedThroughSlot(slot - 1)),
        world.revoke_message(),
        Revoke { opened_through_slot: slot, ..world.revoke_message() },
    ] {
        let consent = world.sign_revoke(&payer, &message);
        world.refuse(world.revoke_sessions_by(&payer, slot, consent), EscrowError::InvalidSignature);
    }
    // A signer's consent to an earlier slot is none to this one.
    let mut later = world.revoke_sessions_by(&payer, slot - 1, Consent::Signer);
    later.data[1..9].copy_from_slice(&slot.to_le_bytes());
    world.refuse(later, EscrowError::WrongConsent);
}

#[test]
fn only_payer_and_guardian_can_revoke() {
    let (mut world, _) = with_two_sessions();
    let slot = world.chain.slot();
    for thief in [world.stranger, world.agent, world.relay, world.receiver] {
        let signed = world.sign_revoke(&thief, &world.revoke_all_message(slot));
        for consent in [Consent::Signer, signed] {
            let revoke = world.revoke_sessions_by(&thief, slot, consent);
            world.refuse(revoke, EscrowError::WrongRevoker);
        }
        for revoker in [world.payer, world.guardian] {
            let in_its_name = world.revoke_sessions_by(&revoker, slot, signed);
            world.refuse(in_its_name, EscrowError::InvalidSignature);
            let mut unsigned = world.revoke_sessions_by(&revoker, slot, Consent::Signer);
            unsigned.accounts[0].is_signer = false;
            world.refuse(unsigned, EscrowError::MissingAuthorizer);
        }
    }
    assert_eq!(world.escrow().revoked_before_slot, 0);
}

/// A guardian and two sessions; the usual intent of the second one.
fn with_two_sessions() -> (World, Intent) {
    let mut world = World::with_session();
    let (guardian, second) = (world.guardian, world.chain.key("second agent"));
    world.succeed(&[world.set_guardian(&guardian), world.open_session_of(&second, &World::limits())]);
    let intent = intent_of(&world, &second);
    (world, intent)
}

/// The usual intent in the session of `agent`.
fn intent_of(world: &World, agent: &Address) -> Intent {
    let address = address::session(&program_id(), &world.escrow, agent);
    let session = world.session_at(&address);
    Intent { session_key: *agent, ..world.intent_of(session.incarnation) }
}
