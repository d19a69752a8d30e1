use rand::Rng;
use x402_escrow_interface::{
    Address,
    message::{Capture, Release},
};
use x402_escrow_tests::model::{Arguments, Hold, Rest};

use super::payment::highest_fee;
use crate::property::{
    play::Play,
    step::{At, Step},
};

impl Play {
    pub(super) fn draw_capture(&mut self) -> Option<Step> {
        let (at, hold) =
            self.pick_hold(|hold, now| hold.open() > 0 && now <= hold.intent.capture_deadline)?;
        let (intent, intent_digest) = (hold.intent, hold.intent.digest());
        let amount = if self.one_in(3) {
            hold.amount
        } else {
            let more = self.amount(hold.open(), &[hold.amount]);
            if self.one_in(20) { more } else { hold.captured.saturating_add(more) }
        };
        let highest_fee = highest_fee(&intent, amount);
        let fee = match self.random.random_range(0..12) {
            0 => self.amount(highest_fee, &[hold.fee, amount]),
            1..4 => highest_fee,
            4..8 if hold.fee < highest_fee => self.random.random_range(hold.fee..=highest_fee),
            _ => hold.fee,
        };
        let one_key = intent.capture_authorizer == intent.receiver_authorizer;
        let rest = match self.random.random_range(0..10) {
            0..3 if one_key || self.one_in(8) => Rest::Released,
            3..5 => {
                let release = Release { intent_digest, amount };
                Rest::ReleasedBySignature(self.sign(&intent.receiver_authorizer, release))
            }
            _ => Rest::Held,
        };
        let capture = Capture { intent_digest, amount, fee, last: rest == Rest::Released };
        let signature = (!self.one_in(3)).then(|| self.sign(&intent.capture_authorizer, capture));
        Some(self.step(at, Arguments::Capture { amount, fee, rest, signature }))
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
        let signature = (!self.one_in(3)).then(|| self.sign(&hold.intent.receiver_authorizer, release));
        Some(self.step(at, Arguments::Void { amount, signature }))
    }

    pub(super) fn draw_reclaim(&mut self) -> Option<Step> {
        let (at, _) = self.pick_hold(|hold, now| hold.open() > 0 && now > hold.intent.capture_deadline)?;
        Some(self.step(at, Arguments::Reclaim))
    }

    pub(super) fn draw_refund(&mut self) -> Option<Step> {
        let (at, hold) =
            self.pick_hold(|hold, now| hold.captured > hold.refunded && now <= hold.intent.refund_deadline)?;
        let left = hold.captured - hold.refunded;
        let amount = if self.one_in(4) { left } else { self.amount(left, &[]) };
        let tokens = self.cast.place(&at.escrow).tokens_of(&hold.intent.receiver);
        Some(self.step(At { tokens, ..at }, Arguments::Refund { amount }))
    }

    pub(super) fn draw_close_hold(&mut self) -> Option<Step> {
        let (at, _) = self.pick_hold(Hold::is_finished)?;
        Some(self.step(at, Arguments::CloseHold))
    }

    /// Mostly one of the holds that are `wanted` at this time, with its accounts.
    fn pick_hold(&mut self, wanted: impl Fn(&Hold, i64) -> bool) -> Option<(At, Hold)> {
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
}
