use x402_escrow_interface::{
    error::EscrowError,
    event::{self, Event},
    message::Intent,
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
fn sync_without_anything_to_credit_succeeds_and_changes_nothing() {
    let mut world = World::with_escrow();
    send_to_vault(&mut world, 1);
    world.succeed(&[world.sync()]);
    let before = world.escrow();
    let receipt = world.succeed(&[world.sync()]);
    assert_eq!((world.escrow(), receipt.events), (before, Vec::new()));
}

#[test]
fn what_is_held_is_not_credited_again() {
    let (mut world, _) = World::with_hold();
    world.succeed(&[world.sync()]);
    assert_eq!((world.escrow().balance, world.escrow().held), (World::DEPOSIT, usdc(10)));
    send_to_vault(&mut world, 1);
    world.succeed(&[world.sync()]);
    assert_eq!((world.escrow().balance, world.escrow().held), (World::DEPOSIT + 1, usdc(10)));
}

#[test]
fn uncredited_tokens_can_be_neither_held_nor_withdrawn() {
    let mut world = World::with_session();
    send_to_vault(&mut world, usdc(5));
    let intent = Intent { amount: World::DEPOSIT + 1, ..world.intent() };
    world.refuse(world.authorize(&intent), EscrowError::InsufficientFreeBalance);
    world.refuse(world.withdraw(Some(World::DEPOSIT + 1)), EscrowError::InsufficientFreeBalance);
    world.succeed(&[world.sync(), world.authorize(&intent)]);
}

/// The stranger sends `amount` to the vault without telling the program.
fn send_to_vault(world: &mut World, amount: u64) {
    let (from, vault) = (world.token_account(&world.stranger), world.escrow().vault);
    world.chain.transfer(&from, &vault, amount);
}
