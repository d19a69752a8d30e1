use x402_escrow_interface::{
    Address,
    error::EscrowError,
    event::{self, Event},
    instruction::Consent,
};
use x402_escrow_tests::svm::World;

#[test]
fn payer_sets_changes_and_removes_the_guardian() {
    let mut world = World::with_escrow();
    for guardian in [world.guardian, world.stranger, Address::default(), world.guardian] {
        let receipt = world.succeed(&[world.set_guardian(&guardian)]);
        assert_eq!(world.escrow().guardian, guardian);
        let set = event::GuardianSet { escrow: world.escrow, guardian };
        assert_eq!(receipt.events, [Event::GuardianSet(set)]);
    }
}

#[test]
fn guardian_revokes_only_while_it_is_the_guardian() {
    let mut world = World::with_session();
    let (first, second) = (world.guardian, world.stranger);
    let by = |world: &World, key| {
        let message = world.sign_revoke(key, &world.revoke_message());
        [world.revoke_session_by(key, Consent::Signer), world.revoke_session_by(key, message)]
    };
    for attempt in by(&world, &first) {
        world.refuse(attempt, EscrowError::WrongRevoker);
    }
    world.succeed(&[world.set_guardian(&first), world.set_guardian(&second)]);
    // What it signed while it was the guardian counts no more either.
    for attempt in by(&world, &first) {
        world.refuse(attempt, EscrowError::WrongRevoker);
    }
    world.succeed(&[world.set_guardian(&Address::default())]);
    for attempt in by(&world, &second) {
        world.refuse(attempt, EscrowError::WrongRevoker);
    }
    world.succeed(&[world.set_guardian(&first)]);
    let [as_signer, by_message] = by(&world, &first);
    world.succeed(&[by_message, as_signer]);
    assert_eq!(world.session().revoked, 1);
}

#[test]
fn nobody_is_the_guardian_of_an_escrow_without_one() {
    let mut world = World::with_session();
    // The address that stands for nobody is the system program's, whose signature nobody has.
    let nobody = Address::default();
    let forged = world.revoke_session_by(&nobody, Consent::Signature([0; 64]));
    world.refuse(forged, EscrowError::WrongRevoker);
    let slot = world.chain.slot();
    let forged = world.revoke_sessions_by(&nobody, slot, Consent::Signature([0; 64]));
    world.refuse(forged, EscrowError::WrongRevoker);
}

#[test]
fn only_the_payer_can_set_the_guardian() {
    let mut world = World::with_session();
    let guardian = world.guardian;
    world.succeed(&[world.set_guardian(&guardian)]);
    for thief in [guardian, world.stranger, world.agent, world.relay] {
        let mut set = world.set_guardian(&thief);
        set.accounts[0].pubkey = thief;
        world.refuse(set, EscrowError::WrongPayer);
    }
}
