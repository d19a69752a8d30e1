use rand::{Rng, seq::SliceRandom};
use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    Address,
    instruction::{self, Consent},
    message::Capture,
};
use x402_escrow_tests::svm::Chain;

use super::{tally::Tally, trial::Trial};
use crate::property::audit::Payment;

/// A capture and its authorizer's signature.
type Voucher = (Capture, instruction::Signature);

impl Trial<'_> {
    /// Of all captures that were signed for a payment, the highest is paid until the deadline, no
    /// matter who submitted which others before or tried what else, and whether the fee recipient
    /// can receive its part.
    pub(crate) fn receivers_collect_the_best_of_their_captures(&mut self, tally: &mut Tally) {
        let mut payments = std::mem::take(&mut self.payments);
        for (hold, payment) in &mut payments {
            let mut vouchers = self.vouchers_of(payment);
            if self.random.random_ratio(1, 2) {
                self.chain.set_time(self.chain.time().max(payment.intent.capture_deadline));
            }
            vouchers.sort_by_key(|(capture, _)| (capture.amount, std::cmp::Reverse(capture.fee)));
            let (best, signature) = vouchers.pop().expect("there is at least one");
            for (spoiler, signature) in self.spoilers(payment, &best, vouchers) {
                let _ = self.submit(*hold, payment, &spoiler, signature);
                tally.spoilers += 1;
            }
            self.attack(*hold, payment, tally);
            let (fee_before, end) = (payment.fee, best.amount.min(payment.end));
            let outcome = self.submit(*hold, payment, &best, signature);
            assert!(
                payment.paid >= end,
                "merchant: {best:?} pays {} of {end} (fee so far {fee_before}): {outcome:?}",
                payment.paid
            );
            let highest_fee = best.fee.min(payment.highest_fee(end)).max(fee_before);
            assert!(payment.fee <= highest_fee, "merchant: a fee of {}, not {highest_fee}", payment.fee);
            tally.collected += 1;
            let fee_account = self.place.tokens_of(&payment.intent.fee_recipient);
            let fee_due = highest_fee > payment.fee && payment.paid > 0;
            tally.without_fee_account += u64::from(fee_due && !can_receive(&self.chain, &fee_account));
        }
        self.payments = payments;
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

    /// What may be submitted before the best capture: others that were signed, and one that its
    /// authorizer makes up, close to the best or far below.
    fn spoilers(&mut self, payment: &Payment, best: &Capture, mut others: Vec<Voucher>) -> Vec<Voucher> {
        // One that is the last ends the payment, as its signer says: that is no spoiler.
        others.retain(|(capture, _)| !capture.last);
        others.shuffle(&mut self.random);
        others.truncate(self.random.random_range(0..3));
        let end = best.amount.min(payment.end);
        let below = match self.random.random_range(0..4) {
            0 => end.saturating_sub(1),
            1 => end.saturating_sub(best.fee.max(2) - 1),
            _ => self.random.random_range(0..=end),
        };
        if below < end {
            others.push(self.sign(payment, below));
        }
        others.shuffle(&mut self.random);
        others
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

    /// Anybody submits a capture.
    fn submit(
        &mut self,
        hold: Address,
        payment: &mut Payment,
        capture: &Capture,
        signature: instruction::Signature,
    ) -> Result<(), String> {
        let consent = Consent::Signature(signature);
        let submitted =
            self.about(hold, |accounts| instruction::capture(accounts, capture.amount, capture, consent));
        let mut submitted = submitted.ok_or("nothing is held there")?;
        if payment.intent.maximum_fee_bps == 0 {
            // No fee is paid, and its recipient may be the receiver, whose token account can't be
            // named twice.
            const NAMED: usize = 8;
            submitted.accounts.truncate(NAMED);
        }
        self.send(&submitted, payment)?;
        if capture.last {
            payment.end = payment.end.min(capture.amount.max(payment.paid));
        }
        Ok(())
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
