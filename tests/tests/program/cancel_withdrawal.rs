use x402_escrow_interface::{
    error::EscrowError,
    event::{self, Event},
};
use x402_escrow_tests::svm::{START, World, usdc};

#[test]
fn cancelled_request_can_not_be_paid() {
    let mut world = World::with_escrow();
    world.succeed(&[world.request_withdrawal(usdc(30))]);
    let receipt = world.succeed(&[world.cancel_withdrawal()]);
    let escrow = world.escrow();
    assert_eq!((escrow.pending_withdrawal, escrow.withdrawable_at), (0, 0));
    assert_eq!(escrow.balance, World::DEPOSIT);
    let cancelled = event::WithdrawalCancelled { escrow: world.escrow, amount: usdc(30) };
    assert_eq!(receipt.events, [Event::WithdrawalCancelled(cancelled)]);
    world.chain.set_time(START + i64::from(World::WITHDRAW_DELAY_SECONDS));
    world.refuse(world.withdraw(), EscrowError::NoWithdrawalRequested);
}

#[test]
fn cancelling_nothing_refused() {
    let mut world = World::with_escrow();
    world.refuse(world.cancel_withdrawal(), EscrowError::NoWithdrawalRequested);
    world.succeed(&[world.request_withdrawal(1)]);
    world.succeed(&[world.cancel_withdrawal()]);
    world.refuse(world.cancel_withdrawal(), EscrowError::NoWithdrawalRequested);
}
