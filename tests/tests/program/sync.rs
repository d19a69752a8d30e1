use x402_escrow_interface::{
    error::EscrowError,
    event::{self, Event},
};
use x402_escrow_tests::svm::{World, usdc};

#[test]
fn plain_transfer_counts_once_it_is_synced() {
    let mut world = World::with_escrow();
    send_to_vault(&mut world, usdc(2));
    assert_eq!(world.escrow().balance, World::DEPOSIT);
    let receipt = world.succeed(&[world.sync()]);
    assert_eq!(world.escrow().balance, World::DEPOSIT + usdc(2));
    let synced = event::Synced { escrow: world.escrow, amount: usdc(2), balance: World::DEPOSIT + usdc(2) };
    assert_eq!(receipt.events, [Event::Synced(synced)]);
}

#[test]
fn second_sync_has_nothing_to_credit() {
    let mut world = World::with_escrow();
    world.refuse(world.sync(), EscrowError::NothingToSync);
    send_to_vault(&mut world, 1);
    world.succeed(&[world.sync()]);
    world.refuse(world.sync(), EscrowError::NothingToSync);
}

#[test]
fn what_is_held_is_not_credited_again() {
    let (mut world, _) = World::with_hold();
    world.refuse(world.sync(), EscrowError::NothingToSync);
    send_to_vault(&mut world, 1);
    world.succeed(&[world.sync()]);
    let escrow = world.escrow();
    assert_eq!((escrow.balance, escrow.held), (World::DEPOSIT + 1, usdc(10)));
}

#[test]
fn uncredited_tokens_can_be_neither_held_nor_withdrawn() {
    let mut world = World::with_session();
    send_to_vault(&mut world, usdc(5));
    let intent = x402_escrow_interface::message::Intent { amount: World::DEPOSIT + 1, ..world.intent() };
    world.refuse(world.authorize(&intent), EscrowError::InsufficientFreeBalance);
    world.refuse(world.request_withdrawal(World::DEPOSIT + 1), EscrowError::WithdrawalAboveBalance);
    world.succeed(&[world.sync(), world.authorize(&intent)]);
}

/// The stranger sends `amount` to the vault without telling the program.
fn send_to_vault(world: &mut World, amount: u64) {
    let (from, vault) = (world.token_account(&world.stranger), world.escrow().vault);
    world.chain.transfer(&from, &vault, amount);
}
