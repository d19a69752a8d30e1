use x402_escrow_interface::{
    error::EscrowError,
    event::{self, Event},
    instruction::{Consent, SessionLimits},
    message::Intent,
};
use x402_escrow_tests::svm::{START, World, usdc};

const HOUR_SECONDS: u64 = 3_600;

#[test]
fn new_limits_replace_the_old_and_what_is_spent_stays_spent() {
    let (mut world, _) = World::with_hold();
    let limits = SessionLimits {
        expires_at: START + 7,
        maximum_payment: usdc(2),
        maximum_total: usdc(12),
        maximum_per_period: usdc(1),
        period_seconds: HOUR_SECONDS,
        receivers_root: [6; 32],
    };
    let receipt = world.succeed(&[world.update_session(&limits)]);
    let session = world.session();
    assert_eq!(
        (session.expires_at, session.maximum_payment, session.maximum_total),
        (limits.expires_at, limits.maximum_payment, limits.maximum_total)
    );
    assert_eq!(
        (session.maximum_per_period, session.period_seconds, session.receivers_root),
        (limits.maximum_per_period, limits.period_seconds, limits.receivers_root)
    );
    assert_eq!((session.spent, session.period_spent, session.open_holds), (usdc(10), 0, 1));
    let updated = event::SessionUpdated {
        escrow: world.escrow,
        session: world.session,
        expires_at: limits.expires_at,
        maximum_payment: limits.maximum_payment,
        maximum_total: limits.maximum_total,
        maximum_per_period: limits.maximum_per_period,
        period_seconds: limits.period_seconds,
        receivers_root: limits.receivers_root,
    };
    assert_eq!(receipt.events, [Event::SessionUpdated(updated)]);
}

#[test]
fn total_below_what_is_spent_stops_payments_until_it_is_raised() {
    let (mut world, first) = World::with_hold();
    let next = Intent { nonce: 2, amount: 1, ..first };
    world.succeed(&[world.update_session(&SessionLimits { maximum_total: 1, ..World::limits() })]);
    world.refuse(world.authorize(&next), EscrowError::TotalLimitExceeded);
    // The hold that is open is none the worse.
    world.succeed(&[world.capture(&first, usdc(4))]);
    world.succeed(&[world.update_session(&World::limits())]);
    world.succeed(&[world.authorize(&next)]);
}

#[test]
fn expired_session_can_be_prolonged() {
    let mut world = World::with_session_of(SessionLimits { expires_at: START + 1, ..World::limits() });
    world.chain.set_time(START + 2);
    let intent = world.intent();
    world.refuse(world.authorize(&intent), EscrowError::SessionExpired);
    world.succeed(&[world.update_session(&World::limits())]);
    world.succeed(&[world.authorize(&intent)]);
}

#[test]
fn revoked_session_stays_revoked() {
    let mut world = World::with_session();
    world.succeed(&[world.revoke_session()]);
    world.refuse(world.update_session(&World::limits()), EscrowError::SessionRevoked);
}

#[test]
fn session_revoked_with_all_others_stays_revoked() {
    let mut world = World::with_session();
    let (payer, slot) = (world.payer, world.chain.slot());
    world.succeed(&[world.revoke_sessions_by(&payer, slot, Consent::Signer)]);
    world.refuse(world.update_session(&World::limits()), EscrowError::SessionRevoked);
}

#[test]
fn bad_limits_refused() {
    let mut world = World::with_session();
    for (limits, error) in [
        (SessionLimits { expires_at: START, ..World::limits() }, EscrowError::SessionExpiryPassed),
        (SessionLimits { maximum_payment: 0, ..World::limits() }, EscrowError::LimitIsZero),
        (SessionLimits { maximum_total: 0, ..World::limits() }, EscrowError::LimitIsZero),
        (SessionLimits { maximum_per_period: 1, ..World::limits() }, EscrowError::PeriodIncomplete),
        (SessionLimits { period_seconds: 1, ..World::limits() }, EscrowError::PeriodIncomplete),
    ] {
        world.refuse(world.update_session(&limits), error);
    }
}

#[test]
fn only_the_payer_can_change_limits() {
    let mut world = World::with_session();
    let guardian = world.guardian;
    world.succeed(&[world.set_guardian(&guardian)]);
    for thief in [world.stranger, world.agent, world.relay, guardian] {
        let mut update = world.update_session(&World::limits());
        update.accounts[0].pubkey = thief;
        world.refuse(update, EscrowError::WrongPayer);
    }
}
