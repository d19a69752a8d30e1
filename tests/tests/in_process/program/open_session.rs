use solana_system_interface::error::SystemError;
use x402_escrow_interface::{
    account::{Session, VERSION},
    error::EscrowError,
    event::{self, Event},
    instruction::{self, SessionLimits},
};
use x402_escrow_tests::{
    program_id,
    svm::{SESSION_BYTES, START, World},
};

#[test]
fn session_stores_its_limits_and_the_newest_slot_hash() {
    let mut world = World::with_escrow();
    let limits = SessionLimits {
        expires_at: START + 1,
        maximum_payment: 2,
        maximum_total: 3,
        maximum_per_period: 4,
        period_seconds: 5,
        receivers_root: [6; 32],
    };
    let (before, incarnation) = (world.chain.lamports(&world.relay), world.chain.newest_slot_hash());
    let receipt = world.succeed(&[world.open_session(&limits)]);
    let expected = Session {
        version: VERSION,
        revoked: 0,
        padding: [0; 2],
        open_holds: 0,
        escrow: world.escrow,
        session_key: world.agent,
        rent_payer: world.relay,
        receivers_root: [6; 32],
        incarnation,
        opened_slot: world.chain.slot(),
        periods_since: START,
        first_period: 1,
        expires_at: START + 1,
        maximum_payment: 2,
        maximum_total: 3,
        maximum_per_period: 4,
        period_seconds: 5,
        spent: 0,
        period_spent: 0,
        period_index: 1,
        highest_nonce: 0,
        used_nonces: [0; 16],
        spare: [0; 64],
    };
    assert_eq!(world.session(), expected);
    assert_eq!(world.escrow().open_sessions, 1);
    assert_eq!(world.chain.lamports(&world.relay), before - world.chain.rent(SESSION_BYTES));
    let opened = event::SessionOpened {
        escrow: world.escrow,
        session: world.session,
        session_key: world.agent,
        incarnation,
        opened_slot: world.chain.slot(),
        expires_at: START + 1,
        maximum_payment: 2,
        maximum_total: 3,
        maximum_per_period: 4,
        period_seconds: 5,
        receivers_root: [6; 32],
    };
    assert_eq!(receipt.events, [Event::SessionOpened(opened)]);
}

#[test]
fn clusters_and_slots_give_different_incarnations() {
    let incarnation = |mut world: World| {
        world.succeed(&world.open_escrow());
        world.succeed(&[world.open_session(&World::limits())]);
        world.session().incarnation
    };
    let mut later = World::on("one cluster");
    later.chain.next_slot();
    let incarnations = [World::on("one cluster"), later, World::on("another cluster")].map(incarnation);
    assert_ne!(incarnations[0], incarnations[1]);
    assert_ne!(incarnations[0], incarnations[2]);
    assert_ne!(incarnations[1], incarnations[2]);
}

#[test]
fn expiry_of_this_second_refused_and_of_the_next_accepted() {
    let mut world = World::with_escrow();
    let expiring = |expires_at| SessionLimits { expires_at, ..World::limits() };
    for past in [START, START - 1, 0, i64::MIN] {
        world.refuse(world.open_session(&expiring(past)), EscrowError::SessionExpiryPassed);
    }
    world.succeed(&[world.open_session(&expiring(START + 1))]);
}

#[test]
fn limits_that_no_payment_meets_refused() {
    let mut world = World::with_escrow();
    let no_payment = SessionLimits { maximum_payment: 0, ..World::limits() };
    world.refuse(world.open_session(&no_payment), EscrowError::LimitIsZero);
    let no_total = SessionLimits { maximum_total: 0, ..World::limits() };
    world.refuse(world.open_session(&no_total), EscrowError::LimitIsZero);
}

#[test]
fn half_a_period_limit_refused() {
    let mut world = World::with_escrow();
    let no_length = SessionLimits { maximum_per_period: 1, ..World::limits() };
    world.refuse(world.open_session(&no_length), EscrowError::PeriodIncomplete);
    let no_amount = SessionLimits { period_seconds: 1, ..World::limits() };
    world.refuse(world.open_session(&no_amount), EscrowError::PeriodIncomplete);
}

#[test]
fn the_largest_limits_of_all_are_accepted() {
    let mut world = World::with_escrow();
    let limits = SessionLimits {
        expires_at: i64::MAX,
        maximum_payment: u64::MAX,
        maximum_total: u64::MAX,
        maximum_per_period: u64::MAX,
        period_seconds: u64::MAX,
        receivers_root: [0xFF; 32],
    };
    world.succeed(&[world.open_session(&limits)]);
}

#[test]
fn second_session_of_the_same_key_refused() {
    let mut world = World::with_session();
    world.refuse(world.open_session(&World::limits()), SystemError::AccountAlreadyInUse);
}

#[test]
fn one_escrow_has_many_sessions() {
    let mut world = World::with_session();
    let agent = world.chain.key("second agent");
    world.succeed(&[world.open_session_of(&agent, &World::limits())]);
    assert_eq!(world.escrow().open_sessions, 2);
}

#[test]
fn payer_can_pay_its_own_rent() {
    let mut world = World::with_escrow();
    let World { payer, escrow, agent, .. } = world;
    let limits = World::limits();
    world.succeed(&[instruction::open_session(&program_id(), &payer, &payer, &escrow, &agent, &limits)]);
    assert_eq!(world.session().rent_payer, payer);
}

#[test]
fn only_the_payer_can_open_a_session() {
    let mut world = World::with_escrow();
    let guardian = world.guardian;
    world.succeed(&[world.set_guardian(&guardian)]);
    for thief in [world.stranger, world.agent, world.relay, guardian] {
        let mut open = world.open_session(&World::limits());
        open.accounts[1].pubkey = thief;
        world.refuse(open, EscrowError::WrongPayer);
    }
}
