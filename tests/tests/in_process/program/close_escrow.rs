use solana_sdk::instruction::InstructionError;
use spl_token_interface::{error::TokenError, instruction as token};
use x402_escrow_interface::{
    Address,
    address::{self, TOKEN_PROGRAM_ID},
    error::EscrowError,
    event::{self, Event},
    instruction::{self, create_associated_token},
};
use x402_escrow_tests::{
    program_id,
    svm::{ESCROW_BYTES, TOKEN_ACCOUNT_BYTES, World, usdc},
};

#[test]
fn rent_of_escrow_and_vault_goes_back_to_whoever_paid_it() {
    let mut world = World::new();
    let before = world.chain.lamports(&world.relay);
    world.succeed(&world.open_escrow());
    let rent = world.chain.rent(ESCROW_BYTES) + world.chain.rent(TOKEN_ACCOUNT_BYTES);
    assert_eq!(world.chain.lamports(&world.relay), before - rent);

    let receipt = world.succeed(&[world.close_escrow()]);
    assert_eq!(world.chain.lamports(&world.relay), before);
    assert_eq!(world.chain.data(&world.escrow), None);
    assert_eq!(world.chain.data(&world.token_account(&world.escrow)), None);
    assert_eq!(receipt.events, [closed(&world, 0)]);
}

#[test]
fn balance_goes_to_the_payers_destination() {
    let mut world = World::with_escrow();
    let before = world.tokens(&world.payer);
    let receipt = world.succeed(&[world.close_escrow()]);
    assert_eq!(world.tokens(&world.payer), before + World::DEPOSIT);
    assert_eq!(receipt.events, [closed(&world, World::DEPOSIT)]);
}

#[test]
fn dust_of_a_stranger_stops_no_escrow_from_closing_and_goes_to_the_payer() {
    let mut world = World::with_escrow();
    let before = world.tokens(&world.payer);
    for dust in [1, 2, 3] {
        let (from, vault) = (world.token_account(&world.stranger), world.escrow().vault);
        world.chain.transfer(&from, &vault, dust);
    }
    let receipt = world.succeed(&[world.close_escrow()]);
    assert_eq!(world.tokens(&world.payer), before + World::DEPOSIT + 6);
    assert_eq!(receipt.events, [closed(&world, World::DEPOSIT + 6)]);
    assert_eq!(world.chain.data(&world.escrow), None);
}

#[test]
fn dust_that_arrives_in_the_closing_transaction_goes_to_the_payer_too() {
    let mut world = World::with_escrow();
    let before = world.tokens(&world.payer);
    let (stranger, vault) = (world.stranger, world.escrow().vault);
    let from = world.token_account(&stranger);
    let dust = token::transfer(&TOKEN_PROGRAM_ID, &from, &vault, &stranger, &[], 1).unwrap();
    world.succeed(&[dust, world.close_escrow()]);
    assert_eq!(world.tokens(&world.payer), before + World::DEPOSIT + 1);
}

#[test]
fn wrapped_sol_of_a_stranger_goes_to_the_payer_and_not_to_whoever_paid_the_rent() {
    let mut world = World::new();
    let mint = world.chain.add_native_mint();
    world = World { mint, escrow: address::escrow(&program_id(), &world.payer, &mint), ..world };
    let relay = world.chain.lamports(&world.relay);
    world.succeed(&world.open_escrow());
    let (payer, stranger, vault) = (world.payer, world.stranger, world.escrow().vault);
    world.succeed(&[
        solana_system_interface::instruction::transfer(&stranger, &vault, 5),
        token::sync_native(&TOKEN_PROGRAM_ID, &vault).expect("it is the token program"),
        create_associated_token(&stranger, &payer, &mint, &TOKEN_PROGRAM_ID),
    ]);
    world.succeed(&[world.close_escrow()]);
    assert_eq!(world.tokens(&payer), 5);
    assert_eq!(world.chain.lamports(&world.relay), relay);
}

#[test]
fn what_is_left_goes_to_any_account_that_the_payer_names() {
    let mut world = World::with_escrow();
    let destination = world.token_account(&world.stranger);
    let close = instruction::close_escrow(&program_id(), &world.escrow, &world.escrow(), &destination);
    world.succeed(&[close]);
    assert_eq!(world.tokens(&world.stranger), usdc(100) + World::DEPOSIT);
}

#[test]
fn destination_that_can_not_receive_refused_and_another_accepted() {
    let mut world = World::with_escrow();
    let payers = world.token_account(&world.payer);
    world.chain.freeze(&payers);
    world.refuse(world.close_escrow(), TokenError::AccountFrozen);
    let stored = world.escrow();
    let close = |destination| instruction::close_escrow(&program_id(), &world.escrow, &stored, destination);
    let nowhere = Address::new_from_array([9; 32]);
    let (missing, into_itself) = (close(&nowhere), close(&stored.vault));
    let elsewhere = close(&world.token_account(&world.stranger));
    world.refuse(missing, InstructionError::InvalidAccountData);
    world.refuse(into_itself, InstructionError::Custom(CONSTRAINT_DUPLICATE_MUTABLE_ACCOUNT));
    world.succeed(&[elsewhere]);
}

#[test]
fn empty_escrow_closes_without_a_token_account_of_the_payers() {
    let mut world = World::new();
    world.succeed(&world.open_escrow());
    let nowhere = Address::new_from_array([9; 32]);
    let close = instruction::close_escrow(&program_id(), &world.escrow, &world.escrow(), &nowhere);
    world.succeed(&[close]);
    assert_eq!(world.chain.data(&world.escrow), None);
}

#[test]
fn escrow_with_a_session_refused() {
    let mut world = World::with_session();
    world.refuse(world.close_escrow(), EscrowError::EscrowHasSessions);
    world.succeed(&[world.close_session(), world.close_escrow()]);
}

#[test]
fn closed_escrow_can_be_opened_again() {
    let mut world = World::with_escrow();
    let guardian = world.guardian;
    world.succeed(&[world.set_guardian(&guardian), world.close_escrow()]);
    world.succeed(&world.open_escrow());
    let stored = world.escrow();
    assert_eq!((stored.balance, stored.guardian), (0, Address::default()));
}

#[test]
fn only_the_payer_can_close() {
    let mut world = World::new();
    world.succeed(&world.open_escrow());
    let guardian = world.guardian;
    world.succeed(&[world.set_guardian(&guardian)]);
    for thief in [world.stranger, world.relay, guardian] {
        let mut close = world.close_escrow();
        close.accounts[0].pubkey = thief;
        world.refuse(close, EscrowError::WrongPayer);
    }
}

/// Anchor's `ConstraintDuplicateMutableAccount`.
const CONSTRAINT_DUPLICATE_MUTABLE_ACCOUNT: u32 = 2040;

fn closed(world: &World, amount: u64) -> Event {
    Event::EscrowClosed(event::EscrowClosed {
        escrow: world.escrow,
        payer: world.payer,
        mint: world.mint,
        destination: world.token_account(&world.payer),
        amount,
    })
}
