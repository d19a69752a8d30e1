use x402_escrow_interface::{
    error::EscrowError,
    event::{self, Event},
};
use x402_escrow_tests::svm::{START, World, usdc};

const DELAY_SECONDS: i64 = World::WITHDRAW_DELAY_SECONDS as i64;

#[test]
fn request_is_announced_and_moves_nothing() {
    let mut world = World::with_escrow();
    let receipt = world.succeed(&[world.request_withdrawal(usdc(30))]);
    let escrow = world.escrow();
    assert_eq!((escrow.pending_withdrawal, escrow.withdrawable_at), (usdc(30), START + DELAY_SECONDS));
    assert_eq!(escrow.balance, World::DEPOSIT);
    let requested = event::WithdrawalRequested {
        escrow: world.escrow,
        amount: usdc(30),
        withdrawable_at: START + DELAY_SECONDS,
    };
    assert_eq!(receipt.events, [Event::WithdrawalRequested(requested)]);
}

#[test]
fn request_for_the_whole_balance_passes_and_one_more_is_refused() {
    let mut world = World::with_escrow();
    world.refuse(world.request_withdrawal(World::DEPOSIT + 1), EscrowError::WithdrawalAboveBalance);
    world.refuse(world.request_withdrawal(u64::MAX), EscrowError::WithdrawalAboveBalance);
    world.succeed(&[world.request_withdrawal(World::DEPOSIT)]);
}

#[test]
fn held_money_can_be_requested() {
    let (mut world, _) = World::with_hold();
    world.succeed(&[world.request_withdrawal(World::DEPOSIT)]);
    assert_eq!(world.escrow().pending_withdrawal, World::DEPOSIT);
}

#[test]
fn request_for_nothing_refused() {
    let mut world = World::with_escrow();
    world.refuse(world.request_withdrawal(0), EscrowError::ZeroAmount);
}

#[test]
fn second_request_replaces_the_first_and_starts_the_delay_again() {
    let mut world = World::with_escrow();
    world.succeed(&[world.request_withdrawal(usdc(30))]);
    world.chain.set_time(START + DELAY_SECONDS);
    world.succeed(&[world.request_withdrawal(usdc(5))]);
    let escrow = world.escrow();
    assert_eq!((escrow.pending_withdrawal, escrow.withdrawable_at), (usdc(5), START + 2 * DELAY_SECONDS));
    world.refuse(world.withdraw(), EscrowError::WithdrawalNotDue);
}

#[test]
fn only_the_payer_can_request() {
    let mut world = World::with_session();
    for thief in [world.stranger, world.agent, world.relay, world.receiver] {
        let mut request = world.request_withdrawal(1);
        request.accounts[0].pubkey = thief;
        world.refuse(request, EscrowError::WrongPayer);
    }
}
