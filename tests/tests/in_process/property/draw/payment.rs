use rand::Rng;
use x402_escrow_interface::{
    Address,
    message::{Digest, Intent, PaymentFlow},
    receivers::ANYONE,
    resource::resource_hash,
};
use x402_escrow_tests::{
    model::{Arguments, Session},
    program_id,
};

use crate::property::{
    build::hold_of,
    play::Play,
    step::{At, Step},
};

/// 30 days: the most that an intent's capture deadline may lie ahead.
const FAR_SECONDS: i64 = 2_592_000;

impl Play {
    pub(super) fn draw_authorize(&mut self) -> Option<Step> {
        if self.one_in(12) {
            return self.draw_authorize_again();
        }
        let signed = self.draw_signed_authorize()?;
        // Some wait a while, and are overtaken.
        if self.one_in(6) && self.waiting.len() < 20 {
            self.waiting.push(signed);
            return None;
        }
        if self.one_in(8) && !self.waiting.is_empty() {
            let index = self.random.random_range(0..self.waiting.len());
            return Some(self.waiting.swap_remove(index));
        }
        Some(signed)
    }

    fn draw_signed_authorize(&mut self) -> Option<Step> {
        let (intent, receiver_proof) = self.draw_intent(PaymentFlow::Escrow)?;
        let signature = self.sign(&intent.session_key, intent);
        let at = At { escrow: intent.escrow, signer: self.pick_rent_payer(), ..At::default() };
        Some(self.step(at, Arguments::Authorize { intent, signature, receiver_proof }))
    }

    /// A relay that comes second.
    fn draw_authorize_again(&mut self) -> Option<Step> {
        let held = |step: &&Step| match &step.arguments {
            Arguments::Authorize { intent, .. } => self.model.holds.contains_key(&hold_of(intent)),
            _ => false,
        };
        let sent: Vec<Step> = self.sent.iter().filter(held).cloned().collect();
        let first = self.pick(&sent)?;
        let at = At { signer: self.pick_rent_payer(), ..first.at };
        Some(self.step(at, first.arguments))
    }

    /// An intent of a session that can pay, and the proof that it may pay the receiver.
    pub(super) fn draw_intent(&mut self, flow: PaymentFlow) -> Option<(Intent, Vec<Digest>)> {
        let (address, escrow) = self.pick_session(|play, address| {
            let session = &play.model.sessions[address];
            let left = session.left(play.model.now).min(play.model.free(&session.escrow));
            let revoked = play.model.escrows[&session.escrow].has_revoked(session);
            !revoked && session.limits.expires_at > play.model.now && left > 0
        })?;
        let session = self.model.sessions[&address].clone();
        let limits = session.limits;
        let (free, left) = (self.model.free(&escrow), session.left(self.model.now));
        let reach = free.min(left).min(limits.maximum_payment);
        let (receiver, receiver_proof) = self.draw_receiver(&limits.receivers_root)?;
        let third_party = self.pick(&self.cast.third_parties.clone())?;
        let capture_authorizer = self.pick(&[receiver, session.session_key, third_party])?;
        let receiver_authorizer =
            self.pick(&[receiver, receiver, capture_authorizer, self.cast.third_parties[0]])?;
        let without_fee = limits.receivers_root != ANYONE && !self.one_in(15);
        let maximum_fee_bps = if without_fee {
            0
        } else {
            self.pick(&[0, 0, 30, 50, 100, 100, 250, 1_000, 1_000, 10_000, 10_001])?
        };
        let fee_recipient = match self.pick(&self.cast.fee_recipients.clone())? {
            _ if maximum_fee_bps == 0 || self.one_in(40) => receiver,
            _ if self.one_in(40) => escrow,
            fee_recipient => fee_recipient,
        };
        let authorize_by = self.model.now + self.random.random_range(30..600);
        let seconds = if self.one_in(3) { 40_000 } else { 3_600 };
        let capture_deadline = authorize_by + self.random.random_range(0..seconds);
        let refund_deadline = self.pick(&[0, 0, capture_deadline + 3_600, i64::MAX, -1])?;
        let request = format!("https://api.example/{}", self.random.random::<u32>());
        let mut intent = Intent {
            program: program_id(),
            incarnation: session.incarnation,
            escrow,
            session_key: session.session_key,
            receiver,
            capture_authorizer,
            receiver_authorizer,
            fee_recipient,
            resource_hash: resource_hash("GET", &request, b""),
            amount: self.amount(reach, &[free, left, limits.maximum_payment]),
            nonce: self.draw_nonce(&session),
            authorize_by,
            capture_deadline,
            refund_deadline,
            maximum_fee_bps,
            flow,
        };
        if self.one_in(12) {
            self.bend_times(&mut intent);
        }
        Some((intent, receiver_proof))
    }

    /// A receiver, mostly one that a session with this list may pay, and the proof of that.
    fn draw_receiver(&mut self, root: &Digest) -> Option<(Address, Vec<Digest>)> {
        let any = self.pick(&self.cast.receivers.clone())?;
        let Some(list) = self.model.lists.get(root).cloned() else { return Some((any, Vec::new())) };
        let is_listed = |receiver: &Address| list.receivers().contains(receiver);
        let listed: Vec<Address> = self.cast.receivers.iter().copied().filter(is_listed).collect();
        let receiver = if self.one_in(15) { any } else { self.pick(&listed)? };
        let proof = list.proof(&receiver).or_else(|| list.proof(&listed[0]));
        Some((receiver, proof.unwrap_or_default()))
    }

    /// Times at and just beyond their bounds.
    fn bend_times(&mut self, intent: &mut Intent) {
        let now = self.model.now;
        match self.random.random_range(0..6) {
            0 => intent.authorize_by = now,
            1 => intent.authorize_by = now - 1,
            2 => intent.capture_deadline = intent.authorize_by - 1,
            3 => intent.capture_deadline = now + FAR_SECONDS,
            4 => intent.capture_deadline = now + FAR_SECONDS + 1,
            _ => intent.capture_deadline = i64::MAX,
        }
    }

    /// Mostly the next; also out of order, far ahead, used, and behind the window.
    fn draw_nonce(&mut self, session: &Session) -> u64 {
        let highest = session.highest_nonce();
        match self.random.random_range(0..100) {
            0..3 => highest.saturating_sub(self.random.random_range(0..2_000)),
            3..9 if highest > 1_030 => highest.saturating_sub(1_023 + self.random.random_range(0..4)),
            3..9 => highest.saturating_sub(self.random.random_range(0..20)),
            9 => 0,
            10..30 => highest.saturating_add(self.random.random_range(2..30)),
            30..33 => highest.saturating_add(self.random.random_range(900..1_024)),
            33 => highest.saturating_add(1_023 + self.random.random_range(0..4)),
            34 if self.one_in(4) => u64::MAX,
            _ => highest.saturating_add(1),
        }
    }
}

/// The highest fee that an intent allows on `amount`.
pub(super) fn highest_fee(intent: &Intent, amount: u64) -> u64 {
    let fee = u128::from(amount) * u128::from(intent.maximum_fee_bps) / 10_000;
    u64::try_from(fee).unwrap_or(u64::MAX)
}
