//! A verifier that knows what is held and captured, and may answer anything but this: it does not say
//! that something is held for a claim that it is not held for, nor that an ending is final that it
//! has not made. No merchant could tell.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};
use x402_escrow_wire::{
    auth_capture::{Extra, LifecyclePayload, Payload},
    claim::Claim,
    facilitator::FacilitatorRequest,
    text::Hex32,
};

use super::{dice::Dice, instance::PRICE};
use crate::exchange::Answered;

/// What became of a hold.
pub(super) struct Hold {
    claim: Claim,
    pub(super) is_streamed: bool,
    deadline: i64,
    /// What each accepted voucher added, and for whom, by its amount.
    vouchers: BTreeMap<u64, (Claim, u64)>,
    /// What was captured, once it has ended.
    pub(super) captured: Option<u64>,
}

impl Hold {
    /// The highest voucher that was accepted.
    pub(super) fn vouched(&self) -> u64 {
        self.vouchers.keys().next_back().copied().unwrap_or(0)
    }
}

#[derive(Default)]
pub(super) struct Verifier {
    pub(super) is_honest: bool,
    pub(super) holds: HashMap<Hex32, Hold>,
    /// Captures and releases that it was shown. They are no secret: anyone may make them count.
    shown: Vec<LifecyclePayload>,
    /// Holds of which it said no, another's, or that it can't read the request.
    pub(super) denied: BTreeSet<Hex32>,
}

/// So long before the deadline nothing more is sold out of a stream: it needs time to be ended, in
/// seconds.
const MARGIN: i64 = 600;

const DUPLICATE: &str = "duplicate_settlement";
const REPEATED: &str = "invalid_auth_capture_svm_voucher_repeated";

fn no(reason: &str) -> Value {
    json!({"success": false, "errorReason": reason, "transaction": "", "network": "solana:test"})
}

fn yes(amount: u64, status: &str, again: bool) -> Value {
    json!({"success": true, "transaction": "", "network": "solana:test", "amount": amount.to_string(),
        "extra": {"status": status, "alreadySettled": again, "claimed": again}})
}

/// It was told yes to somebody else: a verifier that knows of no claims may say so in another way.
fn anothers(no: Value, dice: &Dice) -> Value {
    let yes = json!({"success": true, "transaction": "", "network": "solana:test", "amount": PRICE.to_string(),
        "extra": {"status": "finalized", "alreadySettled": true}});
    if dice.once_in(2) { yes } else { no }
}

impl Verifier {
    pub(super) fn settle(&mut self, body: &[u8], dice: &Dice) -> Answered {
        let request: FacilitatorRequest = serde_json::from_slice(body).unwrap();
        let payload = Payload::read(&request.payment_payload.payload).unwrap();
        let extra = Extra::read(&request.payment_requirements).unwrap();
        let id = match &payload {
            Payload::Intent(intent) => Hex32(intent.intent(&request.payment_requirements, &extra).digest()),
            Payload::Voucher(voucher) => voucher.payment_id,
            Payload::Lifecycle(ending) => ending.payment_id(),
        };
        let lies = !self.is_honest;
        if let Payload::Lifecycle(ending) = &payload {
            self.shown.push(ending.clone());
        }
        if lies && dice.once_in(4) && !self.shown.is_empty() {
            let late = self.shown.len().min(8) as u64;
            let back = usize::try_from(dice.below(late)).unwrap();
            self.end(&self.shown[self.shown.len() - 1 - back].clone());
        }
        if lies && dice.once_in(8) {
            return self.lost(id, dice);
        }
        if lies && dice.once_in(6) {
            return Ok((200, self.lie(&payload, id, dice).to_string().into_bytes()));
        }
        let mut answer = self.judge(&payload, id, &extra, &request, dice.now(), dice);
        if lies && dice.once_in(8) {
            return self.lost(id, dice);
        }
        let is_theirs = answer["success"] == true && !answer["extra"]["claimed"].is_null();
        if lies && is_theirs && !matches!(payload, Payload::Lifecycle(_)) {
            match dice.below(12) {
                // Less than was asked for.
                0 => answer = yes(0, "unsettled", false),
                // It forgot that it said yes before.
                1 => answer["extra"]["alreadySettled"] = json!(false),
                2 => answer = no("settlement_pending"),
                3 => {
                    self.denied.insert(id);
                    answer["extra"] = json!({"status": "confirmed", "alreadySettled": true});
                }
                _ => {}
            }
        }
        Ok((200, answer.to_string().into_bytes()))
    }

    /// No verdict, or a "no" to the request.
    fn lost(&mut self, id: Hex32, dice: &Dice) -> Answered {
        let status = dice.pick(&[0, 200, 201, 400, 409, 413, 429, 500, 502, 503]);
        if matches!(status, 400 | 413) {
            self.denied.insert(id);
        }
        match status {
            0 => Err("connection reset".into()),
            status => {
                Ok((status, dice.pick(&["", "{}", "[", "null", "{\"success\":1}"]).as_bytes().to_vec()))
            }
        }
    }

    /// An answer to something that was not looked at.
    fn lie(&mut self, payload: &Payload, id: Hex32, dice: &Dice) -> Value {
        let open = ["settlement_pending", "unexpected_settle_error", "unexpected_verify_error"];
        match payload {
            // Said to be stored, and lost.
            Payload::Lifecycle(_) if dice.once_in(3) => yes(1, "unsettled", false),
            Payload::Lifecycle(LifecyclePayload::Capture { .. }) if !dice.once_in(3) => no(dice
                .pick(&["invalid_auth_capture_svm_payment_not_found", "invalid_auth_capture_svm_capture"])),
            Payload::Lifecycle(_) => no(dice.pick(&open)),
            _ if dice.once_in(2) => no(dice.pick(&open)),
            _ => {
                self.denied.insert(id);
                no(dice.pick(&["insufficient_funds", DUPLICATE, REPEATED]))
            }
        }
    }

    /// What is true, and what becomes of it.
    fn judge(
        &mut self,
        payload: &Payload,
        id: Hex32,
        extra: &Extra,
        request: &FacilitatorRequest,
        now: i64,
        dice: &Dice,
    ) -> Value {
        let status = if self.is_honest || dice.once_in(2) { "finalized" } else { "confirmed" };
        if let Some(hold) = self.holds.get_mut(&id) {
            hold.expire(now);
        }
        let claim = request.claim;
        let is_late =
            self.holds.get(&id).is_some_and(|hold| hold.is_streamed && hold.deadline < now + MARGIN);
        if is_late && !matches!(payload, Payload::Lifecycle(_)) {
            self.denied.insert(id);
            return no("invalid_auth_capture_svm_voucher_too_late");
        }
        match (payload, self.holds.get_mut(&id)) {
            (Payload::Intent(intent), None) => {
                if intent.authorize_by < now {
                    return no("invalid_auth_capture_svm_intent_expired");
                }
                let claim = claim.unwrap();
                let voucher = intent.voucher.map(|voucher| (voucher.amount.0, (claim, voucher.amount.0)));
                let is_streamed = extra.is_streamed();
                // The voucher is kept once the hold is final enough: until then any may come.
                let is_final = self.is_honest || !dice.once_in(4);
                let vouchers = voucher.filter(|_| is_final).into_iter().collect();
                let deadline = extra.capture_deadline;
                self.holds.insert(id, Hold { claim, is_streamed, deadline, vouchers, captured: None });
                match is_final {
                    true => yes(request.payment_requirements.amount.0, status, false),
                    false => no("settlement_pending"),
                }
            }
            (Payload::Intent(intent), Some(hold)) => {
                if Some(hold.claim) != claim {
                    return anothers(no(DUPLICATE), dice);
                }
                if hold.captured.is_some() && !dice.once_in(4) {
                    return no(DUPLICATE);
                }
                let first = intent.voucher.map(|voucher| voucher.amount.0);
                let kept = first.map(|first| (first, hold.vouchers.get(&first).map(|(claim, _)| *claim)));
                match kept {
                    Some((first, None)) if hold.vouched() < first && hold.captured.is_none() => {
                        hold.vouchers.insert(first, (hold.claim, first));
                        yes(request.payment_requirements.amount.0, status, false)
                    }
                    // It came alone, through another instance, or a later one came alone before it.
                    Some((_, first)) if first != claim => {
                        self.denied.insert(id);
                        anothers(no(DUPLICATE), dice)
                    }
                    _ => yes(request.payment_requirements.amount.0, status, true),
                }
            }
            (_, None) => no("invalid_auth_capture_svm_payment_not_found"),
            (Payload::Voucher(voucher), Some(hold)) => {
                let (amount, last) = (voucher.amount.0, hold.vouched());
                match hold.vouchers.get(&amount) {
                    Some((first, added)) if Some(*first) == claim && hold.captured.is_none() => {
                        return yes(*added, status, true);
                    }
                    Some(_) => return anothers(no(REPEATED), dice),
                    None if hold.captured.is_some() => {
                        return no("invalid_auth_capture_svm_voucher_hold_closed");
                    }
                    None => {}
                }
                if amount < last + extra.request_price.unwrap().0 {
                    return no("invalid_auth_capture_svm_voucher_below_price");
                }
                if amount > request.payment_requirements.amount.0 {
                    return no("invalid_auth_capture_svm_voucher_above_hold");
                }
                hold.vouchers.insert(amount, (claim.unwrap(), amount - last));
                yes(amount - last, status, false)
            }
            (Payload::Lifecycle(ending), Some(_)) => yes(self.end(ending).unwrap(), status, false),
        }
    }

    /// Ends a hold, unless it has ended. Returns what is captured of it.
    fn end(&mut self, ending: &LifecyclePayload) -> Option<u64> {
        let hold = self.holds.get_mut(&ending.payment_id())?;
        let amount = match ending {
            LifecyclePayload::Capture { amount, .. } => amount.0,
            LifecyclePayload::Close { amount, .. } => amount.0.min(hold.vouched()),
            LifecyclePayload::Void { .. } => 0,
        };
        Some(*hold.captured.get_or_insert(amount))
    }
}

impl Hold {
    /// After the deadline what was not captured goes back; the last voucher is captured just before.
    pub(super) fn expire(&mut self, now: i64) {
        if now > self.deadline {
            self.captured = Some(self.captured.unwrap_or_else(|| self.vouched()));
        }
    }
}
