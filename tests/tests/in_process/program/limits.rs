//! A session's limits: per payment, in all and per period.

use x402_escrow_interface::{
    error::EscrowError,
    instruction::{Charge, Consent, SessionLimits},
    message::{Intent, PaymentFlow},
};
use x402_escrow_tests::svm::{START, World, usdc};

const HOUR_SECONDS: u64 = 3_600;
const HOUR: i64 = HOUR_SECONDS as i64;

#[test]
fn payment_at_the_limit_passes_and_one_more_is_refused() {
    let mut world = World::with_session_of(SessionLimits { maximum_payment: usdc(5), ..World::limits() });
    let [more, exact] = [usdc(5) + 1, usdc(5)].map(|amount| Intent { amount, ..world.intent() });
    world.refuse(world.authorize(&more), EscrowError::PaymentLimitExceeded);
    let charged = Intent { flow: PaymentFlow::Authorization, ..more };
    world.refuse(world.charge(&charged), EscrowError::PaymentLimitExceeded);
    world.succeed(&[world.authorize(&exact)]);
}

#[test]
fn charge_counts_by_what_it_takes_not_by_what_it_may() {
    let mut world = World::with_session_of(SessionLimits { maximum_payment: usdc(5), ..World::limits() });
    let intent = Intent { amount: usdc(50), flow: PaymentFlow::Authorization, ..world.intent() };
    let capture = Some(world.charge_capture(&intent, &world.capture_message(&intent, usdc(5))));
    let charge = Charge { amount: usdc(5), capture, release: Some(Consent::Signer) };
    world.succeed(&[world.charge_as(&intent, &charge)]);
    assert_eq!(world.session().spent, usdc(5));
}

#[test]
fn total_exactly_spent_passes_and_one_more_is_refused() {
    let mut world = World::with_session_of(SessionLimits { maximum_total: usdc(15), ..World::limits() });
    let of = |amount, nonce| Intent { amount, nonce, ..world.intent() };
    let (first, exact, more) = (of(usdc(10), 1), of(usdc(5), 2), of(usdc(5) + 1, 2));
    let after = of(1, 3);
    world.succeed(&[world.authorize(&first)]);
    world.refuse(world.authorize(&more), EscrowError::TotalLimitExceeded);
    world.succeed(&[world.authorize(&exact)]);
    world.refuse(world.authorize(&after), EscrowError::TotalLimitExceeded);
    // Captures leave the total as it is; what is released is given back.
    world.succeed(&[world.capture(&first, usdc(10))]);
    world.refuse(world.authorize(&after), EscrowError::TotalLimitExceeded);
    world.succeed(&[world.void(&exact, usdc(4))]);
    world.succeed(&[world.authorize(&after)]);
    assert_eq!(world.session().spent, usdc(14) + 1);
}

#[test]
fn spending_that_can_not_be_counted_refused() {
    let wide = SessionLimits { maximum_payment: u64::MAX, maximum_total: u64::MAX, ..World::limits() };
    let mut world = World::with_session_of(wide);
    let first = world.intent();
    let most = Intent { nonce: 2, amount: u64::MAX, ..first };
    world.refuse(world.authorize(&most), EscrowError::InsufficientFreeBalance);
    world.succeed(&[world.authorize(&first)]);
    world.refuse(world.authorize(&most), EscrowError::AmountOverflow);
    let countable = Intent { amount: u64::MAX - usdc(10), ..most };
    world.refuse(world.authorize(&countable), EscrowError::InsufficientFreeBalance);
}

#[test]
fn expired_session_charges_nothing() {
    let mut world = World::with_session_of(SessionLimits { expires_at: START + 5, ..World::limits() });
    let intent = Intent { flow: PaymentFlow::Authorization, ..world.intent() };
    world.chain.set_time(START + 6);
    world.refuse(world.charge(&intent), EscrowError::SessionExpired);
    world.chain.set_time(START + 5);
    world.succeed(&[world.charge(&intent)]);
}

#[test]
fn period_exactly_spent_passes_and_one_more_is_refused_until_the_next() {
    let mut world = hourly(usdc(10));
    world.succeed(&[world.authorize(&payment(&world, usdc(6), 1))]);
    world.refuse(world.authorize(&payment(&world, usdc(4) + 1, 2)), EscrowError::PeriodLimitExceeded);
    world.succeed(&[world.authorize(&payment(&world, usdc(4), 2))]);
    world.chain.set_time(START + HOUR - 1);
    world.refuse(world.authorize(&payment(&world, 1, 3)), EscrowError::PeriodLimitExceeded);
    world.chain.set_time(START + HOUR);
    world.refuse(world.authorize(&payment(&world, usdc(10) + 1, 3)), EscrowError::PeriodLimitExceeded);
    world.succeed(&[world.authorize(&payment(&world, usdc(10), 3))]);
    let session = world.session();
    assert_eq!((session.period_index, session.period_spent, session.spent), (2, usdc(10), usdc(20)));
}

#[test]
fn unspent_periods_do_not_add_up() {
    let mut world = hourly(usdc(10));
    world.chain.set_time(START + 5 * HOUR + 7);
    world.refuse(world.authorize(&payment(&world, usdc(10) + 1, 1)), EscrowError::PeriodLimitExceeded);
    world.succeed(&[world.authorize(&payment(&world, usdc(10), 1))]);
    assert_eq!(world.session().period_index, 6);
}

#[test]
fn charges_count_in_the_period() {
    let mut world = hourly(usdc(10));
    let charge =
        |world: &World, nonce| Intent { flow: PaymentFlow::Authorization, ..payment(world, usdc(6), nonce) };
    world.succeed(&[world.charge(&charge(&world, 1))]);
    world.refuse(world.charge(&charge(&world, 2)), EscrowError::PeriodLimitExceeded);
}

#[test]
fn release_in_the_same_period_is_given_back_to_it() {
    let mut world = hourly(usdc(10));
    let first = payment(&world, usdc(10), 1);
    world.succeed(&[world.authorize(&first)]);
    world.succeed(&[world.void(&first, usdc(3))]);
    let session = world.session();
    assert_eq!((session.period_spent, session.spent), (usdc(3), usdc(3)));
    world.refuse(world.authorize(&payment(&world, usdc(7) + 1, 2)), EscrowError::PeriodLimitExceeded);
    world.succeed(&[world.authorize(&payment(&world, usdc(7), 2))]);
}

#[test]
fn release_of_an_earlier_period_is_given_back_to_the_total_only() {
    let mut world = hourly(usdc(10));
    let first = payment(&world, usdc(10), 1);
    world.succeed(&[world.authorize(&first)]);
    world.chain.set_time(START + HOUR);
    world.succeed(&[world.authorize(&payment(&world, usdc(4), 2))]);
    world.succeed(&[world.void(&first, 0)]);
    let session = world.session();
    assert_eq!((session.period_spent, session.spent), (usdc(4), usdc(4)));
    world.refuse(world.authorize(&payment(&world, usdc(6) + 1, 3)), EscrowError::PeriodLimitExceeded);
    world.succeed(&[world.authorize(&payment(&world, usdc(6), 3))]);
}

#[test]
fn release_after_the_period_but_before_a_payment_of_the_next_gives_nothing_extra() {
    let mut world = hourly(usdc(10));
    let first = payment(&world, usdc(10), 1);
    world.succeed(&[world.authorize(&first)]);
    world.chain.set_time(START + HOUR);
    world.succeed(&[world.void(&first, 0)]);
    world.refuse(world.authorize(&payment(&world, usdc(10) + 1, 2)), EscrowError::PeriodLimitExceeded);
    world.succeed(&[world.authorize(&payment(&world, usdc(10), 2))]);
}

#[test]
fn clock_that_steps_back_stays_in_the_later_period() {
    let mut world = hourly(usdc(10));
    world.chain.set_time(START + HOUR);
    world.succeed(&[world.authorize(&payment(&world, usdc(10), 1))]);
    world.chain.set_time(START + HOUR - 1);
    world.refuse(world.authorize(&payment(&world, 1, 2)), EscrowError::PeriodLimitExceeded);
    world.chain.set_time(START - 1);
    world.refuse(world.authorize(&payment(&world, 1, 2)), EscrowError::PeriodLimitExceeded);
}

#[test]
fn same_length_keeps_the_period_and_another_starts_a_new_one() {
    let mut world = hourly(usdc(10));
    let first = payment(&world, usdc(10), 1);
    world.succeed(&[world.authorize(&first)]);
    world.chain.set_time(START + 60);
    // Raised by 2 within the same period: 2 are left.
    world.succeed(&[world.update_session(&limits(usdc(12), HOUR_SECONDS))]);
    world.refuse(world.authorize(&payment(&world, usdc(2) + 1, 2)), EscrowError::PeriodLimitExceeded);
    world.succeed(&[world.authorize(&payment(&world, usdc(2), 2))]);
    // Of another length: counted from now, and what the old period releases is not given to the new.
    world.succeed(&[world.update_session(&limits(usdc(1), HOUR_SECONDS * 2))]);
    world.succeed(&[world.void(&first, 0), world.authorize(&payment(&world, usdc(1), 3))]);
    world.chain.set_time(START + 60 + 2 * HOUR - 1);
    world.refuse(world.authorize(&payment(&world, 1, 4)), EscrowError::PeriodLimitExceeded);
    world.chain.set_time(START + 60 + 2 * HOUR);
    world.succeed(&[world.authorize(&payment(&world, usdc(1), 4))]);
    assert_eq!(world.session().spent, usdc(4));
}

#[test]
fn hold_made_without_a_period_gives_nothing_to_a_period_set_later() {
    let mut world = World::with_session();
    let first = payment(&world, usdc(10), 1);
    world.succeed(&[world.authorize(&first)]);
    world.succeed(&[world.update_session(&limits(usdc(5), HOUR_SECONDS))]);
    world.succeed(&[world.authorize(&payment(&world, usdc(5), 2))]);
    world.succeed(&[world.void(&first, 0)]);
    world.refuse(world.authorize(&payment(&world, 1, 3)), EscrowError::PeriodLimitExceeded);
    assert_eq!((world.session().period_spent, world.session().spent), (usdc(5), usdc(5)));
}

#[test]
fn period_limit_taken_away_is_gone() {
    let mut world = hourly(usdc(10));
    let first = payment(&world, usdc(10), 1);
    world.succeed(&[world.authorize(&first)]);
    world.succeed(&[world.update_session(&World::limits())]);
    world.succeed(&[world.authorize(&payment(&world, usdc(50), 2)), world.void(&first, 0)]);
    assert_eq!(world.session().spent, usdc(50));
}

fn limits(maximum_per_period: u64, period_seconds: u64) -> SessionLimits {
    SessionLimits { maximum_per_period, period_seconds, ..World::limits() }
}

/// A session that may spend `amount` an hour, from `START` on.
fn hourly(amount: u64) -> World {
    World::with_session_of(limits(amount, HOUR_SECONDS))
}

/// An intent that outlives all of these tests' clocks.
fn payment(world: &World, amount: u64, nonce: u64) -> Intent {
    let end = START + 100 * HOUR;
    Intent { amount, nonce, authorize_by: end, capture_deadline: end, ..world.intent() }
}
