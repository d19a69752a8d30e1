use x402_escrow_interface::{
    Address,
    message::{Capture, Intent, Release},
};
use x402_escrow_tests::{
    model::{ChargeArguments, End},
    svm::Chain,
};

use super::{Audit, Moves, Payment, explain::signs};
use crate::property::{cast::Cast, step::Step};

/// What is held and paid for an intent, and who agreed to that.
impl Audit {
    pub(super) fn explain_authorize(
        &mut self,
        intent: &Intent,
        (session, hold): (Address, Address),
        cast: &Cast,
        now: i64,
    ) {
        let known = self.payments.get(&intent.digest());
        if known.is_some_and(|payment| payment.open() > 0) {
            // Somebody relayed it before.
            return;
        }
        assert!(known.is_none(), "a payment that had ended was held again");
        assert!(self.signatures.has(&intent.session_key, intent.digest()), "an unsigned hold");
        let spent = (intent, intent.amount);
        let period = self.grants.spend(&session, spent, &self.payments, &cast.lists, now);
        let payment = Payment { intent: *intent, paid: 0, fee: 0, end: intent.amount, period };
        self.payments.insert(Some(hold), payment);
    }

    pub(super) fn explain_charge(
        &mut self,
        step: &Step,
        charge: &ChargeArguments,
        intent: &Intent,
        moves: &mut Moves,
        cast: &Cast,
        chain: &Chain,
    ) {
        let session = step.instruction.accounts[1].pubkey;
        let intent_digest = intent.digest();
        assert!(self.signatures.has(&intent.session_key, intent_digest), "nobody signed the intent");
        assert!(self.payments.get(&intent_digest).is_none(), "charged twice");
        let spent = (intent, charge.amount);
        let period = self.grants.spend(&session, spent, &self.payments, &cast.lists, chain.time());
        let payment = Payment { intent: *intent, paid: 0, fee: 0, end: intent.amount, period };
        let receiver_account = step.instruction.accounts[3].pubkey;
        let bound = charge.capture.map(|capture| capture.bound);
        let payment = self.pay(payment, &receiver_account, bound.as_ref(), moves, cast, chain);
        let Payment { paid, fee, .. } = payment;
        assert_eq!(paid, charge.amount, "another sum than was asked for");

        let names = charge.intent.digest() == intent_digest;
        let by_signing = |bound: &Capture| names && covers(bound, paid, fee);
        let own = intent.capture_authorizer == intent.session_key && fee == 0;
        let consented = self.signed_capture(intent, |capture| covers(capture, paid, fee))
            || (bound.as_ref().is_some_and(by_signing) && signs(step, &intent.capture_authorizer));
        assert!(own || consented, "no such capture was signed: {paid} of which {fee} fee");
        let ends_there = |capture: &Capture| capture.last && capture.amount == paid;
        let one_key = intent.capture_authorizer == intent.receiver_authorizer;
        let signed_last = bound.as_ref().is_some_and(ends_there) && signs(step, &intent.capture_authorizer);
        let released = self
            .signatures
            .has(&intent.receiver_authorizer, Release { intent_digest, amount: paid }.digest())
            || (charge.release.is_some() && names && signs(step, &intent.receiver_authorizer));
        assert!(
            paid == intent.amount
                || released
                || (one_key && (signed_last || self.signed_capture(intent, ends_there))),
            "the receiver did not consent to less"
        );
        self.payments.insert(None, Payment { end: paid, ..payment });
    }

    pub(super) fn explain_capture(
        &mut self,
        step: &Step,
        bound: &Capture,
        moves: &mut Moves,
        cast: &Cast,
        chain: &Chain,
    ) {
        let account = |slot: usize| step.instruction.accounts[slot].pubkey;
        let before = self.payments.held_at(&account(2)).expect("a payment is held there").clone();
        let payment = self.pay(before.clone(), &account(4), Some(bound), moves, cast, chain);
        if payment.paid == before.paid {
            return;
        }
        let intent = payment.intent;
        assert!(chain.time() <= intent.capture_deadline, "captured after the deadline");
        // A fee that was taken under an earlier capture needs no consent again.
        let fee = if payment.fee > before.fee { payment.fee } else { 0 };
        let paid = payment.paid;
        let by_signing = bound.intent_digest == intent.digest() && covers(bound, paid, fee);
        assert!(
            self.signed_capture(&intent, |capture| covers(capture, paid, fee))
                || (by_signing && signs(step, &intent.capture_authorizer)),
            "no such capture was signed: {paid} of which {fee} fee"
        );
        *self.payments.held_at_mut(&account(2)) = payment;
    }

    /// A last capture, or a release that came with it, ends the payment if its authorizer agreed.
    pub(super) fn note_end_of_capture(&mut self, step: &Step, amount: u64, bound: &Capture, end: &End) {
        let hold = step.instruction.accounts[2].pubkey;
        let payment = self.payments.held_at(&hold).expect("a payment is held there");
        let intent = payment.intent;
        let intent_digest = intent.digest();
        let agreed = match end {
            End::Unchanged => false,
            End::AtBound => {
                let one_key = intent.capture_authorizer == intent.receiver_authorizer;
                let named = bound.intent_digest == intent_digest && signs(step, &intent.capture_authorizer);
                let signed = |capture: &Capture| capture.last && capture.amount == bound.amount;
                one_key && (named || self.signed_capture(&intent, signed))
            }
            End::AtAmount(_) => {
                let release = Release { intent_digest, amount };
                self.signatures.has(&intent.receiver_authorizer, release.digest())
            }
        };
        if agreed {
            let end = if *end == End::AtBound { bound.amount } else { amount };
            self.payments.held_at_mut(&hold).end_at(end);
        }
    }

    /// Explains what left a vault for a payment, and returns the payment afterwards. `bound` is
    /// what was presented.
    fn pay(
        &self,
        payment: Payment,
        receiver_account: &Address,
        bound: Option<&Capture>,
        moves: &mut Moves,
        cast: &Cast,
        chain: &Chain,
    ) -> Payment {
        let intent = payment.intent;
        let place = cast.place(&intent.escrow);
        let fee_account = place.tokens_of(&intent.fee_recipient);
        let (out, received) = (-moves.take(&place.vault()), moves.take(receiver_account));
        let fee = moves.take(&fee_account);
        let receiver_owns = self.owners.get(receiver_account) == Some(&intent.receiver);
        assert!(received == 0 || receiver_owns, "another than the receiver was paid");
        assert_eq!(out, received + fee, "all that left the vault arrived");
        let (out, fee) = (u64::try_from(out).unwrap(), u64::try_from(fee).unwrap());
        let after = Payment { paid: payment.paid + out, fee: payment.fee + fee, ..payment };
        assert!(after.paid <= after.end, "more was paid than where the payment ends");
        let highest_fee = after.highest_fee(after.paid);
        assert!(fee == 0 || after.fee <= highest_fee, "the fee is above the intent's maximum");
        if out > 0 && can_receive(chain, &fee_account) {
            let signed = bound.map_or(0, |bound| bound.fee).min(highest_fee);
            let due = signed.saturating_sub(payment.fee).min(out);
            assert!(fee >= due, "the fee recipient got {fee} of {due}");
        }
        after
    }

    /// Whether the capture authorizer signed such a capture.
    fn signed_capture(&self, intent: &Intent, such: impl Fn(&Capture) -> bool) -> bool {
        let signed = self.signatures.captures_of(&intent.digest(), &intent.capture_authorizer);
        signed.iter().any(|(capture, _)| such(capture))
    }
}

/// Whether a capture is consent to `paid` in all, of which `fee` for the fee recipient.
fn covers(capture: &Capture, paid: u64, fee: u64) -> bool {
    capture.amount >= paid && capture.fee >= fee
}

/// Whether a transfer to this token account would succeed.
fn can_receive(chain: &Chain, account: &Address) -> bool {
    chain.data(account).is_some() && !chain.token_account(account).is_frozen()
}
