use solana_sdk::instruction::InstructionError;
use spl_token_interface::error::TokenError;
use x402_escrow_interface::{
    Address,
    error::EscrowError,
    event::{self, Event},
};
use x402_escrow_tests::svm::{World, usdc};

#[test]
fn named_amount_is_paid_at_once() {
    let mut world = World::with_escrow();
    let before = world.tokens(&world.payer);
    let receipt = world.succeed(&[world.withdraw(Some(usdc(30)))]);
    assert_eq!(world.escrow().balance, usdc(70));
    assert_eq!(world.tokens(&world.escrow), usdc(70));
    assert_eq!(world.tokens(&world.payer), before + usdc(30));
    let withdrawn = event::Withdrawn {
        escrow: world.escrow,
        destination: world.token_account(&world.payer),
        amount: usdc(30),
        balance: usdc(70),
    };
    assert_eq!(receipt.events, [Event::Withdrawn(withdrawn)]);
}

#[test]
fn deposit_and_withdrawal_fit_one_transaction() {
    let mut world = World::new();
    world.succeed(&world.open_escrow());
    world.succeed(&[world.deposit(usdc(8)), world.withdraw(None)]);
    assert_eq!((world.escrow().balance, world.tokens(&world.payer)), (0, usdc(1_000)));
}

#[test]
fn all_that_is_free_passes_and_one_more_is_refused() {
    let (mut world, _) = World::with_hold();
    world.refuse(world.withdraw(Some(usdc(90) + 1)), EscrowError::InsufficientFreeBalance);
    world.refuse(world.withdraw(Some(u64::MAX)), EscrowError::InsufficientFreeBalance);
    world.succeed(&[world.withdraw(Some(usdc(90)))]);
    assert_eq!((world.escrow().balance, world.escrow().held), (usdc(10), usdc(10)));
}

#[test]
fn withdrawal_without_an_amount_pays_all_that_is_free_and_nothing_that_is_held() {
    let (mut world, intent) = World::with_hold();
    let before = world.tokens(&world.payer);
    world.succeed(&[world.withdraw(None)]);
    assert_eq!(world.tokens(&world.payer), before + usdc(90));
    assert_eq!((world.escrow().balance, world.escrow().held), (usdc(10), usdc(10)));
    world.refuse(world.withdraw(None), EscrowError::NothingToWithdraw);
    world.refuse(world.withdraw(Some(1)), EscrowError::InsufficientFreeBalance);

    // What the hold releases can leave at once.
    world.succeed(&[world.void(&intent, usdc(4)), world.withdraw(None)]);
    assert_eq!(world.tokens(&world.payer), before + usdc(96));
    world.succeed(&[world.capture(&intent, usdc(4))]);
    assert_eq!((world.escrow().balance, world.tokens(&world.receiver)), (0, usdc(4)));
}

#[test]
fn withdrawal_of_nothing_refused() {
    let mut world = World::new();
    world.succeed(&world.open_escrow());
    world.refuse(world.withdraw(None), EscrowError::NothingToWithdraw);
    world.succeed(&[world.deposit(1)]);
    world.refuse(world.withdraw(Some(0)), EscrowError::NothingToWithdraw);
}

#[test]
fn uncredited_tokens_stay_in_the_vault() {
    let mut world = World::with_escrow();
    let (from, vault) = (world.token_account(&world.stranger), world.escrow().vault);
    world.chain.transfer(&from, &vault, usdc(5));
    world.succeed(&[world.withdraw(None)]);
    assert_eq!((world.escrow().balance, world.tokens(&world.escrow)), (0, usdc(5)));
}

#[test]
fn withdrawal_goes_to_any_account_that_the_payer_names() {
    let mut world = World::with_escrow();
    let destination = world.token_account(&world.stranger);
    world.succeed(&[world.withdraw_to(&destination, Some(usdc(30)))]);
    assert_eq!(world.tokens(&world.stranger), usdc(130));
}

#[test]
fn withdrawal_into_the_vault_itself_refused() {
    let mut world = World::with_escrow();
    let withdraw = world.withdraw_to(&world.escrow().vault, Some(1));
    world.refuse(withdraw, InstructionError::Custom(CONSTRAINT_DUPLICATE_MUTABLE_ACCOUNT));
}

#[test]
fn frozen_or_missing_destination_refused_until_it_is_mended() {
    let mut world = World::with_escrow();
    let destination = world.token_account(&world.payer);
    world.chain.freeze(&destination);
    world.refuse(world.withdraw(None), TokenError::AccountFrozen);
    let missing = Address::new_from_array([9; 32]);
    world.refuse(world.withdraw_to(&missing, None), InstructionError::InvalidAccountData);
    world.chain.thaw(&destination);
    world.succeed(&[world.withdraw(None)]);
}

#[test]
fn only_the_payer_can_withdraw() {
    let mut world = World::with_session();
    let guardian = world.guardian;
    world.succeed(&[world.set_guardian(&guardian)]);
    for thief in [world.stranger, world.agent, world.relay, world.receiver, guardian] {
        let mut withdraw = world.withdraw(None);
        withdraw.accounts[0].pubkey = thief;
        world.refuse(withdraw, EscrowError::WrongPayer);
    }
}

/// Anchor's `ConstraintDuplicateMutableAccount`.
const CONSTRAINT_DUPLICATE_MUTABLE_ACCOUNT: u32 = 2040;
