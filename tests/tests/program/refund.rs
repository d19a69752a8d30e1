use x402_escrow_interface::{
    error::EscrowError,
    event::{self, Event},
    message::Intent,
};
use x402_escrow_tests::svm::{World, usdc};

const REFUND_DEADLINE: i64 = World::CAPTURE_DEADLINE + 60;

#[test]
fn refund_returns_captured_money_to_the_escrow() {
    let (mut world, intent) = captured(usdc(4));
    let receipt = world.succeed(&[world.refund(&intent, usdc(3))]);
    assert_eq!(world.tokens(&world.receiver), usdc(1));
    let (escrow, hold) = (world.escrow(), world.hold(&intent));
    assert_eq!((escrow.balance, escrow.held), (usdc(99), usdc(6)));
    assert_eq!((hold.captured, hold.refunded), (usdc(4), usdc(3)));
    // It counts as spent: a session's limits bound what it authorizes, whoever is kind afterwards.
    assert_eq!(world.session().spent, usdc(10));
    let refunded = event::Refunded {
        escrow: world.escrow,
        intent_digest: intent.digest(),
        amount: usdc(3),
        balance: usdc(99),
    };
    assert_eq!(receipt.events, [Event::Refunded(refunded)]);
}

#[test]
fn refund_of_all_that_was_captured_passes_and_one_more_is_refused() {
    let (mut world, intent) = captured(usdc(4));
    world.refuse(world.refund(&intent, usdc(4) + 1), EscrowError::RefundAboveCaptured);
    world.succeed(&[world.refund(&intent, usdc(1))]);
    world.refuse(world.refund(&intent, usdc(3) + 1), EscrowError::RefundAboveCaptured);
    world.succeed(&[world.refund(&intent, usdc(3))]);
    world.refuse(world.refund(&intent, 1), EscrowError::RefundAboveCaptured);
}

#[test]
fn refund_that_can_not_be_counted_refused() {
    let (mut world, intent) = captured(usdc(4));
    world.refuse(world.refund(&intent, u64::MAX), EscrowError::RefundAboveCaptured);
    world.succeed(&[world.refund(&intent, 1)]);
    world.refuse(world.refund(&intent, u64::MAX), EscrowError::AmountOverflow);
}

#[test]
fn refund_of_nothing_refused() {
    let (mut world, intent) = captured(usdc(4));
    world.refuse(world.refund(&intent, 0), EscrowError::ZeroAmount);
}

#[test]
fn refund_before_anything_is_captured_refused() {
    let (mut world, intent) = captured(0);
    world.refuse(world.refund(&intent, 1), EscrowError::RefundAboveCaptured);
}

#[test]
fn refund_in_the_last_second_passes_and_a_second_later_refused() {
    let (mut world, intent) = captured(usdc(4));
    world.chain.set_time(REFUND_DEADLINE + 1);
    world.refuse(world.refund(&intent, 1), EscrowError::RefundDeadlinePassed);
    world.chain.set_time(REFUND_DEADLINE);
    world.succeed(&[world.refund(&intent, 1)]);
}

#[test]
fn refund_of_an_intent_without_refunds_refused() {
    let (mut world, intent) = World::with_hold();
    world.succeed(&[world.capture(&intent, usdc(4))]);
    world.refuse(world.refund(&intent, 1), EscrowError::RefundDeadlinePassed);
}

#[test]
fn refund_works_in_a_revoked_session() {
    let (mut world, intent) = captured(usdc(4));
    world.succeed(&[world.revoke_session(), world.refund(&intent, usdc(4))]);
}

#[test]
fn refunded_money_can_be_held_again() {
    let (mut world, intent) = captured(usdc(10));
    let next = Intent { nonce: 2, amount: World::DEPOSIT, ..intent };
    world.refuse(world.authorize(&next), EscrowError::InsufficientFreeBalance);
    world.succeed(&[world.refund(&intent, usdc(10)), world.authorize(&next)]);
}

#[test]
fn only_the_receiver_can_refund() {
    let (mut world, intent) = captured(usdc(4));
    for other in [world.stranger, world.capture_authorizer, world.receiver_authorizer, world.payer] {
        let mut refund = world.refund(&intent, 1);
        refund.accounts[0].pubkey = other;
        world.refuse(refund, EscrowError::WrongReceiver);
    }
}

/// A hold of 10 USDC with refunds, captured up to `amount`.
fn captured(amount: u64) -> (World, Intent) {
    let mut world = World::with_session();
    let intent = Intent { refund_deadline: REFUND_DEADLINE, ..world.intent() };
    world.succeed(&[world.authorize(&intent)]);
    if amount > 0 {
        world.succeed(&[world.capture(&intent, amount)]);
    }
    (world, intent)
}
