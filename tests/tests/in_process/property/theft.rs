mod message;

use rand::Rng;
use x402_escrow_interface::{
    Address,
    address::{SYSTEM_PROGRAM_ID, TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID},
    message::Intent,
};
use x402_escrow_tests::model::{Arguments, Consent};

use super::{
    build::session_of,
    play::Play,
    step::{Step, Theft},
};

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
            Theft::LingeringTransaction => self.lingering_transaction(),
            Theft::OtherMessage => self.with_other_signature(Self::of_other_message),
            Theft::AlteredMessage => self.alter(),
            Theft::OtherFlow => self.other_flow(),
        }?;
        Some(Step { theft: Some(theft), ..step })
    }

    fn wrong_signer(&mut self) -> Option<Step> {
        let mut step = self.draw_honest()?;
        let slot = self.pick_signer(&step)?;
        let right = step.instruction.accounts[slot].pubkey;
        step.instruction.accounts[slot].pubkey = self.pick_wrong_party(&step, &right);
        Some(step)
    }

    /// The thief, or another than the right one of those who have to do with what a step is about.
    fn pick_wrong_party(&mut self, step: &Step, right: &Address) -> Address {
        let intent = match &step.arguments {
            Arguments::Authorize { intent, .. } => Some(*intent),
            Arguments::Charge(charge) => Some(charge.intent),
            _ => self.model.holds.get(&step.at.hold).map(|hold| hold.intent),
        };
        let of_payment = intent.map(|intent| {
            let Intent { session_key, receiver, capture_authorizer, receiver_authorizer, .. } = intent;
            [session_key, receiver, capture_authorizer, receiver_authorizer, intent.fee_recipient]
        });
        let escrow = self.model.escrows.get(&step.at.escrow);
        let of_escrow = escrow.map(|escrow| [escrow.payer, escrow.guardian]);
        let parties = of_payment.into_iter().flatten().chain(of_escrow.into_iter().flatten());
        let others: Vec<Address> =
            parties.filter(|party| party != right && self.cast.wallets.contains(party)).collect();
        let thief = self.cast.thief;
        if self.one_in(3) { thief } else { self.pick(&others).unwrap_or(thief) }
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
            Arguments::Capture { consent, .. }
            | Arguments::Void { consent, .. }
            | Arguments::RevokeSession { consent, .. }
            | Arguments::RevokeSessions { consent, .. } => *consent != Consent::Signer,
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
        if let Arguments::Authorize { intent, signature, .. } = &mut step.arguments
            && self.random.random_ratio(2, 3)
        {
            intent.authorize_by = self.model.now + 60;
            intent.capture_deadline = self.model.now + 600;
            *signature = self.sign(&intent.session_key.clone(), *intent);
        }
        Some(self.step(step.at, step.arguments))
    }
}
