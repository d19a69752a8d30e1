use rand::{
    Rng,
    seq::{IndexedRandom, IteratorRandom},
};
use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    Address,
    account::Session,
    address,
    instruction::{self, Consent},
    message::{PaymentFlow, Revoke, RevokeScope},
};
use x402_escrow_tests::program_id;

use super::{tally::Tally, trial::Trial};
use crate::property::audit::{Grant, Payments};

impl Trial<'_> {
    /// A session authorizes within what its payer allows, until the payer or the guardian revokes
    /// it by a message that anyone relays; then it authorizes nothing. Nobody else can stop it, and
    /// no single signature of its own.
    pub(crate) fn session_authorizes_what_it_may(mut self, tally: &mut Tally) {
        let Some((session, grant)) = self.sessions().into_iter().choose(&mut self.random) else { return };
        self.sync();
        let may_pay = self.may_pay(&grant, 1);
        let revoked = self.play.audit.grants.has_revoked(&session);
        if revoked || self.random.random_ratio(1, 4) {
            if !revoked {
                self.revoke(&session, &grant);
            }
            assert!(!self.authorizes(&grant), "payer: {session} is revoked and authorizes");
            assert!(!self.charges(&grant), "payer: {session} is revoked and pays");
            tally.revoked += u64::from(may_pay);
        } else if may_pay {
            if self.random.random_ratio(1, 4) {
                self.revoke_as_another(&session, &grant);
            }
            if self.may_pay(&grant, 2) && self.random.random_ratio(1, 4) {
                self.sign_a_far_nonce(&grant);
            }
            assert!(self.authorizes(&grant), "payer: {session} authorizes nothing");
            tally.authorized += 1;
        }
    }

    /// This escrow's sessions.
    pub(super) fn sessions(&self) -> Vec<(Address, Grant)> {
        let all = self.play.audit.grants.sessions.iter();
        let of_escrow = all.filter(|(_, grant)| grant.escrow == self.place.escrow);
        of_escrow.map(|(address, grant)| (*address, grant.clone())).collect()
    }

    /// The payer or the guardian signs a revocation, and anyone relays it.
    fn revoke(&mut self, session: &Address, grant: &Grant) {
        let owned = self.play.audit.grants.escrows[&grant.escrow];
        let revoker = owned.revokers().choose(&mut self.random).expect("at least the payer");
        let revoke = self.revocation(session, grant, &revoker, &revoker);
        let outcome = self.attempt(&revoke);
        assert!(outcome.is_ok(), "payer: a revocation was refused: {outcome:?}");
    }

    /// Somebody else signs a revocation, in its own name or the payer's.
    fn revoke_as_another(&mut self, session: &Address, grant: &Grant) {
        let cast = &self.play.cast;
        let others = [cast.thief, cast.relays[0], cast.receivers[0], grant.session_key];
        let key = others.choose(&mut self.random).copied().unwrap_or(cast.thief);
        let revoker = if self.random.random_ratio(1, 2) { key } else { self.place.payer };
        let revoke = self.revocation(session, grant, &revoker, &key);
        let _ = self.attempt(&revoke);
    }

    /// The revocation of a session, or of all that are open, in the name of `revoker` and signed by
    /// `key`.
    fn revocation(
        &mut self,
        session: &Address,
        grant: &Grant,
        revoker: &Address,
        key: &Address,
    ) -> Instruction {
        let (program, slot) = (program_id(), self.chain.slot());
        let Grant { escrow, session_key, incarnation, .. } = *grant;
        let all = self.random.random_ratio(1, 2);
        let scope = if all {
            RevokeScope::OpenedThroughSlot(slot)
        } else {
            RevokeScope::Session { session_key, incarnation }
        };
        let message = Revoke::new(program, escrow, scope);
        let consent = Consent::Signature(self.play.chain.sign(key, &message.signed_bytes()));
        if all {
            instruction::revoke_sessions(&program, revoker, &escrow, slot, consent)
        } else {
            let stored = self.chain.data(session).expect("the session exists");
            instruction::revoke_session(&program, revoker, &Session::decode(&stored).unwrap(), consent)
        }
    }

    /// Whether the payer lets this session spend so much now, and that is free.
    fn may_pay(&self, grant: &Grant, amount: u64) -> bool {
        let now = self.chain.time();
        self.free() >= amount
            && now <= grant.limits.expires_at
            && left(grant, &self.play.audit.payments, now) >= amount
            && self.receiver_of(grant).is_some()
    }

    /// A session key signs that one base unit is held, and anyone relays it.
    fn authorizes(&mut self, grant: &Grant) -> bool {
        let Some(nonce) = grant.nonces.last().copied().unwrap_or(0).checked_add(1) else { return false };
        let Some((receiver, proof)) = self.receiver_of(grant) else { return false };
        self.hold_one(&self.intent(grant, receiver, nonce, PaymentFlow::Escrow), &proof)
    }

    /// A session key signs that one base unit is paid at once, and anyone relays it.
    fn charges(&mut self, grant: &Grant) -> bool {
        let Some(nonce) = grant.nonces.last().copied().unwrap_or(0).checked_add(1) else { return false };
        let Some((receiver, proof)) = self.receiver_of(grant) else { return false };
        self.charge_one(&self.intent(grant, receiver, nonce, PaymentFlow::Authorization), &proof)
    }

    /// A session key signs for a nonce far ahead, as a thief or a bad server would have it.
    fn sign_a_far_nonce(&mut self, grant: &Grant) {
        let highest = grant.nonces.last().copied().unwrap_or(0);
        let step = [1_024, 1_025, 100_000, u64::MAX].choose(&mut self.random).copied().unwrap_or(2);
        if let Some((receiver, proof)) = self.receiver_of(grant) {
            let nonce = highest.saturating_add(step);
            self.hold_one(&self.intent(grant, receiver, nonce, PaymentFlow::Escrow), &proof);
        }
    }

    /// An intent is paid at most once, even where its session is closed and opened again.
    pub(crate) fn intent_is_paid_once(mut self, tally: &mut Tally) {
        self.sync();
        if self.free() == 0 {
            return;
        }
        // All sessions of this slot may be revoked.
        self.chain.next_slot();
        // A thief whom the payer trusts.
        let (payer, thief) = (self.place.payer, self.play.cast.thief);
        let (program, escrow) = (program_id(), self.place.escrow);
        let session = address::session(&program, &escrow, &thief);
        let limits = self.widest_limits();
        let open = instruction::open_session(&program, &payer, &payer, &escrow, &thief, &limits);
        let outcome = self.attempt(&open);
        assert!(outcome.is_ok(), "payer: no session can be opened: {outcome:?}");
        let grant = Grant::new(escrow, thief, self.chain.newest_slot_hash(), 0, limits, 0);
        let intent = self.intent(&grant, self.play.cast.receivers[0], 1, PaymentFlow::Authorization);
        assert!(self.charge_one(&intent, &[]), "payer: a new session pays nothing");
        if self.random.random_ratio(1, 2) {
            self.chain.next_slot();
        }
        let close = instruction::close_session(&program, &payer, &escrow, &session, &payer);
        for reopening in [close, open] {
            // Refused in the slot of the opening.
            let _ = self.attempt(&reopening);
        }
        assert!(!self.charge_one(&intent, &[]), "payer: one intent was paid twice");
        tally.reopened += 1;
    }
}

/// What the payer allows a session to spend now.
fn left(grant: &Grant, payments: &Payments, now: i64) -> u64 {
    let (spent, in_period) = grant.spent(payments, grant.period_at(now));
    let limits = &grant.limits;
    let left = limits.maximum_total.saturating_sub(spent).min(limits.maximum_payment);
    if limits.period_seconds == 0 {
        left
    } else {
        left.min(limits.maximum_per_period.saturating_sub(in_period))
    }
}
