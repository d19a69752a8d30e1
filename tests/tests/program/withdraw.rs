use solana_sdk::instruction::InstructionError;
use spl_token_interface::error::TokenError;
use x402_escrow_interface::{
    Address,
    error::EscrowError,
    event::{self, Event},
    instruction,
    message::Intent,
};
use x402_escrow_tests::svm::{START, World, usdc};

const DUE: i64 = START + World::WITHDRAW_DELAY_SECONDS as i64;

#[test]
fn withdrawal_pays_what_was_requested() {
    let mut world = requested(usdc(30));
    world.chain.set_time(DUE);
    let before = world.tokens(&world.payer);
    let receipt = world.succeed(&[world.withdraw()]);
    let escrow = world.escrow();
    assert_eq!((escrow.balance, escrow.pending_withdrawal), (usdc(70), 0));
    assert_eq!(world.tokens(&world.escrow), usdc(70));
    assert_eq!(world.tokens(&world.payer), before + usdc(30));
    let withdrawn = event::Withdrawn {
        escrow: world.escrow,
        destination: world.token_account(&world.payer),
        amount: usdc(30),
        balance: usdc(70),
    };
    assert_eq!(receipt.events, [Event::Withdrawn(withdrawn)]);
    world.refuse(world.withdraw(), EscrowError::NoWithdrawalRequested);
}

#[test]
fn withdrawal_a_second_before_it_is_due_refused() {
    let mut world = requested(usdc(30));
    world.chain.set_time(DUE - 1);
    world.refuse(world.withdraw(), EscrowError::WithdrawalNotDue);
    world.chain.set_time(DUE);
    world.succeed(&[world.withdraw()]);
}

#[test]
fn without_a_delay_request_and_withdrawal_fit_one_transaction() {
    let mut world = World::new();
    world.succeed(&world.open_escrow(0));
    world.succeed(&[world.deposit(usdc(8))]);
    world.succeed(&[world.request_withdrawal(usdc(8)), world.withdraw()]);
    assert_eq!((world.escrow().balance, world.tokens(&world.payer)), (0, usdc(1_000)));
}

#[test]
fn withdrawal_that_nobody_requested_refused() {
    let mut world = World::with_escrow();
    world.refuse(world.withdraw(), EscrowError::NoWithdrawalRequested);
}

#[test]
fn hold_authorized_after_the_request_wins_and_the_rest_stays_requested() {
    let (mut world, intent) = held_after_request();
    world.succeed(&[world.withdraw()]);
    let escrow = world.escrow();
    assert_eq!((escrow.balance, escrow.held, escrow.pending_withdrawal), (usdc(10), usdc(10), usdc(10)));
    world.refuse(world.withdraw(), EscrowError::NothingToWithdraw);

    // What the hold releases leaves without a new request and without a new delay.
    world.succeed(&[world.void(&intent, 0), world.withdraw()]);
    let escrow = world.escrow();
    assert_eq!((escrow.balance, escrow.held, escrow.pending_withdrawal), (0, 0, 0));
}

#[test]
fn captured_money_is_gone_from_what_was_requested() {
    let (mut world, intent) = held_after_request();
    world.succeed(&[world.withdraw(), world.capture(&intent, usdc(10))]);
    world.refuse(world.withdraw(), EscrowError::NothingToWithdraw);
    let escrow = world.escrow();
    assert_eq!((escrow.balance, escrow.pending_withdrawal), (0, usdc(10)));
    assert_eq!(world.tokens(&world.receiver), usdc(10));
}

#[test]
fn uncredited_tokens_stay_in_the_vault() {
    let mut world = requested(World::DEPOSIT);
    let (from, vault) = (world.token_account(&world.stranger), world.escrow().vault);
    world.chain.transfer(&from, &vault, usdc(5));
    world.chain.set_time(DUE);
    world.succeed(&[world.withdraw()]);
    assert_eq!((world.escrow().balance, world.tokens(&world.escrow)), (0, usdc(5)));
}

#[test]
fn withdrawal_goes_to_any_account_that_the_payer_names() {
    let mut world = requested(usdc(30));
    world.chain.set_time(DUE);
    let destination = world.token_account(&world.stranger);
    world.succeed(&[instruction::withdraw(&world.escrow, &world.escrow(), &destination)]);
    assert_eq!(world.tokens(&world.stranger), usdc(130));
}

#[test]
fn withdrawal_into_the_vault_itself_refused() {
    let mut world = requested(usdc(30));
    world.chain.set_time(DUE);
    let escrow = world.escrow();
    let withdraw = instruction::withdraw(&world.escrow, &escrow, &escrow.vault);
    world.refuse(withdraw, InstructionError::Custom(CONSTRAINT_DUPLICATE_MUTABLE_ACCOUNT));
}

#[test]
fn frozen_or_missing_destination_refused_until_it_is_mended() {
    let mut world = requested(usdc(30));
    world.chain.set_time(DUE);
    let destination = world.token_account(&world.payer);
    world.chain.freeze(&destination);
    world.refuse(world.withdraw(), TokenError::AccountFrozen);
    let missing = Address::new_from_array([9; 32]);
    let withdraw = instruction::withdraw(&world.escrow, &world.escrow(), &missing);
    world.refuse(withdraw, InstructionError::InvalidAccountData);
    world.chain.thaw(&destination);
    world.succeed(&[world.withdraw()]);
}

#[test]
fn only_the_payer_can_withdraw() {
    let mut world = requested(usdc(30));
    world.chain.set_time(DUE);
    for thief in [world.stranger, world.agent, world.relay, world.receiver] {
        let mut withdraw = world.withdraw();
        withdraw.accounts[0].pubkey = thief;
        world.refuse(withdraw, EscrowError::WrongPayer);
    }
}

/// Anchor's `ConstraintDuplicateMutableAccount`.
const CONSTRAINT_DUPLICATE_MUTABLE_ACCOUNT: u32 = 2040;

/// A world whose payer asked for `amount`.
fn requested(amount: u64) -> World {
    let mut world = World::with_escrow();
    world.succeed(&[world.request_withdrawal(amount)]);
    world
}

/// A world whose payer asked for everything, after which 10 USDC were held; the withdrawal is due.
fn held_after_request() -> (World, Intent) {
    let mut world = World::with_session();
    world.succeed(&[world.request_withdrawal(World::DEPOSIT)]);
    let intent = Intent { authorize_by: DUE, capture_deadline: DUE, ..world.intent() };
    world.chain.set_time(DUE);
    world.succeed(&[world.authorize(&intent)]);
    (world, intent)
}
