use x402_escrow_interface::{
    error::EscrowError,
    event::{self, Event},
};
use x402_escrow_tests::svm::{SESSION_BYTES, World, usdc};

#[test]
fn rent_goes_back_to_whoever_paid_it() {
    let mut world = World::with_session();
    let before = world.chain.lamports(&world.relay);
    let receipt = world.succeed(&[world.close_session()]);
    assert_eq!(world.chain.lamports(&world.relay), before + world.chain.rent(SESSION_BYTES));
    assert_eq!(world.chain.data(&world.session), None);
    assert_eq!(world.escrow().open_sessions, 0);
    let closed = event::SessionClosed { escrow: world.escrow, session: world.session, spent: 0 };
    assert_eq!(receipt.events, [Event::SessionClosed(closed)]);
}

#[test]
fn closing_in_the_opening_slot_refused_and_in_the_next_accepted() {
    let mut world = World::with_escrow();
    world.succeed(&[world.open_session(&World::limits())]);
    world.refuse(world.close_session(), EscrowError::ClosedInOpeningSlot);
    world.chain.next_slot();
    world.succeed(&[world.close_session()]);
}

#[test]
fn session_with_an_open_hold_refused_until_the_hold_ends() {
    let (mut world, intent) = World::with_hold();
    world.refuse(world.close_session(), EscrowError::SessionHasHolds);
    world.succeed(&[world.capture(&intent, usdc(4))]);
    world.refuse(world.close_session(), EscrowError::SessionHasHolds);
    world.succeed(&[world.void(&intent, usdc(4)), world.close_session()]);
}

#[test]
fn revoked_session_can_be_closed_and_opened_again() {
    let mut world = World::with_session();
    world.succeed(&[world.revoke_session(), world.close_session()]);
    world.succeed(&[world.open_session(&World::limits())]);
    assert_eq!(world.session().revoked, 0);
}

#[test]
fn only_the_payer_can_close() {
    let mut world = World::with_session();
    let guardian = world.guardian;
    world.succeed(&[world.set_guardian(&guardian)]);
    for thief in [world.stranger, world.agent, world.relay, guardian] {
        let mut close = world.close_session();
        close.accounts[0].pubkey = thief;
        world.refuse(close, EscrowError::WrongPayer);
    }
}
