use x402_escrow_interface::{
    Address,
    instruction::{self, Charge, SessionLimits},
    message::{Digest, Intent, PaymentFlow},
    receivers::ANYONE,
};
use x402_escrow_tests::program_id;

use super::trial::Trial;
use crate::property::{audit::Grant, build::hold_of};

/// Intents of one base unit.
impl Trial<'_> {
    /// What is in the vault and not promised to receivers.
    pub(super) fn free(&self) -> u64 {
        let promised: u64 = self.payments.iter().map(|(_, payment)| payment.open()).sum();
        self.tokens.saturating_sub(promised)
    }

    /// Somebody whom a session may pay, and the proof of that.
    pub(super) fn receiver_of(&self, grant: &Grant) -> Option<(Address, Vec<Digest>)> {
        let receivers = &self.play.cast.receivers;
        if grant.limits.receivers_root == ANYONE {
            return Some((receivers[0], Vec::new()));
        }
        let list = self.play.cast.lists.iter().find(|list| list.root() == grant.limits.receivers_root)?;
        receivers.iter().find_map(|receiver| Some((*receiver, list.proof(receiver)?)))
    }

    /// An intent that a session key may sign, who is its capture authorizer too.
    pub(super) fn intent(&self, grant: &Grant, receiver: Address, nonce: u64, flow: PaymentFlow) -> Intent {
        let soon = self.chain.time() + 60;
        Intent {
            program: program_id(),
            incarnation: grant.incarnation,
            escrow: grant.escrow,
            session_key: grant.session_key,
            receiver,
            capture_authorizer: grant.session_key,
            receiver_authorizer: receiver,
            fee_recipient: receiver,
            resource_hash: [0; 32],
            amount: 1,
            nonce,
            authorize_by: soon,
            capture_deadline: soon,
            refund_deadline: 0,
            maximum_fee_bps: 0,
            flow,
        }
    }

    /// Anyone relays an intent to hold. Whether it is held.
    pub(super) fn hold_one(&mut self, intent: &Intent, proof: &[Digest]) -> bool {
        let signature = self.play.chain.sign(&intent.session_key, &intent.signed_bytes());
        let relay = self.play.cast.relays[0];
        let _ = self.attempt(&instruction::authorize(&relay, intent, &signature, proof));
        self.chain.data(&hold_of(intent)).is_some_and(|data| !data.is_empty())
    }

    /// Anyone relays an intent to charge. Whether it is paid.
    pub(super) fn charge_one(&mut self, intent: &Intent, proof: &[Digest]) -> bool {
        let before = self.chain.tokens(&self.place.vault());
        let signature = self.play.chain.sign(&intent.session_key, &intent.signed_bytes());
        let charge = Charge { amount: intent.amount, capture: None, release: None };
        let _ = self.attempt(&instruction::charge(intent, &signature, proof, &self.escrow(), &charge));
        self.chain.tokens(&self.place.vault()) < before
    }

    /// Limits that allow everything for an hour.
    pub(super) fn widest_limits(&self) -> SessionLimits {
        SessionLimits {
            expires_at: self.chain.time() + 3_600,
            maximum_payment: u64::MAX,
            maximum_total: u64::MAX,
            maximum_per_period: 0,
            period_seconds: 0,
            receivers_root: ANYONE,
        }
    }
}
