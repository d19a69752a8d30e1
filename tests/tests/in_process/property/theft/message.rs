use rand::Rng;
use x402_escrow_interface::{
    Address,
    message::{Capture, Intent, Release, Revoke, RevokeScope},
};
use x402_escrow_tests::model::{Arguments, ChargeArguments, Consent, End, Message, Signed};

use crate::property::{
    build::{hold_of, session_of},
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
        let mut arguments = step.arguments.clone();
        let mut signatures = signatures_of(&mut arguments);
        let index = self.random.random_range(0..signatures.len().max(1));
        let replaced = signatures.get_mut(index)?;
        **replaced = other(self, &step, replaced)?;
        Some(self.step(step.at, arguments))
    }

    pub(super) fn forge(&mut self, step: &Step, right: &Signed) -> Option<Signed> {
        let wrong = self.pick_wrong_party(step, &right.by);
        Some(self.sign(&wrong, right.message))
    }

    pub(super) fn of_other_payment(&mut self, _: &Step, right: &Signed) -> Option<Signed> {
        let others: Vec<Intent> = self.model.holds.values().map(|hold| hold.intent).collect();
        let other = self.pick(&others)?;
        let intent_digest = other.digest();
        let message: Message = match right.message {
            Message::Intent(intent) => Intent { nonce: intent.nonce.wrapping_add(1), ..intent }.into(),
            Message::Capture(capture) => Capture { intent_digest, ..capture }.into(),
            Message::Release(release) => Release { intent_digest, ..release }.into(),
            Message::Revoke(revoke) => Revoke { escrow: other.escrow, ..revoke }.into(),
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
            // One session instead of all, or all instead of one.
            Message::Revoke(Revoke { program, escrow, session_key, incarnation, opened_through_slot }) => {
                let scope = if opened_through_slot == 0 {
                    RevokeScope::OpenedThroughSlot(self.model.slot)
                } else {
                    RevokeScope::Session { session_key, incarnation }
                };
                Revoke::new(program, escrow, scope).into()
            }
        };
        Some(self.sign(&right.by, message))
    }

    /// A signer's transaction about another payment or opening, mostly one that was at this address
    /// before.
    pub(super) fn lingering_transaction(&mut self) -> Option<Step> {
        let step = if self.one_in(3) { self.draw_honest() } else { self.draw_about_a_hold() }?;
        let mut arguments = step.arguments;
        match &mut arguments {
            Arguments::Capture { bound: Capture { intent_digest, .. }, consent, .. }
            | Arguments::Void { release: Release { intent_digest, .. }, consent } => {
                *consent = Consent::Signer;
                let hold = step.at.hold;
                let intents = self.sent_intents();
                let (here, elsewhere): (Vec<_>, Vec<_>) =
                    intents.into_iter().partition(|intent| hold_of(intent) == hold);
                let other = if here.len() > 1 { self.pick(&here)? } else { self.pick(&elsewhere)? };
                *intent_digest = other.digest();
            }
            Arguments::RevokeSession { named, consent } => {
                *consent = Consent::Signer;
                let session = step.at.session;
                let mut intents = self.sent_intents();
                intents.retain(|intent| session_of(intent) == session || self.random.random_ratio(1, 4));
                named.incarnation = self.pick(&intents)?.incarnation;
            }
            _ => return None,
        }
        Some(self.step(step.at, arguments))
    }

    /// The intents of what was held lately.
    fn sent_intents(&self) -> Vec<Intent> {
        let intents = self.sent.iter().filter_map(|step| match &step.arguments {
            Arguments::Authorize { intent, .. } => Some(*intent),
            _ => None,
        });
        intents.collect()
    }

    pub(super) fn other_flow(&mut self) -> Option<Step> {
        let step = self.draw_honest()?;
        // An intent that waited may have outlived its escrow, and nothing can be built from that.
        self.model.escrows.get(&step.at.escrow)?;
        let arguments = match step.arguments {
            Arguments::Authorize { intent, signature, receiver_proof } => {
                let amount = intent.amount;
                let (release, capture) = (None, None);
                let charge = ChargeArguments { intent, signature, receiver_proof, amount, release, capture };
                Arguments::Charge(charge)
            }
            Arguments::Charge(ChargeArguments { intent, signature, receiver_proof, .. }) => {
                Arguments::Authorize { intent, signature, receiver_proof }
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
            Arguments::Authorize { intent, receiver_proof, .. } => match receiver_proof.first_mut() {
                Some(hash) if self.random.random_ratio(1, 2) => hash[0] ^= 1,
                _ => self.alter_intent(intent),
            },
            Arguments::Charge(ChargeArguments { intent, amount, capture, release, .. }) => {
                match self.random.random_range(0..4) {
                    0 if release.is_some() => *amount -= (*amount).min(1),
                    1 if capture.is_some() => self.alter_capture(&mut capture.as_mut()?.bound),
                    _ => self.alter_intent(intent),
                }
            }
            Arguments::Capture { bound, end, consent: Consent::Signature(_), .. } => {
                if self.random.random_ratio(1, 3) {
                    *end = if *end == End::AtBound { End::Unchanged } else { End::AtBound };
                    bound.last = *end == End::AtBound;
                } else {
                    self.alter_capture(bound);
                }
            }
            Arguments::Void { release, consent: Consent::Signature(_) } => {
                release.amount = release.amount.wrapping_sub(1);
            }
            Arguments::RevokeSessions { named, consent: Consent::Signature(_) } => {
                named.opened_through_slot = named.opened_through_slot.wrapping_add(1);
            }
            _ => return None,
        }
        Some(self.step(step.at, arguments))
    }

    fn alter_capture(&mut self, bound: &mut Capture) {
        match self.random.random_range(0..2) {
            0 => bound.amount = bound.amount.wrapping_add(1),
            _ => bound.fee = bound.fee.wrapping_add(1),
        }
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

/// Every signature among the arguments.
fn signatures_of(arguments: &mut Arguments) -> Vec<&mut Signed> {
    match arguments {
        Arguments::Authorize { signature, .. } => vec![signature],
        Arguments::Charge(ChargeArguments { signature, release, capture, .. }) => {
            let capture = capture.as_mut().and_then(|capture| of_consent(&mut capture.consent));
            let release = release.as_mut().and_then(of_consent);
            [Some(signature), release, capture].into_iter().flatten().collect()
        }
        Arguments::Capture { end, consent, .. } => {
            let release = if let End::AtAmount(release) = end { Some(release) } else { None };
            [release, of_consent(consent)].into_iter().flatten().collect()
        }
        Arguments::Void { consent, .. }
        | Arguments::RevokeSession { consent, .. }
        | Arguments::RevokeSessions { consent, .. } => of_consent(consent).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn of_consent(consent: &mut Consent) -> Option<&mut Signed> {
    if let Consent::Signature(signature) = consent { Some(signature) } else { None }
}
