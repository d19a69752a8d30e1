//! An indexer that reads nothing but the program's events knows every balance, session and payment.

use x402_escrow_interface::{
    error::EscrowError,
    event::Event,
    instruction::{Charge, Consent, SessionLimits},
    message::{Capture, Intent, PaymentFlow},
};
use x402_escrow_tests::svm::{Receipt, World, usdc};

use super::indexer::Indexer;

/// A world, and what an indexer knows of it.
struct Watched {
    world: World,
    indexer: Indexer,
    intents: Vec<Intent>,
}

impl Watched {
    /// With an escrow of 100 USDC and a session, opened under the indexer's eyes.
    fn new() -> Self {
        let world = World::new();
        let mut watched = Self { world, indexer: Indexer::default(), intents: Vec::new() };
        let open = watched.world.open_escrow();
        let receipt = watched.world.succeed(&open);
        watched.check(&receipt);
        watched.run(|world| world.deposit(World::DEPOSIT));
        watched.run(|world| world.open_session(&World::limits()));
        watched.world.chain.next_slot();
        watched
    }

    /// Sends one instruction, which must log one event, and holds what is known against the accounts.
    #[track_caller]
    fn run(&mut self, build: impl FnOnce(&World) -> solana_sdk::instruction::Instruction) -> Event {
        let instruction = build(&self.world);
        let receipt = self.world.succeed(&[instruction]);
        self.check(&receipt);
        receipt.events[0]
    }

    #[track_caller]
    fn check(&mut self, receipt: &Receipt) {
        assert_eq!(receipt.events.len(), 1, "{:?}", receipt.events);
        self.indexer.read(&receipt.events[0]);
        assert_eq!(self.indexer, Indexer::of(&self.world, &self.intents), "{:?}", receipt.events);
    }

    #[track_caller]
    fn hold(&mut self, nonce: u64) -> Intent {
        let intent = Intent { nonce, ..self.world.intent() };
        self.intents.push(intent);
        self.run(|world| world.authorize(&intent));
        intent
    }
}

#[test]
fn events_of_escrows_carry_what_the_account_has_afterwards() {
    let mut watched = Watched::new();
    let guardian = watched.world.guardian;
    watched.run(|world| world.set_guardian(&guardian));
    let (from, vault) = (watched.world.token_account(&watched.world.stranger), watched.world.escrow().vault);
    watched.world.chain.transfer(&from, &vault, 7);
    watched.run(World::sync);
    watched.run(|world| world.withdraw(Some(usdc(3))));
    watched.run(World::close_session);
    watched.run(World::close_escrow);
    assert!(watched.indexer.escrows.is_empty());
}

#[test]
fn events_of_sessions_carry_what_the_account_has_afterwards() {
    let mut watched = Watched::new();
    let limits = SessionLimits {
        expires_at: World::limits().expires_at + 1,
        maximum_payment: usdc(20),
        maximum_total: usdc(30),
        maximum_per_period: usdc(25),
        period_seconds: 60,
        receivers_root: [5; 32],
    };
    watched.run(|world| world.update_session(&limits));
    watched.run(World::revoke_session);
    let (payer, slot) = (watched.world.payer, watched.world.chain.slot());
    watched.run(|world| world.revoke_sessions_by(&payer, slot, Consent::Signer));
    watched.run(World::close_session);
    assert!(watched.indexer.sessions.is_empty());
}

#[test]
fn events_of_holds_carry_what_the_accounts_have_afterwards() {
    let mut watched = Watched::new();
    let first = watched.hold(1);
    let with_fee = Capture { fee: 30_000, ..watched.world.capture_message(&first, usdc(9)) };
    watched.run(|world| world.capture_part(&first, usdc(3), &with_fee));
    watched.run(|world| world.void(&first, usdc(7)));
    watched.run(|world| world.capture_part(&first, usdc(5), &with_fee));
    watched.run(|world| world.capture_as(&first, &with_fee));
    let second = watched.hold(2);
    watched.run(|world| world.capture_and_release(&second, usdc(4)));
    let third = watched.hold(3);
    watched.run(|world| world.void(&third, 0));
    let fourth = watched.hold(4);
    watched.run(|world| world.capture(&fourth, usdc(1)));
    watched.world.chain.set_time(World::CAPTURE_DEADLINE + 1);
    watched.run(|world| world.reclaim(&fourth));
    assert!(watched.indexer.holds.is_empty());
    watched.run(World::close_session);
}

#[test]
fn events_of_charges_carry_what_the_accounts_have_afterwards() {
    let mut watched = Watched::new();
    let held = watched.hold(1);
    let charged = Intent { nonce: 2, flow: PaymentFlow::Authorization, ..held };
    let message = Capture { fee: 40_000, ..watched.world.capture_message(&charged, usdc(6)) };
    let event = watched.run(|world| {
        let capture = Some(world.charge_capture(&charged, &message));
        let release = Some(Consent::Signature(world.sign_release(&charged, usdc(6))));
        world.charge_as(&charged, &Charge { amount: usdc(6), capture, release })
    });
    let Event::Charged(event) = event else { panic!("{event:?}") };
    assert_eq!((event.balance, event.held, event.spent), (usdc(94), usdc(10), usdc(16)));
}

#[test]
fn refused_instruction_leaves_no_event() {
    let mut watched = Watched::new();
    let intent = watched.hold(1);
    watched.world.refuse(watched.world.reclaim(&intent), EscrowError::CaptureDeadlineNotPassed);
    assert_eq!(watched.indexer, Indexer::of(&watched.world, &watched.intents));
}
