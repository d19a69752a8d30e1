//! A fee recipient whose account can't receive blocks no payment: the receiver gets everything, and the fee can follow
//! with a later capture.

use solana_sdk::instruction::Instruction;
use spl_token_2022_interface::extension::{
    ExtensionType, memo_transfer::instruction::enable_required_transfer_memos,
};
use spl_token_2022_interface::instruction as token;
use x402_escrow_interface::{
    Address,
    address::{SYSTEM_PROGRAM_ID, TOKEN_2022_PROGRAM_ID},
    error::EscrowError,
    instruction::create_associated_token,
    message::{Capture, Intent},
};
use x402_escrow_tests::svm::{Chain, World, usdc};

#[test]
fn frozen_fee_account_blocks_nothing_and_the_fee_follows_when_it_is_thawed() {
    let (mut world, intent) = World::with_hold();
    let account = world.token_account(&world.fee_recipient);
    world.chain.freeze(&account);
    without_the_fee(&mut world, &intent);
    world.chain.thaw(&account);
    fee_follows(&mut world, &intent);
}

#[test]
fn missing_fee_account_blocks_nothing_and_the_fee_follows_when_it_is_made() {
    let (mut world, intent) = with_hold_of("fee recipient without a token account");
    without_the_fee(&mut world, &intent);
    let World { relay, mint, token_program, .. } = world;
    world.succeed(&[create_associated_token(&relay, &intent.fee_recipient, &mint, &token_program)]);
    fee_follows(&mut world, &intent);
}

#[test]
fn fee_account_that_is_no_token_account_blocks_nothing() {
    let (mut world, intent) = with_hold_of("fee recipient whose address was sent lamports");
    let address = world.token_account(&intent.fee_recipient);
    let gift = solana_system_interface::instruction::transfer(&world.stranger, &address, 1_000_000);
    world.succeed(&[gift]);
    let message = Capture { fee: 40_000, ..world.capture_message(&intent, usdc(4)) };
    world.succeed(&[world.capture_as(&intent, &message)]);
    assert_eq!((world.tokens(&world.receiver), world.hold(&intent).fee), (usdc(4), 0));
}

#[test]
fn fee_account_that_wants_memos_blocks_nothing_and_is_paid_once_it_wants_none() {
    let mut chain = Chain::new("the cluster");
    let mint = chain.create_extended_mint("mint", &[], |_| Vec::new());
    let mut world = World::of(chain, mint).and_escrow().and_session_of(World::limits());
    let intent = world.intent();
    world.succeed(&[world.authorize(&intent)]);
    let (owner, relay) = (world.fee_recipient, world.relay);
    let account = world.token_account(&owner);
    world.succeed(&[
        of_token_2022(token::reallocate(
            &TOKEN_2022_PROGRAM_ID,
            &account,
            &relay,
            &owner,
            &[],
            &[ExtensionType::MemoTransfer],
        )),
        of_token_2022(enable_required_transfer_memos(&TOKEN_2022_PROGRAM_ID, &account, &owner, &[])),
    ]);
    without_the_fee(&mut world, &intent);
    world.succeed(&[of_token_2022(
        spl_token_2022_interface::extension::memo_transfer::instruction::disable_required_transfer_memos(
            &TOKEN_2022_PROGRAM_ID,
            &account,
            &owner,
            &[],
        ),
    )]);
    fee_follows(&mut world, &intent);
}

#[test]
fn full_capture_ends_the_hold_without_the_fee_that_nobody_could_receive() {
    let (mut world, intent) = World::with_hold();
    let account = world.token_account(&world.fee_recipient);
    world.chain.freeze(&account);
    let all = Capture { fee: 100_000, ..world.capture_message(&intent, usdc(10)) };
    world.succeed(&[world.capture_as(&intent, &all)]);
    assert!(!world.hold_exists(&intent));
    assert_eq!((world.tokens(&world.receiver), world.tokens(&world.fee_recipient)), (usdc(10), 0));
}

#[test]
fn relay_that_leaves_the_fee_account_out_is_refused_so_that_it_withholds_no_fee() {
    let (mut world, intent) = World::with_hold();
    let message = Capture { fee: 40_000, ..world.capture_message(&intent, usdc(4)) };
    let good = world.capture_as(&intent, &message);
    let last = good.accounts.len() - 1;
    let mut missing = good.clone();
    missing.accounts.truncate(last);
    world.refuse(missing, EscrowError::WrongFeeTokenAccount);
    for other in [world.token_account(&world.stranger), world.fee_recipient, SYSTEM_PROGRAM_ID] {
        let mut wrong = good.clone();
        wrong.accounts[last].pubkey = other;
        wrong.accounts[last].is_writable = other != SYSTEM_PROGRAM_ID;
        world.refuse(wrong, EscrowError::WrongFeeTokenAccount);
    }
    world.succeed(&[good]);
}

/// Captures 4 USDC with a fee of 0.04, which nobody gets.
#[track_caller]
fn without_the_fee(world: &mut World, intent: &Intent) {
    let message = Capture { fee: 40_000, ..world.capture_message(intent, usdc(4)) };
    world.succeed(&[world.capture_as(intent, &message)]);
    assert_eq!(world.tokens(&world.receiver), usdc(4));
    assert_eq!(world.tokens(&intent.fee_recipient), 0);
    let hold = world.hold(intent);
    assert_eq!((hold.captured, hold.fee), (usdc(4), 0));
}

/// Captures up to 5 USDC with a fee of 0.05 in all.
#[track_caller]
fn fee_follows(world: &mut World, intent: &Intent) {
    let message = Capture { fee: 50_000, ..world.capture_message(intent, usdc(5)) };
    world.succeed(&[world.capture_as(intent, &message)]);
    assert_eq!(world.tokens(&world.receiver), usdc(5) - 50_000);
    assert_eq!(world.tokens(&intent.fee_recipient), 50_000);
    assert_eq!(world.hold(intent).fee, 50_000);
}

/// A hold whose fee recipient has a key of this name, and no token account.
fn with_hold_of(name: &str) -> (World, Intent) {
    let mut world = World::with_session();
    let fee_recipient: Address = world.chain.key(name);
    let intent = Intent { fee_recipient, ..world.intent() };
    world.succeed(&[world.authorize(&intent)]);
    (world, intent)
}

fn of_token_2022<E: std::fmt::Debug>(instruction: Result<Instruction, E>) -> Instruction {
    instruction.expect("the builders only check the program's address")
}
