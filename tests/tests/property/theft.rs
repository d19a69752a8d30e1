use rand::Rng;
use x402_escrow_interface::{
    Address,
    address::{SYSTEM_PROGRAM_ID, TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID},
    message::{Capture, Intent, Release},
};
use x402_escrow_tests::model::{Arguments, ChargeArguments, Rest, Signed};

use super::{build::session_of, play::Play, step::Step};

/// How a thief turns something honest into something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Theft {
    /// The thief signs in place of whoever must.
    WrongSigner,
    /// Whoever must sign does not.
    MissingSigner,
    /// The thief signs a message in place of whoever must.
    ForgedSignature,
    /// Another valid account of the same kind.
    SubstitutedAccount,
    /// What succeeded, once more.
    Replay,
    /// An intent signed for an earlier opening of the session.
    OldIncarnation,
    /// A signature of the right key over another payment.
    OtherPayment,
    /// A signature of the right key over another kind of message.
    OtherMessage,
    /// A field that differs from what was signed.
    AlteredMessage,
    /// An intent of the other flow.
    OtherFlow,
}

impl Theft {
    pub(crate) const ALL: &[Self] = &[
        Self::WrongSigner,
        Self::MissingSigner,
        Self::ForgedSignature,
        Self::SubstitutedAccount,
        Self::Replay,
        Self::OldIncarnation,
        Self::OtherPayment,
        Self::OtherMessage,
        Self::AlteredMessage,
        Self::OtherFlow,
    ];
}

impl Play {
    /// A step of this kind; `None` if what was drawn gives no occasion.
    pub(crate) fn steal(&mut self, theft: Theft) -> Option<Step> {
        let step = match theft {
            Theft::WrongSigner => self.wrong_signer(),
            Theft::MissingSigner => self.missing_signer(),
            Theft::ForgedSignature => self.with_other_signature(Self::forge),
            Theft::SubstitutedAccount => self.substitute(),
            Theft::Replay => self.replay(),
            Theft::OldIncarnation => self.old_incarnation(),
            Theft::OtherPayment => self.with_other_signature(Self::of_other_payment),
            Theft::OtherMessage => self.with_other_signature(Self::of_other_message),
            Theft::AlteredMessage => self.alter(),
            Theft::OtherFlow => self.other_flow(),
        }?;
        Some(Step { theft: Some(theft), ..step })
    }

    fn wrong_signer(&mut self) -> Option<Step> {
        let mut step = self.draw_honest()?;
        let slot = self.pick_signer(&step)?;
        step.instruction.accounts[slot].pubkey = self.cast.thief;
        Some(step)
    }

    fn missing_signer(&mut self) -> Option<Step> {
        let mut step = self.draw_honest()?;
        let slot = self.pick_signer(&step)?;
        let signer = step.instruction.accounts[slot].pubkey;
        for meta in &mut step.instruction.accounts {
            meta.is_signer &= meta.pubkey != signer;
        }
        Some(step)
    }

    /// The slot of a signer, but for those who only pay a rent.
    fn pick_signer(&mut self, step: &Step) -> Option<usize> {
        let metas = &step.instruction.accounts;
        let signers: Vec<usize> =
            (0..metas.len()).filter(|&slot| metas[slot].is_signer && !metas[slot].is_writable).collect();
        self.pick(&signers)
    }

    fn substitute(&mut self) -> Option<Step> {
        let mut step = self.draw_honest()?;
        let slot = self.random.random_range(0..step.instruction.accounts.len());
        let right = step.instruction.accounts[slot].pubkey;
        let mut others = self.of_same_kind(&right);
        others.retain(|address| *address != right);
        if self.one_in(4) {
            // What is in another slot already.
            let metas = &step.instruction.accounts;
            others.retain(|address| metas.iter().any(|meta| meta.pubkey == *address));
        }
        step.instruction.accounts[slot].pubkey = self.pick(&others)?;
        Some(step)
    }

    fn of_same_kind(&self, address: &Address) -> Vec<Address> {
        let programs = vec![TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID];
        let kinds = [
            self.model.escrows.keys().copied().collect(),
            self.model.sessions.keys().copied().collect(),
            self.model.tokens.keys().copied().collect(),
            self.cast.mints.clone(),
            self.cast.wallets.clone(),
            programs,
        ];
        if *address == SYSTEM_PROGRAM_ID {
            return Vec::new();
        }
        // What is none of these is a hold, or where one is to be.
        let holds = || self.model.holds.keys().copied().collect();
        kinds.into_iter().find(|kind: &Vec<Address>| kind.contains(address)).unwrap_or_else(holds)
    }

    fn replay(&mut self) -> Option<Step> {
        let by_message = |step: &&Step| match &step.arguments {
            Arguments::Authorize { .. } | Arguments::Charge(_) => true,
            Arguments::Capture { signature, .. } | Arguments::Void { signature, .. } => signature.is_some(),
            _ => false,
        };
        let sent: Vec<Step> = self.sent.iter().filter(by_message).cloned().collect();
        // Half of them so fresh that they have not expired.
        let from = if self.one_in(2) { sent.len().saturating_sub(20) } else { 0 };
        self.pick(&sent[from..])
    }

    fn old_incarnation(&mut self) -> Option<Step> {
        let is_old = |intent: &Intent| {
            let session = self.model.sessions.get(&session_of(intent));
            session.is_some_and(|session| session.incarnation != intent.incarnation)
        };
        let old = |step: &&Step| match &step.arguments {
            Arguments::Authorize { intent, .. } => is_old(intent),
            Arguments::Charge(charge) => is_old(&charge.intent),
            _ => false,
        };
        let sent: Vec<Step> = self.sent.iter().filter(old).cloned().collect();
        let mut step = self.pick(&sent)?;
        // Where it is still in time, only the incarnation stands against it.
        if let Arguments::Authorize { intent, signature } = &mut step.arguments
            && self.random.random_ratio(2, 3)
        {
            intent.authorize_by = self.model.now + 60;
            intent.capture_deadline = self.model.now + 600;
            intent.refund_deadline = 0;
            *signature = self.sign(&intent.session_key.clone(), *intent);
        }
        Some(self.step(step.at, step.arguments))
    }

    /// An honest step with one of its signatures replaced.
    fn with_other_signature(
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

    fn forge(&mut self, _: &Step, right: &Signed) -> Option<Signed> {
        let thief = self.cast.thief;
        Some(self.sign(&thief, right.message))
    }

    fn of_other_payment(&mut self, _: &Step, right: &Signed) -> Option<Signed> {
        use x402_escrow_tests::model::Message;

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

    fn of_other_message(&mut self, _: &Step, right: &Signed) -> Option<Signed> {
        use x402_escrow_tests::model::Message;

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

    fn other_flow(&mut self) -> Option<Step> {
        let step = self.draw_honest()?;
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
        Some(self.step(super::step::At { signer, ..step.at }, arguments))
    }

    fn alter(&mut self) -> Option<Step> {
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
