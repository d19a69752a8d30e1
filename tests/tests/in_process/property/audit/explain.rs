use x402_escrow_interface::{
    Address,
    message::{Intent, PaymentFlow, Release, Revoke, RevokeScope},
};
use x402_escrow_tests::{model::Arguments, program_id, svm::Chain};

use super::{Audit, Flow, Grant, Moves, grants::Owned};
use crate::property::{cast::Cast, step::Step};

impl Audit {
    /// Explains what a step that succeeded moved, by what was signed for it.
    pub(super) fn explain(&mut self, step: &Step, moves: &mut Moves, cast: &Cast, chain: &Chain) {
        let account = |slot: usize| step.instruction.accounts[slot].pubkey;
        let now = chain.time();
        match &step.arguments {
            Arguments::OpenEscrow => {
                let payer = account(1);
                assert!(signs(step, &payer), "an unsigned escrow");
                let guardian = Address::default();
                let escrow = Owned { payer, guardian, revoked_before_slot: 0 };
                self.grants.escrows.insert(account(3), escrow);
            }
            Arguments::SetGuardian { guardian } => {
                self.require_payer(step, &account(1));
                self.grants.escrows.entry(account(1)).and_modify(|escrow| escrow.guardian = *guardian);
            }
            Arguments::Deposit { amount, .. } => {
                self.explain_inward(step, &account(1), &account(3), *amount, moves);
            }
            Arguments::Withdraw { amount } => {
                self.require_payer(step, &account(1));
                let out = self.explain_outward(&account(2), &account(3), moves);
                assert!(amount.is_none_or(|amount| amount == out), "another sum than was asked for");
            }
            Arguments::CloseEscrow => {
                self.require_payer(step, &account(1));
                self.explain_outward(&account(2), &account(3), moves);
                self.grants.escrows.remove(&account(1));
                self.vaults.insert(account(2), Flow::default());
            }
            Arguments::OpenSession { limits } => {
                let (escrow, session_key) = (account(2), account(3));
                self.require_payer(step, &escrow);
                let (incarnation, slot) = (chain.newest_slot_hash(), chain.slot());
                let grant = Grant::new(escrow, session_key, incarnation, slot, *limits, now);
                self.grants.sessions.insert(account(4), grant);
            }
            Arguments::UpdateSession { limits } => {
                self.require_payer(step, &account(1));
                self.grants.sessions.entry(account(2)).and_modify(|grant| grant.set_limits(*limits, now));
            }
            Arguments::CloseSession => {
                self.require_payer(step, &account(1));
                self.grants.sessions.remove(&account(2));
            }
            Arguments::RevokeSession { named, .. } => self.note_revoked(step, named),
            Arguments::RevokeSessions { named, .. } => self.note_all_revoked(step, named),
            Arguments::Authorize { intent, .. } => {
                let intent = self.intent_of(step, intent, (account(1), account(2)), PaymentFlow::Escrow);
                self.explain_authorize(&intent, (account(2), account(3)), cast, now);
            }
            Arguments::Charge(charge) => {
                let flow = PaymentFlow::Authorization;
                let intent = self.intent_of(step, &charge.intent, (account(0), account(1)), flow);
                self.explain_charge(step, charge, &intent, moves, cast, chain);
            }
            Arguments::Capture { amount, bound, end, .. } => {
                self.explain_capture(step, bound, moves, cast, chain);
                self.note_end_of_capture(step, *amount, bound, end);
            }
            Arguments::Void { release, .. } => {
                let payment = self.payments.held_at_mut(&account(2));
                let Intent { receiver_authorizer, .. } = payment.intent;
                let intent_digest = payment.intent.digest();
                let signed = Release { intent_digest, ..*release }.digest();
                let named = release.intent_digest == intent_digest && signs(step, &receiver_authorizer);
                if named || self.signatures.has(&receiver_authorizer, signed) {
                    payment.end_at(release.amount);
                }
            }
            Arguments::Reclaim => {
                let payment = self.payments.held_at_mut(&account(2));
                if now > payment.intent.capture_deadline {
                    payment.end_at(0);
                }
            }
            Arguments::Sync => {}
        }
    }

    /// The intent that this step was about: partly arguments, partly accounts.
    fn intent_of(
        &self,
        step: &Step,
        terms: &Intent,
        (escrow, session): (Address, Address),
        flow: PaymentFlow,
    ) -> Intent {
        let account = |slot: usize| step.instruction.accounts[slot].pubkey;
        let Grant { incarnation, session_key, .. } = self.grants.sessions[&session];
        Intent {
            program: program_id(),
            incarnation,
            escrow,
            session_key,
            receiver: account(4),
            capture_authorizer: account(5),
            receiver_authorizer: account(6),
            fee_recipient: account(7),
            flow,
            ..*terms
        }
    }

    /// Explains what its owner moved into a vault.
    fn explain_inward(&self, step: &Step, source: &Address, vault: &Address, amount: u64, moves: &mut Moves) {
        let owner = self.owners.get(source).expect("no vault gives to another");
        assert!(signs(step, owner), "{owner} did not sign");
        assert_eq!((-moves.take(source), moves.take(vault)), (amount.into(), amount.into()));
    }

    /// Explains what a payer took out of its vault, and returns that.
    fn explain_outward(&self, vault: &Address, destination: &Address, moves: &mut Moves) -> u64 {
        let (out, to) = (-moves.take(vault), moves.take(destination));
        assert_eq!(out, to, "all that left the vault arrived");
        u64::try_from(out).unwrap()
    }

    fn require_payer(&self, step: &Step, escrow: &Address) {
        let payer = self.grants.escrows[escrow].payer;
        assert!(signs(step, &payer), "the payer did not sign");
    }

    fn note_revoked(&mut self, step: &Step, named: &Revoke) {
        let account = |slot: usize| step.instruction.accounts[slot].pubkey;
        let Grant { escrow, session_key, incarnation, .. } = self.grants.sessions[&account(2)];
        let scope = RevokeScope::Session { session_key, incarnation };
        let message = Revoke::new(program_id(), escrow, scope);
        if self.may_revoke(step, &escrow, &message, named) {
            self.grants.sessions.entry(account(2)).and_modify(|grant| grant.revoked = true);
        }
    }

    fn note_all_revoked(&mut self, step: &Step, named: &Revoke) {
        let opened_through_slot = named.opened_through_slot;
        let escrow = step.instruction.accounts[1].pubkey;
        let scope = RevokeScope::OpenedThroughSlot(opened_through_slot);
        let message = Revoke::new(program_id(), escrow, scope);
        if self.may_revoke(step, &escrow, &message, named) {
            let before = opened_through_slot.saturating_add(1);
            self.grants.escrows.entry(escrow).and_modify(|escrow| {
                escrow.revoked_before_slot = escrow.revoked_before_slot.max(before);
            });
        }
    }

    /// Whether the payer or the guardian signed this revocation, or the transaction that names it.
    fn may_revoke(&self, step: &Step, escrow: &Address, message: &Revoke, named: &Revoke) -> bool {
        let mut revokers = self.grants.escrows[escrow].revokers();
        let signed = |key: &Address| self.signatures.has(key, message.digest());
        revokers.any(|key| signed(&key) || (named == message && signs(step, &key)))
    }
}

/// Whether `who` signs the step's transaction.
pub(super) fn signs(step: &Step, who: &Address) -> bool {
    step.instruction.accounts.iter().any(|meta| meta.pubkey == *who && meta.is_signer)
}
