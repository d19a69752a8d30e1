use solana_sdk::instruction::Instruction;
use solana_system_interface::error::SystemError;
use x402_escrow_interface::{
    account::Escrow,
    address::TOKEN_PROGRAM_ID,
    error::EscrowError,
    event::{self, Event},
    instruction::{self, create_associated_token},
};
use x402_escrow_tests::svm::{ESCROW_BYTES, TOKEN_ACCOUNT_BYTES, World};

const THIRTY_DAYS_SECONDS: u32 = 2_592_000;

#[test]
fn escrow_is_empty_and_belongs_to_the_payer() {
    let mut world = World::new();
    let receipt = world.succeed(&world.open_escrow(90));
    let stored = world.escrow();
    assert_eq!(
        stored,
        Escrow {
            payer: world.payer,
            mint: world.mint,
            token_program: TOKEN_PROGRAM_ID,
            vault: world.token_account(&world.escrow),
            rent_payer: world.relay,
            balance: 0,
            held: 0,
            pending_withdrawal: 0,
            withdrawable_at: 0,
            withdraw_delay_seconds: 90,
            open_sessions: 0,
            decimals: 6,
            bump: stored.bump,
            reserved: [0; 6],
        }
    );
    let (escrow, payer, mint) = (world.escrow, world.payer, world.mint);
    let opened = event::EscrowOpened { escrow, payer, mint, withdraw_delay_seconds: 90 };
    assert_eq!(receipt.events, [Event::EscrowOpened(opened)]);
}

#[test]
fn vault_that_a_stranger_made_and_funded_before_counts_for_nothing_until_synced() {
    let mut world = World::new();
    let (stranger, mint) = (world.stranger, world.mint);
    let vault = world.token_account(&world.escrow);
    world.succeed(&[create_associated_token(&stranger, &world.escrow, &mint, &world.token_program)]);
    world.chain.transfer(&world.token_account(&stranger), &vault, 7);
    world.succeed(&world.open_escrow(0));
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
    world.succeed(&world.open_escrow(0));
    let paid = before - world.chain.lamports(&world.relay);
    assert_eq!(paid, world.chain.rent(ESCROW_BYTES) + world.chain.rent(TOKEN_ACCOUNT_BYTES) - 1_000_000);
}

#[test]
fn payer_can_pay_its_own_rent() {
    let mut world = World::new();
    let open = instruction::open_escrow(&world.payer, &world.payer, &world.mint, &world.token_program, 0);
    world.succeed(&open);
    assert_eq!(world.escrow().rent_payer, world.payer);
}

#[test]
fn delay_of_thirty_days_passes_and_a_second_more_is_refused() {
    let mut world = World::new();
    let [_, open] = two(world.open_escrow(THIRTY_DAYS_SECONDS + 1));
    let [create, _] = two(world.open_escrow(0));
    world.succeed(&[create]);
    world.refuse(open, EscrowError::WithdrawDelayTooLong);
    world.succeed(&world.open_escrow(THIRTY_DAYS_SECONDS));
}

#[test]
fn second_escrow_of_the_same_mint_refused() {
    let mut world = World::with_escrow();
    let [_, open] = two(world.open_escrow(0));
    world.refuse(open, SystemError::AccountAlreadyInUse);
}

/// The vault's creation and the opening.
fn two(instructions: Vec<Instruction>) -> [Instruction; 2] {
    instructions.try_into().expect("an escrow is opened by two instructions")
}
