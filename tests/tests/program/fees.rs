//! Fees on captures: bounded by the intent, cumulative, rounded in the payer's favour.

use spl_token_interface::error::TokenError;
use x402_escrow_interface::{
    error::EscrowError,
    instruction::{Proof, SessionLimits},
    message::{Capture, Intent},
};
use x402_escrow_tests::svm::{World, usdc};

#[test]
fn fee_goes_to_the_recipient_and_the_rest_to_the_receiver() {
    let (mut world, intent) = World::with_hold();
    capture(&mut world, &intent, usdc(4), 40_000);
    assert_eq!(world.tokens(&world.receiver), usdc(4) - 40_000);
    assert_eq!(world.tokens(&world.fee_recipient), 40_000);
    let (hold, escrow) = (world.hold(&intent), world.escrow());
    assert_eq!((hold.captured, hold.fee), (usdc(4), 40_000));
    assert_eq!((escrow.balance, escrow.held), (usdc(96), usdc(6)));
}

#[test]
fn fee_of_one_above_the_maximum_refused() {
    let (mut world, intent) = World::with_hold();
    refuse(&mut world, &intent, usdc(4), 40_001, EscrowError::FeeTooHigh);
    refuse(&mut world, &intent, usdc(4), u64::MAX, EscrowError::FeeTooHigh);
}

#[test]
fn maximum_fee_is_rounded_down() {
    // 1 % of 199 base units are 1.99.
    let (mut world, intent) = World::with_hold();
    refuse(&mut world, &intent, 99, 1, EscrowError::FeeTooHigh);
    refuse(&mut world, &intent, 199, 2, EscrowError::FeeTooHigh);
    capture(&mut world, &intent, 199, 1);
    refuse(&mut world, &intent, 299, 3, EscrowError::FeeTooHigh);
    capture(&mut world, &intent, 299, 2);
    assert_eq!((world.tokens(&world.receiver), world.tokens(&world.fee_recipient)), (297, 2));
}

#[test]
fn fee_is_cumulative() {
    let (mut world, intent) = World::with_hold();
    capture(&mut world, &intent, usdc(4), 30_000);
    refuse(&mut world, &intent, usdc(5), 29_999, EscrowError::FeeBelowTaken);
    refuse(&mut world, &intent, usdc(5), 0, EscrowError::FeeBelowTaken);
    capture(&mut world, &intent, usdc(5), 30_000);
    capture(&mut world, &intent, usdc(10), 100_000);
    assert_eq!(world.tokens(&world.receiver), usdc(10) - 100_000);
    assert_eq!(world.tokens(&world.fee_recipient), 100_000);
    assert!(!world.hold_exists(&intent));
}

#[test]
fn fee_above_what_the_capture_moves_refused() {
    let (mut world, intent) = World::with_hold();
    capture(&mut world, &intent, usdc(4), 0);
    // Within 1 % of the sum, and above the one base unit that moves.
    refuse(&mut world, &intent, usdc(4) + 1, 2, EscrowError::FeeTooHigh);
    capture(&mut world, &intent, usdc(4) + 1, 1);
    assert_eq!((world.tokens(&world.receiver), world.tokens(&world.fee_recipient)), (usdc(4), 1));
}

#[test]
fn intent_without_a_fee_allows_none() {
    let mut world = World::with_session();
    let intent = Intent { maximum_fee_bps: 0, ..world.intent() };
    world.succeed(&[world.authorize(&intent)]);
    refuse(&mut world, &intent, usdc(10), 1, EscrowError::FeeTooHigh);
    capture(&mut world, &intent, usdc(10), 0);
}

#[test]
fn fee_of_the_whole_amount_leaves_the_receiver_nothing() {
    let mut world = World::with_session();
    let intent = Intent { maximum_fee_bps: 10_000, ..world.intent() };
    world.succeed(&[world.authorize(&intent)]);
    capture(&mut world, &intent, usdc(10), usdc(10));
    assert_eq!((world.tokens(&world.receiver), world.tokens(&world.fee_recipient)), (0, usdc(10)));
}

#[test]
fn fee_on_the_largest_amounts_is_exact() {
    let mut world = World::new();
    let (payer, mint, rest) = (world.payer, world.mint, u64::MAX - usdc(1_100));
    world.chain.fund(&payer, &mint, rest);
    world.succeed(&world.open_escrow(0));
    let all = world.tokens(&payer);
    let limits = SessionLimits { maximum_payment: u64::MAX, maximum_total: u64::MAX, ..World::limits() };
    world.succeed(&[world.deposit(all), world.open_session(&limits)]);
    let intent = Intent { amount: all, maximum_fee_bps: 9_999, ..world.intent() };
    world.succeed(&[world.authorize(&intent)]);
    let most = u64::try_from(u128::from(all) * 9_999 / 10_000).expect("less than all");
    refuse(&mut world, &intent, all, most + 1, EscrowError::FeeTooHigh);
    capture(&mut world, &intent, all, most);
    assert_eq!((world.tokens(&world.receiver), world.tokens(&world.fee_recipient)), (all - most, most));
}

#[test]
fn fee_to_another_account_than_the_recipients_refused() {
    let (mut world, intent) = World::with_hold();
    let message = Capture { fee: 10, ..world.capture_message(&intent, usdc(4)) };
    let good = world.capture_as(&intent, &message);
    let last = good.accounts.len() - 1;
    let mut stolen = good.clone();
    stolen.accounts[last].pubkey = world.token_account(&world.stranger);
    world.refuse(stolen, EscrowError::WrongFeeTokenAccount);
    let mut missing = good.clone();
    missing.accounts.truncate(last);
    world.refuse(missing, EscrowError::WrongFeeTokenAccount);
    world.succeed(&[good]);
}

#[test]
fn capture_authorizer_as_signer_comes_before_the_fee_account() {
    let (mut world, intent) = World::with_hold();
    let message = Capture { fee: 10, ..world.capture_message(&intent, usdc(4)) };
    let good = world.capture_by(&intent, &message, Proof::Signer);
    let last = good.accounts.len() - 1;
    let mut swapped = good.clone();
    swapped.accounts.swap(last, last - 1);
    world.refuse(swapped, EscrowError::MissingAuthorizer);
    world.succeed(&[good]);
}

#[test]
fn frozen_fee_account_fails_the_capture_and_a_capture_without_the_fee_passes() {
    let (mut world, intent) = World::with_hold();
    let account = world.token_account(&world.fee_recipient);
    world.chain.freeze(&account);
    let message = Capture { fee: 10, ..world.capture_message(&intent, usdc(4)) };
    world.refuse(world.capture_as(&intent, &message), TokenError::AccountFrozen);
    capture(&mut world, &intent, usdc(4), 0);
    world.chain.thaw(&account);
    capture(&mut world, &intent, usdc(5), 10);
}

/// Captures up to `amount` with a cumulative fee, by the capture authorizer's signature.
fn capture(world: &mut World, intent: &Intent, amount: u64, fee: u64) {
    let message = Capture { fee, ..world.capture_message(intent, amount) };
    world.succeed(&[world.capture_as(intent, &message)]);
}

#[track_caller]
fn refuse(world: &mut World, intent: &Intent, amount: u64, fee: u64, error: EscrowError) {
    let message = Capture { fee, ..world.capture_message(intent, amount) };
    world.refuse(world.capture_as(intent, &message), error);
}
