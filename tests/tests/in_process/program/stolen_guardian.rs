//! What a thief does that has the guardian's key: it costs the payer new session keys, and nothing else.

use x402_escrow_interface::{Address, error::EscrowError, instruction::Consent, message::Intent};
use x402_escrow_tests::svm::usdc;

use super::thief::{BEFORE, Scene, limits};

#[test]
fn stolen_guardian_stops_sessions_and_can_do_nothing_else() {
    let mut scene = Scene::new();
    let guardian = scene.world.guardian;
    scene.refuses_the_rest(&[guardian]);

    let world = &mut scene.world;
    world.succeed(&[world.revoke_session_by(&guardian, Consent::Signer)]);
    let slot = world.chain.slot();
    let all = world.sign_revoke(&guardian, &world.revoke_all_message(slot));
    world.succeed(&[world.revoke_sessions_by(&guardian, slot, all)]);
    let next = Intent { nonce: 3, ..world.intent() };
    world.refuse(world.authorize(&next), EscrowError::SessionRevoked);
    // No slot to come can be revoked.
    let future = world.revoke_sessions_by(&guardian, slot + 1, Consent::Signer);
    world.refuse(future, EscrowError::RevokedSlotInFuture);
    assert_eq!(scene.tokens(), BEFORE);

    // What is held is paid all the same, and what is free can leave.
    scene.world.succeed(&[scene.capture(usdc(10))]);
    scene.pays_the_other_merchant();
    scene.world.succeed(&[scene.world.withdraw(Some(usdc(1)))]);
}

#[test]
fn payer_removes_a_stolen_guardian_and_opens_its_sessions_again() {
    let mut scene = Scene::new();
    let guardian = scene.world.guardian;
    let slot = scene.world.chain.slot();
    scene.world.succeed(&[scene.world.revoke_sessions_by(&guardian, slot, Consent::Signer)]);
    scene.world.succeed(&[scene.capture(usdc(10))]);
    scene.pays_the_other_merchant();

    let world = &mut scene.world;
    world.succeed(&[world.set_guardian(&Address::default()), world.close_session()]);
    world.chain.next_slot();
    world.succeed(&[world.open_session(&limits())]);
    let slot = world.chain.slot();
    for again in [
        world.revoke_session_by(&guardian, Consent::Signer),
        world.revoke_sessions_by(&guardian, slot, Consent::Signer),
    ] {
        world.refuse(again, EscrowError::WrongRevoker);
    }
    let next = world.intent();
    world.succeed(&[world.authorize(&next)]);
}

#[test]
fn guardian_takes_nothing_from_the_sessions_that_it_may_stop() {
    let mut scene = Scene::new();
    let (guardian, agent) = (scene.world.guardian, scene.world.agent);
    // Its signature is none under an intent, and the session key is not its to replace.
    let to_thief = scene.to_thief(1, 3);
    let by_guardian = Intent { session_key: guardian, ..to_thief };
    let signature = scene.world.sign_intent(&by_guardian);
    let mut charge = scene.world.charge(&to_thief);
    let signed = scene.world.sign_intent(&to_thief);
    let start = charge.data.windows(64).position(|bytes| bytes == signed).unwrap();
    charge.data[start..start + 64].copy_from_slice(&signature);
    scene.world.refuse(charge, EscrowError::InvalidSignature);
    assert_eq!(scene.world.session().session_key, agent);
    assert_eq!(scene.tokens(), BEFORE);
}
