use spl_token_interface::instruction as token;
use x402_escrow_interface::{
    address::{self, TOKEN_PROGRAM_ID},
    error::EscrowError,
    event::{self, Event},
    instruction::create_associated_token,
};
use x402_escrow_tests::svm::{ESCROW_BYTES, TOKEN_ACCOUNT_BYTES, World, usdc};

#[test]
fn rent_of_escrow_and_vault_goes_back_to_whoever_paid_it() {
    let mut world = World::new();
    let before = world.chain.lamports(&world.relay);
    world.succeed(&world.open_escrow(0));
    let rent = world.chain.rent(ESCROW_BYTES) + world.chain.rent(TOKEN_ACCOUNT_BYTES);
    assert_eq!(world.chain.lamports(&world.relay), before - rent);

    let receipt = world.succeed(&[world.close_escrow()]);
    assert_eq!(world.chain.lamports(&world.relay), before);
    assert_eq!(world.chain.data(&world.escrow), None);
    assert_eq!(world.chain.data(&world.token_account(&world.escrow)), None);
    let (escrow, payer, mint) = (world.escrow, world.payer, world.mint);
    assert_eq!(receipt.events, [Event::EscrowClosed(event::EscrowClosed { escrow, payer, mint })]);
}

#[test]
fn escrow_with_a_balance_refused() {
    let mut world = World::new();
    world.succeed(&world.open_escrow(0));
    world.succeed(&[world.deposit(1)]);
    world.refuse(world.close_escrow(), EscrowError::EscrowNotEmpty);
    world.succeed(&[world.request_withdrawal(1), world.withdraw(), world.close_escrow()]);
}

#[test]
fn escrow_with_a_session_refused() {
    let mut world = World::new();
    world.succeed(&world.open_escrow(0));
    world.succeed(&[world.open_session(&World::limits())]);
    world.refuse(world.close_escrow(), EscrowError::EscrowHasSessions);
    world.chain.next_slot();
    world.succeed(&[world.close_session(), world.close_escrow()]);
}

#[test]
fn uncredited_tokens_must_leave_first() {
    let mut world = World::new();
    world.succeed(&world.open_escrow(0));
    let (from, vault) = (world.token_account(&world.stranger), world.escrow().vault);
    world.chain.transfer(&from, &vault, usdc(5));
    world.refuse(world.close_escrow(), EscrowError::EscrowNotEmpty);
    let before = world.tokens(&world.payer);
    world.succeed(&[world.sync()]);
    world.succeed(&[world.request_withdrawal(usdc(5)), world.withdraw(), world.close_escrow()]);
    assert_eq!(world.tokens(&world.payer), before + usdc(5));
}

#[test]
fn uncredited_wrapped_sol_does_not_go_to_whoever_paid_the_rent() {
    let mut world = World::new();
    let mint = world.chain.add_native_mint();
    world = World { mint, escrow: address::escrow(&world.payer, &mint), ..world };
    world.succeed(&world.open_escrow(0));
    let (payer, vault) = (world.payer, world.escrow().vault);
    world.succeed(&[
        solana_system_interface::instruction::transfer(&world.stranger, &vault, 5),
        token::sync_native(&TOKEN_PROGRAM_ID, &vault).expect("it is the token program"),
    ]);
    world.refuse(world.close_escrow(), EscrowError::EscrowNotEmpty);

    world
        .succeed(&[create_associated_token(&world.relay, &payer, &mint, &world.token_program), world.sync()]);
    world.succeed(&[world.request_withdrawal(5), world.withdraw(), world.close_escrow()]);
    assert_eq!(world.tokens(&payer), 5);
}

#[test]
fn closed_escrow_can_be_opened_again() {
    let mut world = World::new();
    world.succeed(&world.open_escrow(0));
    world.succeed(&[world.close_escrow()]);
    world.succeed(&world.open_escrow(7));
    assert_eq!(world.escrow().withdraw_delay_seconds, 7);
}

#[test]
fn only_the_payer_can_close() {
    let mut world = World::new();
    world.succeed(&world.open_escrow(0));
    for thief in [world.stranger, world.relay] {
        let mut close = world.close_escrow();
        close.accounts[0].pubkey = thief;
        world.refuse(close, EscrowError::WrongPayer);
    }
}
