use spl_token_interface::error::TokenError;
use x402_escrow_interface::{
    error::EscrowError,
    event::{self, Event},
    instruction,
    message::{Intent, PaymentFlow},
};
use x402_escrow_tests::{
    program_id,
    svm::{World, usdc},
};

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
        refunded_payment: [0; 32],
    };
    assert_eq!(receipt.events, [Event::Deposited(deposited)]);
}

#[test]
fn refund_is_a_deposit_of_the_receivers_that_names_the_payment() {
    let mut world = World::with_session();
    let [held, charged] = [1, 2].map(|nonce| Intent { nonce, ..world.intent() });
    let charged = Intent { flow: PaymentFlow::Authorization, ..charged };
    world.succeed(&[world.authorize(&held)]);
    world.succeed(&[world.capture(&held, usdc(10)), world.charge(&charged)]);
    let (receiver, spent) = (world.receiver, world.session().spent);
    for (intent, balance) in [(held, usdc(84)), (charged, usdc(88))] {
        let receipt = world.succeed(&[world.refund(&intent, usdc(4))]);
        let deposited = event::Deposited {
            escrow: world.escrow,
            depositor: receiver,
            amount: usdc(4),
            balance,
            refunded_payment: intent.digest(),
        };
        assert_eq!(receipt.events, [Event::Deposited(deposited)]);
    }
    assert_eq!(world.tokens(&receiver), usdc(12));
    // A session's limits bound what it authorizes, whoever is kind afterwards.
    assert_eq!(world.session().spent, spent);
    world.refuse(world.refund(&held, usdc(12) + 1), TokenError::InsufficientFunds);
}

#[test]
fn refunded_money_is_free_at_once() {
    let (mut world, intent) = World::with_hold();
    world.succeed(&[world.capture(&intent, usdc(10))]);
    let next = Intent { nonce: 2, amount: World::DEPOSIT, ..intent };
    world.refuse(world.authorize(&next), EscrowError::InsufficientFreeBalance);
    world.succeed(&[world.refund(&intent, usdc(10)), world.authorize(&next)]);
}

#[test]
fn refund_works_in_a_revoked_session_after_every_deadline() {
    let (mut world, intent) = World::with_hold();
    world.succeed(&[world.capture(&intent, usdc(10)), world.revoke_session(), world.close_session()]);
    world.chain.set_time(World::limits().expires_at + 1);
    world.succeed(&[world.refund(&intent, usdc(10))]);
    assert_eq!(world.escrow().balance, World::DEPOSIT);
}

#[test]
fn event_names_the_depositor_so_that_nobody_refunds_in_the_receivers_name() {
    let (mut world, intent) = World::with_hold();
    world.succeed(&[world.capture(&intent, usdc(10))]);
    let mut forged = world.refund(&intent, usdc(1));
    forged.accounts[0].pubkey = world.stranger;
    world.refuse(forged.clone(), TokenError::OwnerMismatch);
    forged.accounts[1].pubkey = world.token_account(&world.stranger);
    let receipt = world.succeed(&[forged]);
    let deposited = event::Deposited {
        escrow: world.escrow,
        depositor: world.stranger,
        amount: usdc(1),
        balance: usdc(91),
        refunded_payment: intent.digest(),
    };
    assert_eq!(receipt.events, [Event::Deposited(deposited)]);
}

#[test]
fn anyone_can_deposit() {
    let mut world = World::with_escrow();
    let source = world.token_account(&world.stranger);
    let World { stranger, escrow, .. } = world;
    let deposit = instruction::deposit(&program_id(), &stranger, &source, &escrow, &world.escrow(), 1);
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
    world.succeed(&world.open_escrow());
    let all = world.tokens(&payer);
    world.succeed(&[world.deposit(all)]);
    world.succeed(&[world.withdraw(None)]);
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
