use rand::Rng;
use x402_escrow_interface::{
    Address,
    message::{Capture, Intent, Release},
};
use x402_escrow_tests::model::{Arguments, ChargeArguments, Message, Rest, Signed};

use crate::property::{
    play::Play,
    step::{At, Step},
};

/// Messages that say something else than what they are used for.
impl Play {
    /// An honest step with one of its signatures replaced.
    pub(super) fn with_other_signature(
        &mut self,
        other: fn(&mut Self, &Step, &Signed) -> Option<Signed>,
    ) -> Option<Step> {
        let step = self.draw_honest()?;
        let mut arguments = step.arguments;
        let mut signatures: Vec<&mut Signed> = match &mut arguments {
            Arguments::Authorize { signature, .. } => vec![signature],
            Arguments::Charge(ChargeArguments { signature, release, capture, .. }) => {
                [Some(signature), release.as_mut(), capture.as_mut()].into_iter().flatten().collect()
            }
            Arguments::Capture { rest: Rest::ReleasedBySignature(release), signature, .. } => {
                [Some(release), signature.as_mut()].into_iter().flatten().collect()
            }
            Arguments::Capture { signature, .. } | Arguments::Void { signature, .. } => {
                signature.iter_mut().collect()
            }
            _ => return None,
        };
        let index = self.random.random_range(0..signatures.len().max(1));
        let replaced = signatures.get_mut(index)?;
        **replaced = other(self, &step, replaced)?;
        Some(self.step(step.at, arguments))
    }

    pub(super) fn forge(&mut self, _: &Step, right: &Signed) -> Option<Signed> {
        let thief = self.cast.thief;
        Some(self.sign(&thief, right.message))
    }

    pub(super) fn of_other_payment(&mut self, _: &Step, right: &Signed) -> Option<Signed> {
        let others: Vec<Intent> = self.model.holds.values().map(|hold| hold.intent).collect();
        let other = self.pick(&others)?;
        let intent_digest = other.digest();
        let message: Message = match right.message {
            Message::Intent(intent) => Intent { nonce: intent.nonce.wrapping_add(1), ..intent }.into(),
            Message::Capture(capture) => Capture { intent_digest, ..capture }.into(),
            Message::Release(release) => Release { intent_digest, ..release }.into(),
        };
        // A hold that was drawn itself is no other payment.
        (message != right.message).then(|| self.sign(&right.by, message))
    }

    pub(super) fn of_other_message(&mut self, _: &Step, right: &Signed) -> Option<Signed> {
        let message: Message = match right.message {
            Message::Intent(intent) => {
                Release { intent_digest: intent.digest(), amount: intent.amount }.into()
            }
            Message::Capture(Capture { intent_digest, amount, .. }) => {
                Release { intent_digest, amount }.into()
            }
            Message::Release(Release { intent_digest, amount }) => {
                Capture { intent_digest, amount, fee: 0, last: true }.into()
            }
        };
        Some(self.sign(&right.by, message))
    }

    pub(super) fn other_flow(&mut self) -> Option<Step> {
        let step = self.draw_honest()?;
        // An intent that waited may have outlived its escrow, and nothing can be built from that.
        self.model.escrows.get(&step.at.escrow)?;
        let arguments = match step.arguments {
            Arguments::Authorize { intent, signature } => {
                let (amount, fee) = (intent.amount, 0);
                let (release, capture) = (None, None);
                Arguments::Charge(ChargeArguments { intent, signature, amount, fee, release, capture })
            }
            Arguments::Charge(ChargeArguments { intent, signature, .. }) => {
                Arguments::Authorize { intent, signature }
            }
            _ => return None,
        };
        let signer = self.cast.thief;
        Some(self.step(At { signer, ..step.at }, arguments))
    }

    pub(super) fn alter(&mut self) -> Option<Step> {
        let step = self.draw_honest()?;
        let mut arguments = step.arguments;
        match &mut arguments {
            Arguments::Authorize { intent, .. } => self.alter_intent(intent),
            Arguments::Charge(ChargeArguments { intent, amount, fee, release, capture, .. }) => {
                match self.random.random_range(0..4) {
                    0 if release.is_some() => *amount -= (*amount).min(1),
                    1 if capture.is_some() => *fee -= 1,
                    _ => self.alter_intent(intent),
                }
            }
            Arguments::Capture { amount, fee, rest, signature: Some(_) } => {
                match self.random.random_range(0..3) {
                    0 => *amount = amount.wrapping_add(1),
                    1 => *fee = fee.wrapping_add(1),
                    _ => *rest = if *rest == Rest::Released { Rest::Held } else { Rest::Released },
                }
            }
            Arguments::Void { amount, signature: Some(_) } => *amount = amount.wrapping_sub(1),
            _ => return None,
        }
        Some(self.step(step.at, arguments))
    }

    fn alter_intent(&mut self, intent: &mut Intent) {
        let thief = self.cast.thief;
        match self.random.random_range(0..13) {
            0 => intent.amount = intent.amount.wrapping_add(1),
            1 => intent.amount = intent.amount.wrapping_sub(1),
            2 => intent.nonce = intent.nonce.wrapping_add(1),
            3 => intent.authorize_by = intent.authorize_by.saturating_add(1),
            4 => intent.capture_deadline = intent.capture_deadline.saturating_add(1),
            5 => intent.refund_deadline = intent.refund_deadline.saturating_add(1),
            6 => intent.maximum_fee_bps = intent.maximum_fee_bps.wrapping_add(1),
            7 => intent.resource_hash[0] ^= 1,
            8 => intent.receiver = thief,
            9 => intent.capture_authorizer = thief,
            10 => intent.receiver_authorizer = thief,
            11 => intent.fee_recipient = thief,
            _ => {
                let escrows: Vec<Address> = self.model.escrows.keys().copied().collect();
                intent.escrow = self.pick(&escrows).unwrap_or_default();
            }
        }
    }
}
