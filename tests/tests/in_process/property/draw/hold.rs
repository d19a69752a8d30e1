use rand::Rng;
use x402_escrow_interface::{
    Address,
    message::{Capture, Release},
};
use x402_escrow_tests::model::{Arguments, Consent, End, Hold};

use super::payment::highest_fee;
use crate::property::{
    play::Play,
    step::{At, Step},
};

impl Play {
    pub(super) fn draw_capture(&mut self) -> Option<Step> {
        let (at, hold) =
            self.pick_hold(|hold, now| hold.open() > 0 && now <= hold.intent.capture_deadline)?;
        if self.one_in(3)
            && let Some(step) = self.draw_capture_of_voucher(at, &hold)
        {
            return Some(step);
        }
        let (intent, intent_digest) = (hold.intent, hold.intent.digest());
        let amount = if self.one_in(3) {
            hold.amount
        } else {
            let more = self.amount(hold.open(), &[hold.amount]);
            if self.one_in(20) { more } else { hold.captured.saturating_add(more) }
        };
        let one_key = intent.capture_authorizer == intent.receiver_authorizer;
        let end = match self.random.random_range(0..10) {
            0..3 if one_key || self.one_in(8) => End::AtBound,
            3..5 => {
                let release = Release { intent_digest, amount };
                End::AtAmount(self.sign(&intent.receiver_authorizer, release))
            }
            _ => End::Unchanged,
        };
        let in_full = end == End::AtBound && !self.one_in(15);
        let bound = if in_full || self.one_in(2) { amount } else { self.draw_bound(amount, &hold) };
        let fee = self.draw_fee(&hold, bound);
        let bound = Capture { intent_digest, amount: bound, fee, last: end == End::AtBound };
        let consent = self.consent(&intent.capture_authorizer, bound);
        Some(self.step(at, Arguments::Capture { amount, bound, end, consent }))
    }

    /// A bound above what is captured, now and then below it.
    fn draw_bound(&mut self, amount: u64, hold: &Hold) -> u64 {
        if self.one_in(15) {
            return amount.saturating_sub(1);
        }
        let more = self.amount(hold.open(), &[hold.amount]);
        amount.saturating_add(more)
    }

    /// A fee on a capture up to `bound`, within what the intent allows or above.
    pub(super) fn draw_fee(&mut self, hold: &Hold, bound: u64) -> u64 {
        let highest_fee = highest_fee(&hold.intent, bound);
        match self.random.random_range(0..12) {
            0 => self.amount(highest_fee, &[hold.fee, bound]),
            1..4 => highest_fee,
            4..8 if highest_fee > 0 => self.random.random_range(0..=highest_fee),
            8 => hold.fee,
            _ => 0,
        }
    }

    /// Anyone submits a capture that was signed before.
    fn draw_capture_of_voucher(&mut self, at: At, hold: &Hold) -> Option<Step> {
        let signatures = &self.audit.signatures;
        let vouchers = signatures.captures_of(&hold.intent.digest(), &hold.intent.capture_authorizer);
        let (bound, signature) = self.pick(&vouchers)?;
        let end = if bound.last { End::AtBound } else { End::Unchanged };
        let part = hold.captured.saturating_add(self.amount(hold.open(), &[bound.amount])).min(bound.amount);
        let amount = if bound.last || self.one_in(2) { bound.amount } else { part };
        let consent = Consent::Signature(signature);
        Some(self.step(at, Arguments::Capture { amount, bound, end, consent }))
    }

    pub(super) fn draw_void(&mut self) -> Option<Step> {
        let (at, hold) = self.pick_hold(|hold, _| hold.open() > 0)?;
        let amount = if self.one_in(2) {
            hold.captured
        } else if self.one_in(15) {
            hold.captured.saturating_sub(1)
        } else {
            hold.captured.saturating_add(self.amount(hold.open() - hold.open().min(1), &[hold.amount]))
        };
        let release = Release { intent_digest: hold.intent.digest(), amount };
        let consent = self.consent(&hold.intent.receiver_authorizer, release);
        Some(self.step(at, Arguments::Void { release, consent }))
    }

    pub(super) fn draw_reclaim(&mut self) -> Option<Step> {
        let (at, _) = self.pick_hold(|hold, now| hold.open() > 0 && now > hold.intent.capture_deadline)?;
        Some(self.step(at, Arguments::Reclaim))
    }

    /// Mostly one of the holds that are `wanted` at this time, with its accounts.
    pub(super) fn pick_hold(&mut self, wanted: impl Fn(&Hold, i64) -> bool) -> Option<(At, Hold)> {
        let all: Vec<Address> = self.model.holds.keys().copied().collect();
        let now = self.model.now;
        let of_these: Vec<Address> =
            all.iter().copied().filter(|address| wanted(&self.model.holds[address], now)).collect();
        let any = self.pick(&all)?;
        let address = match self.pick_in_focus(&all) {
            Some(address) => address,
            None if self.one_in(12) => any,
            None => self.pick(&of_these)?,
        };
        let hold = self.model.holds[&address].clone();
        let at = At { escrow: hold.intent.escrow, session: hold.session, hold: address, ..At::default() };
        Some((at, hold))
    }

    /// A capture authorizer gives a voucher out of its hands, which anyone may submit later.
    pub(crate) fn sign_a_voucher(&mut self) {
        let wanted = |hold: &Hold, now| hold.open() > 0 && now <= hold.intent.capture_deadline;
        if let Some((_, hold)) = self.pick_hold(wanted) {
            let amount = hold.captured.saturating_add(self.amount(hold.open(), &[hold.amount]));
            let fee = self.draw_fee(&hold, amount);
            let capture = Capture { intent_digest: hold.intent.digest(), amount, fee, last: false };
            self.sign(&hold.intent.capture_authorizer, capture);
        }
    }
}
