use rand::Rng;
use x402_escrow_interface::{
    Address, ID,
    message::{Capture, Intent, PaymentFlow, Release},
    resource::resource_hash,
};
use x402_escrow_tests::model::{Arguments, ChargeArguments, Session};

use crate::property::{
    play::Play,
    step::{At, Step},
};

/// 30 days and 90 days: the most that an intent's deadlines may lie ahead.
const FAR_SECONDS: [i64; 2] = [2_592_000, 7_776_000];

impl Play {
    pub(super) fn draw_authorize(&mut self) -> Option<Step> {
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
        let intent = self.draw_intent(PaymentFlow::Escrow)?;
        let signature = self.sign(&intent.session_key, intent);
        let at = At { escrow: intent.escrow, signer: self.pick_rent_payer(), ..At::default() };
        Some(self.step(at, Arguments::Authorize { intent, signature }))
    }

    pub(super) fn draw_charge(&mut self) -> Option<Step> {
        let intent = self.draw_intent(PaymentFlow::Authorization)?;
        let signature = self.sign(&intent.session_key, intent);
        let amount = if self.one_in(2) { intent.amount } else { self.amount(intent.amount, &[]) };
        let highest_fee = highest_fee(&intent, amount);
        let fee = if self.one_in(2) { 0 } else { self.amount(highest_fee, &[]).min(amount) };
        let intent_digest = intent.digest();
        let by_signature = self.random.random_ratio(2, 3);
        let release = (amount < intent.amount && by_signature)
            .then(|| self.sign(&intent.receiver_authorizer, Release { intent_digest, amount }));
        let by_signature = self.random.random_ratio(2, 3);
        let last = Capture { intent_digest, amount, fee, last: true };
        let capture = (fee > 0 && by_signature).then(|| self.sign(&intent.capture_authorizer, last));
        let at = At { escrow: intent.escrow, ..At::default() };
        let charge = ChargeArguments { intent, signature, amount, fee, release, capture };
        Some(self.step(at, Arguments::Charge(charge)))
    }

    fn draw_intent(&mut self, flow: PaymentFlow) -> Option<Intent> {
        let (address, escrow) = self.pick_session(|play, address| {
            let session = &play.model.sessions[address];
            let left = session.left(play.model.now).min(play.model.free(&session.escrow));
            !session.revoked && session.limits.expires_at > play.model.now && left > 0
        })?;
        let session = self.model.sessions[&address].clone();
        let limits = session.limits;
        let (free, left) = (self.model.free(&escrow), session.left(self.model.now));
        let reach = free.min(left).min(limits.maximum_payment);
        let limited = limits.receiver != Address::default() && !self.one_in(15);
        let receiver = if limited { limits.receiver } else { self.pick(&self.cast.receivers.clone())? };
        let third_party = self.pick(&self.cast.third_parties.clone())?;
        let capture_authorizer = self.pick(&[receiver, session.session_key, third_party])?;
        let receiver_authorizer =
            self.pick(&[receiver, receiver, capture_authorizer, self.cast.third_parties[0]])?;
        let maximum_fee_bps = if limited {
            0
        } else {
            self.pick(&[0, 0, 0, 30, 50, 100, 100, 250, 1_000, 1_000, 10_000, 10_001])?
        };
        let authorize_by = self.model.now + self.random.random_range(30..600);
        let capture_deadline = authorize_by + self.random.random_range(0..3_600);
        let refund_deadline =
            if self.one_in(2) { 0 } else { capture_deadline + self.random.random_range(0..7_200) };
        let request = format!("https://api.example/{}", self.random.random::<u32>());
        let mut intent = Intent {
            program: ID,
            incarnation: session.incarnation,
            escrow,
            session_key: session.session_key,
            receiver,
            capture_authorizer,
            receiver_authorizer,
            fee_recipient: self.pick(&self.cast.fee_recipients.clone())?,
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
        Some(intent)
    }

    /// Times at and just beyond their bounds.
    fn bend_times(&mut self, intent: &mut Intent) {
        let now = self.model.now;
        match self.random.random_range(0..10) {
            0 => intent.authorize_by = now,
            1 => intent.authorize_by = now - 1,
            2 => intent.capture_deadline = intent.authorize_by - 1,
            3 => intent.refund_deadline = intent.capture_deadline - 1,
            4 => intent.capture_deadline = now + FAR_SECONDS[0],
            5 => intent.capture_deadline = now + FAR_SECONDS[0] + 1,
            6 => intent.refund_deadline = intent.capture_deadline + FAR_SECONDS[1],
            7 => intent.refund_deadline = intent.capture_deadline + FAR_SECONDS[1] + 1,
            8 => intent.refund_deadline = -1,
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
            30..34 => highest.saturating_add(self.random.random_range(900..1_200)),
            34 if self.one_in(20) => u64::MAX,
            _ => highest.saturating_add(1),
        }
    }
}

/// The highest fee that an intent allows on `amount`.
pub(super) fn highest_fee(intent: &Intent, amount: u64) -> u64 {
    let fee = u128::from(amount) * u128::from(intent.maximum_fee_bps) / 10_000;
    u64::try_from(fee).unwrap_or(u64::MAX)
}
