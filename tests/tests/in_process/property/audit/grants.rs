use std::collections::{BTreeMap, BTreeSet};

use x402_escrow_interface::{
    Address,
    instruction::SessionLimits,
    message::{Digest, Intent},
    receivers::{ANYONE, ReceiverList},
};

use super::Payments;

/// What payers allowed, by their own keys.
#[derive(Default)]
pub(crate) struct Grants {
    /// By address.
    pub(crate) escrows: BTreeMap<Address, Owned>,
    /// By address.
    pub(crate) sessions: BTreeMap<Address, Grant>,
}

/// An open escrow.
#[derive(Clone, Copy)]
pub(crate) struct Owned {
    pub(crate) payer: Address,
    pub(crate) guardian: Address,
    /// Sessions opened before are revoked.
    pub(crate) revoked_before_slot: u64,
}

impl Owned {
    /// Who may stop sessions.
    pub(crate) fn revokers(&self) -> impl Iterator<Item = Address> {
        let guardian = Some(self.guardian).filter(|guardian| *guardian != Address::default());
        [Some(self.payer), guardian].into_iter().flatten()
    }
}

/// What an agent's key may spend.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) escrow: Address,
    pub(crate) session_key: Address,
    /// The newest slot hash at the opening.
    pub(crate) incarnation: [u8; 32],
    pub(crate) opened_slot: u64,
    pub(crate) limits: SessionLimits,
    /// Whether it was revoked by itself.
    pub(super) revoked: bool,
    /// When the length of periods was set, the number of the period that started then, and that of
    /// the latest payment.
    since: i64,
    first_period: u64,
    period: u64,
    /// Used so far.
    pub(crate) nonces: BTreeSet<u64>,
    payments: Vec<Digest>,
}

impl Grant {
    pub(crate) fn new(
        escrow: Address,
        session_key: Address,
        incarnation: [u8; 32],
        opened_slot: u64,
        limits: SessionLimits,
        now: i64,
    ) -> Self {
        Self {
            escrow,
            session_key,
            incarnation,
            opened_slot,
            limits,
            revoked: false,
            since: now,
            first_period: 0,
            period: 0,
            nonces: BTreeSet::new(),
            payments: Vec::new(),
        }
    }

    /// Another length of period starts a new one.
    pub(super) fn set_limits(&mut self, limits: SessionLimits, now: i64) {
        if limits.period_seconds != self.limits.period_seconds {
            self.period += 1;
            (self.first_period, self.since) = (self.period, now);
        }
        self.limits = limits;
    }

    /// The period of a payment now. It never goes back, even if the clock does.
    pub(crate) fn period_at(&self, now: i64) -> u64 {
        let elapsed_seconds = u64::try_from(now - self.since).unwrap_or(0);
        let periods = elapsed_seconds.checked_div(self.limits.period_seconds).unwrap_or(0);
        self.period.max(self.first_period + periods)
    }

    /// What its payments can still come to, and did: in all, and in one period.
    pub(crate) fn spent(&self, payments: &Payments, period: u64) -> (u64, u64) {
        let of_session = self.payments.iter().filter_map(|digest| payments.get(digest));
        of_session.fold((0, 0), |(all, in_period), payment| {
            let of_period = if payment.period == period { payment.end } else { 0 };
            (all + payment.end, in_period + of_period)
        })
    }
}

impl Grants {
    /// Whether the payer or the guardian stopped this session.
    pub(crate) fn has_revoked(&self, session: &Address) -> bool {
        let grant = &self.sessions[session];
        let escrow = self.escrows.get(&grant.escrow);
        grant.revoked || escrow.is_some_and(|escrow| grant.opened_slot < escrow.revoked_before_slot)
    }

    /// `amount` was promised or paid for `intent` at `now`, which must be within what the payer
    /// allowed. Returns the period that it counts in.
    pub(super) fn spend(
        &mut self,
        session: &Address,
        (intent, amount): (&Intent, u64),
        payments: &Payments,
        lists: &[ReceiverList],
        now: i64,
    ) -> u64 {
        assert!(!self.has_revoked(session), "a revoked session paid");
        let grant = self.sessions.get_mut(session).expect("the session is open");
        let limits = grant.limits;
        assert!(now <= intent.authorize_by, "used after its time");
        assert!(now <= limits.expires_at, "an expired session paid");
        assert!(grant.nonces.insert(intent.nonce), "two payments have one nonce");
        if limits.receivers_root != ANYONE {
            let list = lists.iter().find(|list| list.root() == limits.receivers_root);
            let is_listed = list.is_some_and(|list| list.receivers().contains(&intent.receiver));
            assert!(is_listed, "the payer did not list the receiver");
            assert_eq!(intent.maximum_fee_bps, 0, "a fee where the payer listed the receivers");
        }
        assert!(amount <= limits.maximum_payment, "more at once than the payer allowed");
        grant.period = grant.period_at(now);
        let (spent, in_period) = grant.spent(payments, grant.period);
        assert!(spent + amount <= limits.maximum_total, "more in all than the payer allowed");
        let within = limits.period_seconds == 0 || in_period + amount <= limits.maximum_per_period;
        assert!(within, "more in a period than the payer allowed");
        grant.payments.push(intent.digest());
        grant.period
    }
}
