use solana_sdk::instruction::Instruction;
use solana_system_interface::error::SystemError;
use x402_escrow_interface::{
    Address,
    account::{Escrow, VERSION},
    address::TOKEN_PROGRAM_ID,
    error::EscrowError,
    event::{self, Event},
    instruction::{self, create_associated_token},
};
use x402_escrow_tests::{
    program_id,
    svm::{ESCROW_BYTES, TOKEN_ACCOUNT_BYTES, World},
};

#[test]
fn escrow_is_empty_and_belongs_to_the_payer() {
    let mut world = World::new();
    let receipt = world.succeed(&world.open_escrow());
    let stored = world.escrow();
    assert_eq!(
        stored,
        Escrow {
            version: VERSION,
            bump: stored.bump,
            decimals: 6,
            padding: 0,
            open_sessions: 0,
            payer: world.payer,
            mint: world.mint,
            token_program: TOKEN_PROGRAM_ID,
            vault: world.token_account(&world.escrow),
            rent_payer: world.relay,
            guardian: Address::default(),
            balance: 0,
            held: 0,
            revoked_before_slot: 0,
            spare: [0; 64],
        }
    );
    assert_eq!(world.chain.data(&world.escrow).map(|data| data.len()), Some(ESCROW_BYTES));
    let opened = event::EscrowOpened {
        escrow: world.escrow,
        payer: world.payer,
        mint: world.mint,
        vault: stored.vault,
        rent_payer: world.relay,
    };
    assert_eq!(receipt.events, [Event::EscrowOpened(opened)]);
}

#[test]
fn vault_that_a_stranger_made_and_funded_before_counts_for_nothing_until_synced() {
    let mut world = World::new();
    let (stranger, mint) = (world.stranger, world.mint);
    let vault = world.token_account(&world.escrow);
    world.succeed(&[create_associated_token(&stranger, &world.escrow, &mint, &world.token_program)]);
    world.chain.transfer(&world.token_account(&stranger), &vault, 7);
    world.succeed(&world.open_escrow());
    assert_eq!(world.escrow().balance, 0);
    world.succeed(&[world.sync()]);
    assert_eq!(world.escrow().balance, 7);
}

#[test]
fn escrow_whose_address_was_sent_lamports_before_opens() {
    let mut world = World::new();
    let gift = solana_system_interface::instruction::transfer(&world.stranger, &world.escrow, 1_000_000);
    world.succeed(&[gift]);
    let before = world.chain.lamports(&world.relay);
    world.succeed(&world.open_escrow());
    let paid = before - world.chain.lamports(&world.relay);
    assert_eq!(paid, world.chain.rent(ESCROW_BYTES) + world.chain.rent(TOKEN_ACCOUNT_BYTES) - 1_000_000);
}

#[test]
fn payer_can_pay_its_own_rent() {
    let mut world = World::new();
    let World { payer, mint, token_program, .. } = world;
    world.succeed(&instruction::open_escrow(&program_id(), &payer, &payer, &mint, &token_program));
    assert_eq!(world.escrow().rent_payer, payer);
}

#[test]
fn vault_that_is_not_the_escrows_associated_account_refused() {
    let mut world = World::new();
    let escrow = world.escrow;
    let other = world.chain.create_token_account("another account of the escrow", &escrow, &world.mint);
    let [create, mut open] = two(world.open_escrow());
    world.succeed(&[create]);
    open.accounts[4].pubkey = other;
    world.refuse(open, EscrowError::WrongVault);
}

#[test]
fn second_escrow_of_the_same_mint_refused() {
    let mut world = World::with_escrow();
    let [_, open] = two(world.open_escrow());
    world.refuse(open, SystemError::AccountAlreadyInUse);
}

/// The vault's creation and the opening.
fn two(instructions: Vec<Instruction>) -> [Instruction; 2] {
    instructions.try_into().expect("an escrow is opened by two instructions")
}
