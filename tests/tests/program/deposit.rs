use spl_token_interface::error::TokenError;
use x402_escrow_interface::{
    error::EscrowError,
    event::{self, Event},
    instruction,
    message::{Intent, PaymentFlow},
};
use x402_escrow_tests::svm::{World, usdc};

#[test]
fn deposit_moves_tokens_into_the_vault_and_counts_them() {
    let mut world = World::with_escrow();
    let before = world.tokens(&world.payer);
    let receipt = world.succeed(&[world.deposit(usdc(3))]);
    assert_eq!(world.escrow().balance, World::DEPOSIT + usdc(3));
    assert_eq!(world.tokens(&world.escrow), World::DEPOSIT + usdc(3));
    assert_eq!(world.tokens(&world.payer), before - usdc(3));
    let deposited = event::Deposited {
        escrow: world.escrow,
        depositor: world.payer,
        amount: usdc(3),
        balance: World::DEPOSIT + usdc(3),
        refunded_intent: [0; 32],
    };
    assert_eq!(receipt.events, [Event::Deposited(deposited)]);
}

#[test]
fn receiver_refunds_a_charge_by_a_deposit_that_names_its_intent() {
    let mut world = World::with_session();
    let intent = Intent { flow: PaymentFlow::Authorization, ..world.intent() };
    world.succeed(&[world.charge(&intent)]);
    let (receiver, source) = (world.receiver, world.token_account(&world.receiver));
    let refund = |world: &World, amount| {
        let digest = intent.digest();
        instruction::refund_charge(&digest, &receiver, &source, &world.escrow, &world.escrow(), amount)
    };
    let receipt = world.succeed(&[refund(&world, usdc(4))]);
    assert_eq!(world.tokens(&receiver), usdc(6));
    let deposited = event::Deposited {
        escrow: world.escrow,
        depositor: receiver,
        amount: usdc(4),
        balance: World::DEPOSIT - usdc(6),
        refunded_intent: intent.digest(),
    };
    assert_eq!(receipt.events, [Event::Deposited(deposited)]);
    world.refuse(refund(&world, usdc(6) + 1), TokenError::InsufficientFunds);
}

#[test]
fn anyone_can_deposit() {
    let mut world = World::with_escrow();
    let source = world.token_account(&world.stranger);
    let deposit = instruction::deposit(&world.stranger, &source, &world.escrow, &world.escrow(), 1);
    world.succeed(&[deposit]);
    assert_eq!(world.escrow().balance, World::DEPOSIT + 1);
}

#[test]
fn deposit_of_nothing_refused() {
    let mut world = World::with_escrow();
    world.refuse(world.deposit(0), EscrowError::ZeroAmount);
}

#[test]
fn deposit_of_all_that_one_has_passes_and_one_more_is_refused() {
    let mut world = World::with_escrow();
    let all = world.tokens(&world.payer);
    world.refuse(world.deposit(all + 1), TokenError::InsufficientFunds);
    world.succeed(&[world.deposit(all)]);
    assert_eq!(world.tokens(&world.payer), 0);
}

#[test]
fn balance_that_can_not_be_counted_refused() {
    let mut world = World::with_escrow();
    world.refuse(world.deposit(u64::MAX - World::DEPOSIT + 1), EscrowError::AmountOverflow);
    world.refuse(world.deposit(u64::MAX), EscrowError::AmountOverflow);
    // One less can be counted, and fails for want of tokens only.
    world.refuse(world.deposit(u64::MAX - World::DEPOSIT), TokenError::InsufficientFunds);
}

#[test]
fn the_largest_balance_of_all_can_be_deposited_and_withdrawn() {
    let mut world = World::new();
    let rest = u64::MAX - usdc(1_100);
    let (payer, mint) = (world.payer, world.mint);
    world.chain.fund(&payer, &mint, rest);
    world.succeed(&world.open_escrow(0));
    let all = world.tokens(&payer);
    world.succeed(&[world.deposit(all)]);
    world.succeed(&[world.request_withdrawal(all), world.withdraw()]);
    assert_eq!((world.tokens(&payer), world.escrow().balance), (all, 0));
}

#[test]
fn frozen_vault_takes_no_deposit_until_it_is_thawed() {
    let mut world = World::with_escrow();
    let vault = world.escrow().vault;
    world.chain.freeze(&vault);
    world.refuse(world.deposit(1), TokenError::AccountFrozen);
    world.chain.thaw(&vault);
    world.succeed(&[world.deposit(1)]);
}
