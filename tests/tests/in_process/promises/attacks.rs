use rand::{Rng, seq::IndexedRandom};
use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    Address,
    account::Hold,
    instruction::{self, Consent, HoldAccounts},
    message::{Capture, Intent, Release},
};

use super::{tally::Tally, trial::Trial};
use crate::property::audit::Payment;

impl Trial<'_> {
    /// Somebody who may not tries to end a payment early, or to have it paid. Nothing is paid for
    /// that; what is promised of the payment is looked at afterwards.
    pub(super) fn attack(&mut self, hold: Address, payment: &mut Payment, tally: &mut Tally) {
        let intent = payment.intent;
        let not_receiver = self.another_than(&intent.receiver_authorizer, payment);
        let not_capturer = self.another_than(&intent.capture_authorizer, payment);
        let two_keys = intent.capture_authorizer != intent.receiver_authorizer;
        let attack = match self.random.random_range(0..6) {
            0 => self.release_by(not_receiver, hold, payment),
            1 => self.capture_released_by(not_receiver, hold, payment),
            2 if two_keys => self.last_capture(hold, payment),
            3 => self.capture_for_thief(hold, payment),
            4 => self.lingering_transaction(hold, payment),
            _ => self.capture_by(not_capturer, hold, payment),
        };
        let Some(attack) = attack else { return };
        let paid = payment.paid;
        let _ = self.send(&attack, payment);
        assert_eq!(payment.paid, paid, "payer: paid without its capture authorizer");
        tally.attacks += 1;
    }

    fn release_by(&self, key: Address, hold: Address, payment: &Payment) -> Option<Instruction> {
        let release = lowest_release(payment);
        let consent = self.consent(&key, &release.signed_bytes());
        self.about(hold, |accounts| instruction::void(accounts, &release, consent))
    }

    fn capture_released_by(&self, key: Address, hold: Address, payment: &Payment) -> Option<Instruction> {
        let signature = self.play.chain.sign(&key, &lowest_release(payment).signed_bytes());
        let capture = capture(payment, payment.paid);
        let consent = self.consent(&payment.intent.capture_authorizer, &capture.signed_bytes());
        let amount = capture.amount;
        self.about(hold, |accounts| {
            instruction::capture_and_release(accounts, amount, &capture, consent, &signature)
        })
    }

    /// A capture that says it is the last, by one who is not the receiver authorizer.
    fn last_capture(&self, hold: Address, payment: &Payment) -> Option<Instruction> {
        let last = Capture { last: true, ..capture(payment, payment.paid) };
        let consent = self.consent(&payment.intent.capture_authorizer, &last.signed_bytes());
        self.about(hold, |accounts| instruction::capture(accounts, last.amount, &last, consent))
    }

    /// All of a payment, but to the thief's account.
    fn capture_for_thief(&self, hold: Address, payment: &Payment) -> Option<Instruction> {
        const RECEIVER_TOKEN_ACCOUNT: usize = 4;
        let mut attack = self.capture_by(payment.intent.capture_authorizer, hold, payment)?;
        attack.accounts[RECEIVER_TOKEN_ACCOUNT].pubkey = self.place.tokens_of(&self.play.cast.thief);
        Some(attack)
    }

    fn capture_by(&self, key: Address, hold: Address, payment: &Payment) -> Option<Instruction> {
        let capture = capture(payment, payment.end);
        let consent = self.consent(&key, &capture.signed_bytes());
        self.about(hold, |accounts| instruction::capture(accounts, capture.amount, &capture, consent))
    }

    /// A void that the receiver authorizer signed as a transaction, about another payment at the
    /// same address.
    fn lingering_transaction(&self, hold: Address, payment: &Payment) -> Option<Instruction> {
        let release = lowest_release(payment);
        self.about(hold, |accounts| {
            let other = Hold { intent_digest: [1; 32], ..*accounts.hold };
            instruction::void(HoldAccounts { hold: &other, ..accounts }, &release, Consent::Signer)
        })
    }

    fn consent(&self, key: &Address, bytes: &[u8]) -> Consent {
        Consent::Signature(self.play.chain.sign(key, bytes))
    }

    /// One who has to do with a payment, or a thief, but not `right`.
    fn another_than(&mut self, right: &Address, payment: &Payment) -> Address {
        let intent = &payment.intent;
        let Intent { session_key, receiver, capture_authorizer, receiver_authorizer, .. } = *intent;
        let (payer, thief) = (self.place.payer, self.play.cast.thief);
        let parties = [session_key, receiver, capture_authorizer, receiver_authorizer, payer, thief];
        let others: Vec<Address> = parties.into_iter().filter(|party| party != right).collect();
        others.choose(&mut self.random).copied().unwrap_or(thief)
    }
}

/// A release at what was paid already.
fn lowest_release(payment: &Payment) -> Release {
    Release { intent_digest: payment.intent.digest(), amount: payment.paid }
}

fn capture(payment: &Payment, amount: u64) -> Capture {
    Capture { intent_digest: payment.intent.digest(), amount, fee: 0, last: false }
}
