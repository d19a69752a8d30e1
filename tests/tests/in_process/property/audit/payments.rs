use std::collections::BTreeMap;

use x402_escrow_interface::{
    Address,
    message::{Digest, Intent},
};

/// What a session key signed for, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) intent: Intent,
    /// All that left the vault, the fee included.
    pub(crate) paid: u64,
    /// The part of it that went to the fee recipient.
    pub(crate) fee: u64,
    /// The most that it can come to: the intent's amount, or what the receiver authorizer agreed to
    /// since; all that was paid once its deadline passed and it was reclaimed.
    pub(crate) end: u64,
    /// The period of its session's limits that it counts in.
    pub(crate) period: u64,
}

impl Payment {
    /// What is promised to the receiver.
    pub(crate) fn open(&self) -> u64 {
        self.end - self.paid
    }

    /// Ends it at `amount`, or at what was paid where that is more.
    pub(super) fn end_at(&mut self, amount: u64) {
        self.end = self.end.min(amount.max(self.paid));
    }

    /// The highest fee that the intent allows on `amount`.
    pub(crate) fn highest_fee(&self, amount: u64) -> u64 {
        let fee = u128::from(amount) * u128::from(self.intent.maximum_fee_bps) / 10_000;
        u64::try_from(fee).unwrap_or(u64::MAX)
    }
}

/// Every payment that was ever held or charged.
#[derive(Default)]
pub(crate) struct Payments {
    all: BTreeMap<Digest, Payment>,
    /// The latest one of each address.
    pub(crate) held_at: BTreeMap<Address, Digest>,
}

impl Payments {
    pub(crate) fn get(&self, digest: &Digest) -> Option<&Payment> {
        self.all.get(digest)
    }

    /// The latest that was held at an address.
    pub(crate) fn held_at(&self, hold: &Address) -> Option<&Payment> {
        self.all.get(self.held_at.get(hold)?)
    }

    pub(super) fn insert(&mut self, hold: Option<Address>, payment: Payment) {
        let digest = payment.intent.digest();
        if let Some(hold) = hold {
            self.held_at.insert(hold, digest);
        }
        self.all.insert(digest, payment);
    }

    /// # Panics
    /// If nothing was ever held at this address.
    pub(super) fn held_at_mut(&mut self, hold: &Address) -> &mut Payment {
        let digest = self.held_at.get(hold).expect("a payment was held there");
        self.all.get_mut(digest).expect("every payment is kept")
    }
}
