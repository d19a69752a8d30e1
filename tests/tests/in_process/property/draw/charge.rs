use x402_escrow_interface::message::{Capture, Intent, PaymentFlow, Release};
use x402_escrow_tests::model::{Arguments, ChargeArguments, ChargeCapture};

use super::payment::highest_fee;
use crate::property::{
    play::Play,
    step::{At, Step},
};

impl Play {
    pub(super) fn draw_charge(&mut self) -> Option<Step> {
        let (intent, receiver_proof) = self.draw_intent(PaymentFlow::Authorization)?;
        let signature = self.sign(&intent.session_key, intent);
        let amount = if self.one_in(2) { intent.amount } else { self.amount(intent.amount, &[]) };
        let capture = self.draw_charge_capture(&intent, amount);
        let is_last = capture.is_some_and(|capture| capture.bound.last);
        let needs_release = amount < intent.amount && !is_last;
        let release = Release { intent_digest: intent.digest(), amount };
        let release =
            (needs_release != self.one_in(20)).then(|| self.consent(&intent.receiver_authorizer, release));
        let at = At { escrow: intent.escrow, ..At::default() };
        let charge = ChargeArguments { intent, signature, receiver_proof, amount, capture, release };
        Some(self.step(at, Arguments::Charge(charge)))
    }

    /// What the capture authorizer agrees to: mostly where it must, at least what is charged.
    fn draw_charge_capture(&mut self, intent: &Intent, amount: u64) -> Option<ChargeCapture> {
        let may_be_left_out = intent.capture_authorizer == intent.session_key;
        if (may_be_left_out && self.one_in(2)) || self.one_in(20) {
            return None;
        }
        let one_key = intent.capture_authorizer == intent.receiver_authorizer;
        let last = if one_key { self.one_in(2) } else { self.one_in(20) };
        let bound = if last && !self.one_in(15) {
            amount
        } else if self.one_in(15) {
            amount.saturating_sub(1)
        } else {
            self.pick(&[amount, amount, intent.amount, u64::MAX])?.max(amount)
        };
        let highest_fee = highest_fee(intent, bound);
        let fee = if self.one_in(2) { 0 } else { self.amount(highest_fee, &[amount]) };
        let bound = Capture { intent_digest: intent.digest(), amount: bound, fee, last };
        let consent = self.consent(&intent.capture_authorizer, bound);
        Some(ChargeCapture { bound, consent })
    }
}
