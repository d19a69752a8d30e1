//! What a thief tries without the consent that it takes.

use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    Address,
    error::EscrowError,
    instruction::{self, Charge, Consent},
    message::{Intent, Release},
};
use x402_escrow_tests::{
    program_id,
    svm::{World, usdc},
};

use super::thief::Scene;

/// In place of whoever could consent: nobody to what needs time, and another than the key that tries.
const NOBODY: Address = Address::new_from_array([0; 32]);

impl Scene {
    /// Everything that needs the consent of somebody whose key is not in `stolen` is refused, whichever of the stolen
    /// keys tries it, and the thief's own.
    #[track_caller]
    pub(super) fn refuses_the_rest(&mut self, stolen: &[Address]) {
        let mut tried = 0;
        for key in stolen.iter().chain([&self.thief.clone()]) {
            for (consent, what, attempt, error) in self.attempts(key) {
                if !stolen.contains(&consent) {
                    println!("{what} by {key}");
                    self.world.refuse(attempt, error);
                    tried += 1;
                }
            }
        }
        assert!(tried > 10, "only {tried} attempts were made");
    }

    /// Everything in the program that needs somebody's consent, tried with `key` instead: whose consent, what, how and
    /// what it is refused for.
    fn attempts(&self, key: &Address) -> Vec<(Address, &'static str, Instruction, EscrowError)> {
        [
            self.attempts_on_escrows(key),
            self.attempts_to_revoke(key),
            self.attempts_to_spend(key),
            self.attempts_on_holds(key),
        ]
        .concat()
    }

    fn attempts_on_escrows(&self, key: &Address) -> Vec<(Address, &'static str, Instruction, EscrowError)> {
        let World { payer, escrow, session, relay, .. } = self.world;
        let (program, limits, rivals) = (program_id(), World::limits(), self.rivals_escrow());
        let as_payer = |mut instruction: Instruction| {
            instruction.accounts[0].pubkey = *key;
            instruction
        };
        let (own_account, rival) = (self.world.token_account(key), self.rival.escrow);
        let close = instruction::close_escrow(&program, &escrow, &self.world.escrow(), &own_account);
        let rivals_withdrawal = instruction::withdraw(&program, &rival, &rivals, &own_account, None);
        [
            (payer, "set the guardian", as_payer(self.world.set_guardian(key))),
            (payer, "withdraw", as_payer(self.world.withdraw_to(&own_account, None))),
            (payer, "close the escrow", as_payer(close)),
            (
                payer,
                "open a session",
                instruction::open_session(&program, key, key, &escrow, &self.others.receiver, &limits),
            ),
            (
                payer,
                "update the session",
                instruction::update_session(&program, key, &escrow, &session, &limits),
            ),
            (
                payer,
                "close the session",
                instruction::close_session(&program, key, &escrow, &session, &relay),
            ),
            (self.rival.payer, "withdraw of another", as_payer(rivals_withdrawal)),
        ]
        .map(|(consent, what, attempt)| (consent, what, attempt, EscrowError::WrongPayer))
        .to_vec()
    }

    /// Payer and guardian may each do this, so it is tried by the keys that are neither.
    fn attempts_to_revoke(&self, key: &Address) -> Vec<(Address, &'static str, Instruction, EscrowError)> {
        let World { payer, guardian, .. } = self.world;
        if [payer, guardian].contains(key) {
            return Vec::new();
        }
        let slot = self.world.chain.slot();
        let one = self.world.sign_revoke(key, &self.world.revoke_message());
        let all = self.world.sign_revoke(key, &self.world.revoke_all_message(slot));
        [
            ("revoke the session by message", self.world.revoke_session_by(key, one)),
            ("revoke the session as signer", self.world.revoke_session_by(key, Consent::Signer)),
            ("revoke all sessions by message", self.world.revoke_sessions_by(key, slot, all)),
            ("revoke all sessions as signer", self.world.revoke_sessions_by(key, slot, Consent::Signer)),
        ]
        .map(|(what, attempt)| (NOBODY, what, attempt, EscrowError::WrongRevoker))
        .to_vec()
    }

    fn attempts_to_spend(&self, key: &Address) -> Vec<(Address, &'static str, Instruction, EscrowError)> {
        let held = self.for_thief(Intent { nonce: 9, ..self.world.intent() });
        let charged = self.to_thief(usdc(1), 9);
        let sign = |intent: &Intent| self.world.chain.sign(key, &intent.signed_bytes());
        let message = self.world.capture_message(&charged, charged.amount);
        let capture = Some(self.world.charge_capture(&charged, &message));
        let all = Charge { amount: charged.amount, capture, release: None };
        let charge = instruction::charge(&charged, &sign(&charged), &[], &self.world.escrow(), &all);
        [("authorize", instruction::authorize(&self.thief, &held, &sign(&held), &[])), ("charge", charge)]
            .map(|(what, attempt)| (self.world.agent, what, attempt, EscrowError::InvalidSignature))
            .to_vec()
    }

    fn attempts_on_holds(&self, key: &Address) -> Vec<(Address, &'static str, Instruction, EscrowError)> {
        let world = &self.world;
        let replaced = |mut instruction: Instruction, index: usize, by: Address| {
            instruction.accounts[index].pubkey = by;
            instruction
        };
        let mut attempts = Vec::new();
        for intent in [&self.intent, &self.others] {
            let Intent { receiver, capture_authorizer, receiver_authorizer, amount, .. } = *intent;
            let captured = world.hold(intent).captured;
            let capture = world.capture_message(intent, amount);
            let release = Release { intent_digest: intent.digest(), amount: captured };
            let sign = |message: &[u8]| Consent::Signature(world.chain.sign(key, message));
            let captured_by_signer = world.capture_by(intent, &capture, Consent::Signer);
            let voided_by_signer = world.void_by(intent, captured, Consent::Signer);
            let last = |instruction: &Instruction| instruction.accounts.len() - 1;
            let (capture_slot, void_slot) = (last(&captured_by_signer), last(&voided_by_signer));
            let own_account = world.token_account(key);
            attempts.extend([
                (
                    capture_authorizer,
                    "capture by signature",
                    world.capture_by(intent, &capture, sign(&capture.signed_bytes())),
                    EscrowError::InvalidSignature,
                ),
                (
                    capture_authorizer,
                    "capture as signer",
                    replaced(captured_by_signer, capture_slot, *key),
                    EscrowError::MissingAuthorizer,
                ),
                (
                    receiver_authorizer,
                    "void by signature",
                    world.void_by(intent, captured, sign(&release.signed_bytes())),
                    EscrowError::InvalidSignature,
                ),
                (
                    receiver_authorizer,
                    "void as signer",
                    replaced(voided_by_signer, void_slot, *key),
                    EscrowError::MissingAuthorizer,
                ),
                (
                    receiver,
                    "capture to another account",
                    replaced(world.capture(intent, amount), 4, own_account),
                    EscrowError::WrongReceiverTokenAccount,
                ),
                (
                    world.relay,
                    "take the rent",
                    replaced(world.void(intent, captured), 3, *key),
                    EscrowError::WrongRentPayer,
                ),
                (NOBODY, "reclaim", world.reclaim(intent), EscrowError::CaptureDeadlineNotPassed),
            ]);
        }
        attempts
    }
}
