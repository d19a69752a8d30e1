use rand::{Rng, seq::SliceRandom};
use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    Address,
    instruction::{self, Consent},
    message::{Capture, Release},
};
use x402_escrow_tests::svm::Chain;

use super::{tally::Tally, trial::Trial};
use crate::property::audit::Payment;

/// A capture and its authorizer's signature.
type Voucher = (Capture, instruction::Signature);

impl Trial<'_> {
    /// Of all captures that were signed for a payment, the highest is paid until the deadline, no
    /// matter who submitted which others before or tried what else, and whether the fee recipient
    /// can receive its part. The receiver authorizer may end the payment anywhere below.
    pub(crate) fn receivers_collect_the_best_of_their_captures(&mut self, tally: &mut Tally) {
        let mut payments = std::mem::take(&mut self.payments);
        for (hold, payment) in &mut payments {
            let mut vouchers = self.vouchers_of(payment);
            if self.random.random_ratio(1, 2) {
                self.chain.set_time(self.chain.time().max(payment.intent.capture_deadline));
            }
            vouchers.sort_by_key(|(capture, _)| (capture.amount, std::cmp::Reverse(capture.fee)));
            let best = vouchers.pop().expect("there is at least one");
            for (amount, spoiler) in self.spoilers(payment, &best, vouchers) {
                let _ = self.submit(*hold, payment, amount, &spoiler);
                tally.spoilers += 1;
            }
            self.attack(*hold, payment, tally);
            self.collect(*hold, payment, &best, tally);
        }
        self.payments = payments;
    }

    fn collect(&mut self, hold: Address, payment: &mut Payment, best: &Voucher, tally: &mut Tally) {
        let capture = best.0;
        let (paid_before, fee_before) = (payment.paid, payment.fee);
        let highest = capture.amount.min(payment.end).max(paid_before);
        let (end, outcome) = if paid_before < highest && !capture.last && self.random.random_ratio(1, 4) {
            let end = self.random.random_range(paid_before..highest);
            tally.released += 1;
            (end, self.capture_and_release(hold, payment, end, best))
        } else {
            (highest, self.submit(hold, payment, capture.amount, best))
        };
        let paid = payment.paid;
        assert_eq!(
            paid, end,
            "merchant: paid by {capture:?}, with a fee of {fee_before} before: {outcome:?}"
        );
        let signed_fee = capture.fee.min(payment.highest_fee(paid));
        let fee_due = signed_fee.saturating_sub(fee_before).min(paid - paid_before);
        let fee_account = self.place.tokens_of(&payment.intent.fee_recipient);
        if can_receive(&self.chain, &fee_account) {
            assert_eq!(payment.fee - fee_before, fee_due, "fee recipient: paid by {capture:?}");
        } else {
            assert_eq!(payment.fee, fee_before, "fee recipient: paid where it can't be");
            tally.without_fee_account += u64::from(fee_due > 0);
        }
        tally.collected += 1;
    }

    /// Captures that are valid: all that were signed before, or one that is signed now.
    fn vouchers_of(&mut self, payment: &Payment) -> Vec<Voucher> {
        let intent = &payment.intent;
        let one_key = intent.capture_authorizer == intent.receiver_authorizer;
        let signatures = &self.play.audit.signatures;
        let signed = signatures.captures_of(&intent.digest(), &intent.capture_authorizer);
        let valid = signed.into_iter().filter(|(capture, _)| one_key || !capture.last);
        let vouchers: Vec<_> = valid.map(|(capture, signed)| (capture, signed.bytes)).collect();
        if vouchers.is_empty() { vec![self.sign(payment, payment.end)] } else { vouchers }
    }

    /// What may be submitted before the best capture, up to which amounts: others that were signed,
    /// one that its authorizer makes up, close to the best or far below, and the best itself in
    /// part.
    fn spoilers(
        &mut self,
        payment: &Payment,
        best: &Voucher,
        mut others: Vec<Voucher>,
    ) -> Vec<(u64, Voucher)> {
        // One that is the last ends the payment, as its signer says: that is no spoiler.
        others.retain(|(capture, _)| !capture.last);
        others.shuffle(&mut self.random);
        others.truncate(self.random.random_range(0..3));
        let end = best.0.amount.min(payment.end);
        let below = match self.random.random_range(0..4) {
            0 => end.saturating_sub(1),
            1 => end.saturating_sub(best.0.fee.max(2) - 1),
            _ => self.random.random_range(0..=end),
        };
        if below < end {
            others.push(self.sign(payment, below));
        }
        let mut spoilers: Vec<_> = others.into_iter().map(|other| (other.0.amount, other)).collect();
        if !best.0.last && self.random.random_ratio(1, 3) {
            spoilers.push((below, *best));
        }
        spoilers.shuffle(&mut self.random);
        spoilers
    }

    /// The capture authorizer signs a capture up to `amount`, with some fee.
    fn sign(&mut self, payment: &Payment, amount: u64) -> Voucher {
        let intent = &payment.intent;
        let highest_fee = payment.highest_fee(amount);
        let fee = match self.random.random_range(0..4) {
            0 => highest_fee.saturating_add(1),
            1 => highest_fee,
            2 => self.random.random_range(0..=highest_fee),
            _ => 0,
        };
        let capture = Capture { intent_digest: intent.digest(), amount, fee, last: false };
        (capture, self.play.chain.sign(&intent.capture_authorizer, &capture.signed_bytes()))
    }

    /// Anybody submits a capture, to be paid up to `amount`.
    fn submit(
        &mut self,
        hold: Address,
        payment: &mut Payment,
        amount: u64,
        (capture, signature): &Voucher,
    ) -> Result<(), String> {
        let consent = Consent::Signature(*signature);
        let submitted = self.about(hold, |accounts| instruction::capture(accounts, amount, capture, consent));
        self.send_capture(submitted, payment)?;
        if capture.last {
            payment.end = payment.end.min(capture.amount.max(payment.paid));
        }
        Ok(())
    }

    /// The receiver authorizer has a capture paid up to `amount`, and releases the rest.
    fn capture_and_release(
        &mut self,
        hold: Address,
        payment: &mut Payment,
        amount: u64,
        (capture, signature): &Voucher,
    ) -> Result<(), String> {
        let release = Release { intent_digest: capture.intent_digest, amount };
        let authorizer = payment.intent.receiver_authorizer;
        let release = self.play.chain.sign(&authorizer, &release.signed_bytes());
        let consent = Consent::Signature(*signature);
        let submitted = self.about(hold, |accounts| {
            instruction::capture_and_release(accounts, amount, capture, consent, &release)
        });
        self.send_capture(submitted, payment)?;
        payment.end = payment.end.min(amount.max(payment.paid));
        Ok(())
    }

    fn send_capture(&mut self, capture: Option<Instruction>, payment: &mut Payment) -> Result<(), String> {
        self.send(&capture.ok_or("nothing is held there")?, payment)
    }

    /// Sends an instruction about a payment, and notes what was paid for it.
    pub(super) fn send(&mut self, instruction: &Instruction, payment: &mut Payment) -> Result<(), String> {
        let vault = self.place.vault();
        let (receiver, fee_recipient) = (payment.intent.receiver, payment.intent.fee_recipient);
        let before = (self.chain.tokens(&vault), self.tokens_of(&receiver), self.tokens_of(&fee_recipient));
        let outcome = self.attempt(instruction);
        let paid = before.0 - self.chain.tokens(&vault);
        let received = self.tokens_of(&receiver) - before.1;
        let fee = if receiver == fee_recipient { 0 } else { self.tokens_of(&fee_recipient) - before.2 };
        assert_eq!(paid, received + fee, "payer: another than the receiver and the fee recipient was paid");
        payment.paid += paid;
        payment.fee += fee;
        self.paid += paid;
        outcome
    }
}

fn can_receive(chain: &Chain, account: &Address) -> bool {
    chain.data(account).is_some() && !chain.token_account(account).is_frozen()
}
