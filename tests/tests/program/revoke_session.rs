use x402_escrow_interface::{
    error::EscrowError,
    event::{self, Event},
    message::{Intent, PaymentFlow},
};
use x402_escrow_tests::svm::{World, usdc};

#[test]
fn revoked_session_authorizes_and_charges_nothing_more() {
    let mut world = World::with_session();
    let intent = world.intent();
    let receipt = world.succeed(&[world.revoke_session()]);
    assert_eq!(world.session().revoked, 1);
    let revoked = event::SessionRevoked { escrow: world.escrow, session: world.session };
    assert_eq!(receipt.events, [Event::SessionRevoked(revoked)]);
    world.refuse(world.authorize(&intent), EscrowError::SessionRevoked);
    let charged = Intent { flow: PaymentFlow::Authorization, ..intent };
    world.refuse(world.charge(&charged), EscrowError::SessionRevoked);
}

#[test]
fn what_is_held_can_still_be_captured() {
    let (mut world, intent) = World::with_hold();
    world.succeed(&[world.revoke_session()]);
    world.succeed(&[world.capture(&intent, usdc(10))]);
    assert_eq!(world.tokens(&world.receiver), usdc(10));
}

#[test]
fn second_revocation_refused() {
    let mut world = World::with_session();
    world.succeed(&[world.revoke_session()]);
    world.refuse(world.revoke_session(), EscrowError::SessionRevoked);
}

#[test]
fn only_the_payer_can_revoke() {
    let mut world = World::with_session();
    for thief in [world.stranger, world.agent, world.relay] {
        let mut revoke = world.revoke_session();
        revoke.accounts[0].pubkey = thief;
        world.refuse(revoke, EscrowError::WrongPayer);
    }
}
