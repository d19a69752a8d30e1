//! One session is stopped by its payer or guardian, who sign a message or the transaction.

use x402_escrow_interface::{
    Address,
    error::EscrowError,
    event::{self, Event},
    instruction::{self, Consent},
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
            let mut world = guarded();
            let revoker = if by_guardian { world.guardian } else { world.payer };
            let intent = world.intent();
            let consent = match by_message {
                true => world.sign_revoke(&revoker, &world.revoke_message()),
                false => Consent::Signer,
            };
            // By message nobody but the fee payer signs: a stranger can do it.
            let receipt = world.succeed(&[world.revoke_session_by(&revoker, consent)]);
            assert_eq!(world.session().revoked, 1);
            assert!(world.escrow().has_revoked(&world.session()));
            let revoked = event::SessionRevoked {
                escrow: world.escrow,
                session: world.session,
                session_key: world.agent,
                incarnation: intent.incarnation,
                revoker,
            };
            assert_eq!(receipt.events, [Event::SessionRevoked(revoked)]);
            authorizes_nothing(&mut world, &intent);
        }
    }
}

#[test]
fn what_is_held_can_still_be_captured() {
    let (mut world, intent) = World::with_hold();
    world.succeed(&[world.revoke_session()]);
    world.succeed(&[world.capture(&intent, usdc(10))]);
    assert_eq!(world.tokens(&world.receiver), usdc(10));
}

#[test]
fn second_revocation_succeeds_and_changes_nothing() {
    let mut world = guarded();
    world.succeed(&[world.revoke_session()]);
    let before = world.session();
    let by_guardian = world.sign_revoke(&world.guardian, &world.revoke_message());
    for again in [world.revoke_session(), world.revoke_session_by(&world.guardian, by_guardian)] {
        let receipt = world.succeed(&[again]);
        assert_eq!((world.session(), receipt.events), (before, Vec::new()));
    }
}

#[test]
fn revocation_relayed_again_does_nothing_to_the_next_incarnation() {
    let mut world = guarded();
    let (payer, guardian) = (world.payer, world.guardian);
    let message = world.revoke_message();
    let [by_payer, by_guardian] = [payer, guardian].map(|key| world.sign_revoke(&key, &message));
    let lingering = [payer, guardian].map(|key| world.revoke_session_by(&key, Consent::Signer));
    world.succeed(&[world.revoke_session_by(&payer, by_payer), world.close_session()]);
    world.succeed(&[world.open_session(&World::limits())]);

    for (revoker, replayed) in [(payer, by_payer), (guardian, by_guardian)] {
        world.refuse(world.revoke_session_by(&revoker, replayed), EscrowError::InvalidSignature);
    }
    // Transactions that were signed for the first incarnation and linger.
    for instruction in lingering {
        world.refuse(instruction, EscrowError::WrongConsent);
    }
    assert!(!world.escrow().has_revoked(&world.session()));
    let intent = world.intent();
    world.succeed(&[world.authorize(&intent)]);
}

#[test]
fn revocation_of_another_session_escrow_or_program_refused() {
    let mut world = guarded();
    let payer = world.payer;
    let Revoke { program, escrow, session_key, incarnation, .. } = world.revoke_message();
    let of_one = RevokeScope::Session { session_key, incarnation };
    let of_other = |session_key, incarnation| RevokeScope::Session { session_key, incarnation };
    let other = Address::new_from_array([9; 32]);
    for message in [
        Revoke::new(other, escrow, of_one),
        Revoke::new(program, other, of_one),
        Revoke::new(program, escrow, of_other(other, incarnation)),
        Revoke::new(program, escrow, of_other(session_key, [9; 32])),
        Revoke::new(program, escrow, RevokeScope::OpenedThroughSlot(world.chain.slot())),
        Revoke { opened_through_slot: 1, ..world.revoke_message() },
    ] {
        let consent = world.sign_revoke(&payer, &message);
        world.refuse(world.revoke_session_by(&payer, consent), EscrowError::InvalidSignature);
    }
    let consent = world.sign_revoke(&payer, &world.revoke_message());
    world.succeed(&[world.revoke_session_by(&payer, consent)]);
}

#[test]
fn signer_that_names_another_session_refused() {
    let mut world = guarded();
    let payer = world.payer;
    let second = world.chain.key("second agent");
    world.succeed(&[world.open_session_of(&second, &World::limits())]);
    let stored = world.session();
    let elsewhere = x402_escrow_interface::account::Session { session_key: second, ..stored };
    let mut revoke = instruction::revoke_session(&program_id(), &payer, &elsewhere, Consent::Signer);
    revoke.accounts[2].pubkey = world.session;
    world.refuse(revoke, EscrowError::WrongConsent);
}

#[test]
fn only_payer_and_guardian_can_revoke() {
    let mut world = guarded();
    for thief in [world.stranger, world.agent, world.relay, world.receiver] {
        world.refuse(world.revoke_session_by(&thief, Consent::Signer), EscrowError::WrongRevoker);
        let signed = world.sign_revoke(&thief, &world.revoke_message());
        world.refuse(world.revoke_session_by(&thief, signed), EscrowError::WrongRevoker);
        // Nor in the name of one of them.
        for revoker in [world.payer, world.guardian] {
            world.refuse(world.revoke_session_by(&revoker, signed), EscrowError::InvalidSignature);
            let mut unsigned = world.revoke_session_by(&revoker, Consent::Signer);
            unsigned.accounts[0].is_signer = false;
            world.refuse(unsigned, EscrowError::MissingAuthorizer);
        }
    }
    assert_eq!(world.session().revoked, 0);
}

#[test]
fn guardian_of_one_escrow_revokes_nothing_of_another() {
    let mut world = guarded();
    let rival = world.rival();
    let mut revoke = world.revoke_session_by(&world.guardian, Consent::Signer);
    revoke.accounts[1].pubkey = rival.escrow;
    revoke.accounts[2].pubkey = rival.session;
    world.refuse(revoke, EscrowError::WrongRevoker);
}

/// A session, and a guardian of its escrow.
fn guarded() -> World {
    let mut world = World::with_session();
    let guardian = world.guardian;
    world.succeed(&[world.set_guardian(&guardian)]);
    world
}

fn authorizes_nothing(world: &mut World, intent: &Intent) {
    world.refuse(world.authorize(intent), EscrowError::SessionRevoked);
    let charged = Intent { flow: PaymentFlow::Authorization, ..*intent };
    world.refuse(world.charge(&charged), EscrowError::SessionRevoked);
}
