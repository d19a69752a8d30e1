//! What can be known from the program's events alone, and what the accounts say.

use std::collections::BTreeMap;

use x402_escrow_interface::{Address, event::Event, instruction::SessionLimits, message::Intent};
use x402_escrow_tests::svm::World;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct KnownEscrow {
    guardian: Address,
    balance: u64,
    held: u64,
    revoked_before_slot: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct KnownSession {
    incarnation: [u8; 32],
    limits: SessionLimits,
    opened_slot: u64,
    spent: u64,
    revoked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct KnownHold {
    intent_digest: [u8; 32],
    capture_deadline: i64,
    captured: u64,
    fee: u64,
    left: u64,
}

/// What is known from events alone.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Indexer {
    pub(super) escrows: BTreeMap<Address, KnownEscrow>,
    pub(super) sessions: BTreeMap<Address, KnownSession>,
    pub(super) holds: BTreeMap<Address, KnownHold>,
}

impl Indexer {
    /// Each sum is the one after the change: nothing is added up but what goes back to a session.
    pub(super) fn read(&mut self, event: &Event) {
        match *event {
            Event::EscrowOpened(event) => {
                self.escrows.insert(event.escrow, KnownEscrow::default());
            }
            Event::GuardianSet(event) => self.escrow(event.escrow).guardian = event.guardian,
            Event::Deposited(event) => self.escrow(event.escrow).balance = event.balance,
            Event::Synced(event) => self.escrow(event.escrow).balance = event.balance,
            Event::Withdrawn(event) => self.escrow(event.escrow).balance = event.balance,
            Event::EscrowClosed(event) => {
                self.escrows.remove(&event.escrow);
            }
            Event::SessionsRevoked(event) => {
                self.escrow(event.escrow).revoked_before_slot = event.opened_through_slot + 1;
            }
            Event::SessionOpened(event) => {
                let limits = SessionLimits {
                    expires_at: event.expires_at,
                    maximum_payment: event.maximum_payment,
                    maximum_total: event.maximum_total,
                    maximum_per_period: event.maximum_per_period,
                    period_seconds: event.period_seconds,
                    receivers_root: event.receivers_root,
                };
                let (incarnation, opened_slot) = (event.incarnation, event.opened_slot);
                let session = KnownSession { incarnation, limits, opened_slot, spent: 0, revoked: false };
                self.sessions.insert(event.session, session);
            }
            Event::SessionUpdated(event) => {
                self.session(event.session).limits = SessionLimits {
                    expires_at: event.expires_at,
                    maximum_payment: event.maximum_payment,
                    maximum_total: event.maximum_total,
                    maximum_per_period: event.maximum_per_period,
                    period_seconds: event.period_seconds,
                    receivers_root: event.receivers_root,
                };
            }
            Event::SessionRevoked(event) => self.session(event.session).revoked = true,
            Event::SessionClosed(event) => {
                assert_eq!(self.sessions.remove(&event.session).unwrap().spent, event.spent);
            }
            Event::Authorized(event) => {
                self.sums(event.escrow, event.balance, event.held);
                self.session(event.session).spent = event.spent;
                let (intent_digest, capture_deadline) = (event.intent_digest, event.capture_deadline);
                let left = event.amount;
                let hold = KnownHold { intent_digest, capture_deadline, captured: 0, fee: 0, left };
                self.holds.insert(event.hold, hold);
            }
            Event::Captured(event) => {
                self.sums(event.escrow, event.balance, event.held);
                let hold = self.holds.get_mut(&event.hold).unwrap();
                assert_eq!(hold.captured + event.amount, event.captured);
                hold.fee += event.fee;
                self.settled(event.session, event.hold, event.captured, event.released, event.left);
            }
            Event::Voided(event) => {
                self.sums(event.escrow, event.balance, event.held);
                self.settled(event.session, event.hold, event.captured, event.released, event.left);
            }
            Event::Reclaimed(event) => {
                self.sums(event.escrow, event.balance, event.held);
                self.settled(event.session, event.hold, event.captured, event.released, 0);
            }
            Event::Charged(event) => {
                self.sums(event.escrow, event.balance, event.held);
                self.session(event.session).spent = event.spent;
            }
        }
    }

    fn escrow(&mut self, address: Address) -> &mut KnownEscrow {
        self.escrows.get_mut(&address).unwrap()
    }

    fn session(&mut self, address: Address) -> &mut KnownSession {
        self.sessions.get_mut(&address).unwrap()
    }

    fn sums(&mut self, escrow: Address, balance: u64, held: u64) {
        let known = self.escrow(escrow);
        (known.balance, known.held) = (balance, held);
    }

    fn settled(&mut self, session: Address, hold: Address, captured: u64, released: u64, left: u64) {
        self.session(session).spent -= released;
        let known = self.holds.get_mut(&hold).unwrap();
        (known.captured, known.left) = (captured, left);
        if left == 0 {
            self.holds.remove(&hold);
        }
    }

    /// What the accounts say.
    pub(super) fn of(world: &World, intents: &[Intent]) -> Self {
        let mut stored = Self::default();
        if world.chain.data(&world.escrow).is_some() {
            let escrow = world.escrow();
            let known = KnownEscrow {
                guardian: escrow.guardian,
                balance: escrow.balance,
                held: escrow.held,
                revoked_before_slot: escrow.revoked_before_slot,
            };
            stored.escrows.insert(world.escrow, known);
        }
        if world.chain.data(&world.session).is_some() {
            let session = world.session();
            let limits = SessionLimits {
                expires_at: session.expires_at,
                maximum_payment: session.maximum_payment,
                maximum_total: session.maximum_total,
                maximum_per_period: session.maximum_per_period,
                period_seconds: session.period_seconds,
                receivers_root: session.receivers_root,
            };
            let known = KnownSession {
                incarnation: session.incarnation,
                limits,
                opened_slot: session.opened_slot,
                spent: session.spent,
                revoked: session.revoked != 0,
            };
            stored.sessions.insert(world.session, known);
        }
        for intent in intents.iter().filter(|intent| world.hold_exists(intent)) {
            let hold = world.hold(intent);
            let known = KnownHold {
                intent_digest: hold.intent_digest,
                capture_deadline: hold.capture_deadline,
                captured: hold.captured,
                fee: hold.fee,
                left: hold.held(),
            };
            stored.holds.insert(world.hold_address(intent), known);
        }
        stored
    }
}
