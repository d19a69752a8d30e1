//! What a merchant knows of its purchases. No I/O; time is an argument, in unix seconds.

use std::collections::HashMap;

use x402_escrow_wire::{
    claim::Claim,
    purchase::{
        Illegal,
        charge::Charge,
        seller::{Hold, HoldEvent, Voucher},
    },
    text::{Decimal, Hex32},
};

use super::{
    change::{Change, Undo},
    entry::{Entry, keeps_payload, on_disk},
    line::{Line, VoucherLine},
};

/// How many holds without a verdict are kept; of more, those that come later go back to their payers
/// at the deadline.
const MOST_UNKNOWN: usize = 65_536;

/// All purchases.
#[derive(Default)]
pub(crate) struct Book {
    pub(super) holds: HashMap<Hex32, Entry>,
}

impl Book {
    pub(crate) fn get(&self, id: &Hex32) -> Option<&Entry> {
        self.holds.get(id)
    }

    /// Makes a change. Returns what has to be on disk before anybody acts on it, and how to take it
    /// back if it can't be written.
    ///
    /// # Errors
    /// If the change can't happen now; then nothing changed.
    pub(crate) fn change(&mut self, change: Change, now: i64) -> Result<Option<(Line, Undo)>, Illegal> {
        if let Some(event) = change.charge {
            return self.change_charge(change, event);
        }
        let fresh = Entry::default();
        let entry = self.holds.get(&change.id).unwrap_or(&fresh);
        let event = self.bounded(entry, change.hold);
        entry.permits(event, change.voucher.is_some())?;
        let (before, after) = (entry.state, event.map_or(Ok(entry.state), |event| entry.state.next(event))?);
        let voucher = match change.voucher {
            Some((amount, event)) => {
                Some((amount, entry.voucher(amount), entry.voucher(amount).next(event)?))
            }
            None => None,
        };

        let entry = self.holds.entry(change.id).or_default();
        let is_first = entry.capture_deadline == 0;
        if on_disk(after) != on_disk(before) {
            entry.note(change.about.as_ref(), change.payload.as_ref());
        }
        entry.set_state(after);
        // Whoever signs an ending settles it, once it is on disk.
        entry.is_ending |= matches!(after, Hold::Capturing | Hold::Releasing) && before != after;
        if let Some((amount, _, after)) = voucher {
            entry.set_voucher(amount, after);
            entry.used_at = now;
        }
        let is_kept = |voucher| matches!(voucher, Voucher::Serving | Voucher::Served);
        let voucher_line = voucher
            .filter(|(_, before, after)| before != after && (is_kept(*before) || is_kept(*after)))
            .map(|(amount, _, state)| VoucherLine { amount: Decimal(amount), state });
        let written = (on_disk(after) != on_disk(before) || voucher_line.is_some()).then(|| {
            let about = change.about.filter(|_| is_first);
            let line = Line {
                hold: Some(change.id),
                state: Some(on_disk(after)).filter(|after| *after != on_disk(before)),
                requirements: about.as_ref().map(|about| about.requirements.clone()),
                authorize_by: about.as_ref().map(|about| about.authorize_by),
                capture_deadline: about.as_ref().map(|about| about.capture_deadline),
                payload: change.payload.filter(|_| keeps_payload(after)),
                voucher: voucher_line,
                ..Line::default()
            };
            (line, Undo { id: change.id, hold: (before, after), voucher, charge: None })
        });
        self.forget_if_empty(&change.id);
        Ok(written)
    }

    /// Takes a change back that could not be written. What is over stays over, and an open stream
    /// stays open: others may use it by now.
    pub(crate) fn undo(&mut self, undo: &Undo) {
        if let Some(charge) = &undo.charge {
            return self.undo_charge(undo.id, charge);
        }
        let Some(entry) = self.holds.get_mut(&undo.id) else { return };
        let (before, after) = undo.hold;
        let stays = matches!(after, Hold::Open | Hold::Captured | Hold::Released | Hold::Lapsed);
        if entry.state == after && before != after && !stays {
            entry.set_state(before);
            entry.is_ending = false;
        }
        match undo.voucher {
            Some((amount, before, after)) if entry.voucher(amount) == after => {
                entry.set_voucher(amount, before);
            }
            _ => {}
        }
        self.forget_if_empty(&undo.id);
    }

    /// Reads a change that is on disk.
    pub(crate) fn read(&mut self, line: &Line, now: i64) {
        let Some(id) = line.hold else { return };
        let entry = self.holds.entry(id).or_default();
        entry.requirements = line.requirements.clone().or(entry.requirements.take());
        entry.authorize_by = line.authorize_by.unwrap_or(entry.authorize_by);
        entry.capture_deadline = line.capture_deadline.unwrap_or(entry.capture_deadline);
        entry.payload = line.payload.clone().or(entry.payload.take());
        match (line.charge, entry.charge) {
            (Some(charge), _) => entry.set_charge(charge),
            (None, Charge::Offered) => entry.set_state(line.state.unwrap_or(entry.state)),
            (None, _) => {}
        }
        if let Some(VoucherLine { amount, state }) = line.voucher {
            entry.set_voucher(amount.0, state);
        }
        entry.used_at = now;
        entry.accepted = entry.accepted.max(line.accepted.unwrap_or_default().0);
        entry.served.extend(line.served.iter().map(|amount| amount.0));
        self.forget_if_empty(&id);
    }

    /// Puts everything where it is after a crash.
    pub(crate) fn crash(&mut self) {
        let ids: Vec<Hex32> = self.holds.keys().copied().collect();
        ids.iter().for_each(|id| self.crash_one(id, None));
    }

    /// Puts one hold, or a voucher of it, where it is after a crash: for a request that breaks off.
    pub(crate) fn crash_one(&mut self, id: &Hex32, voucher: Option<u64>) {
        let Some(entry) = self.holds.get_mut(id) else { return };
        match (entry.charge, entry.state.next(HoldEvent::Crashed)) {
            (Charge::Offered, Ok(state)) => entry.set_state(state),
            (Charge::Offered, Err(_)) => {}
            (charge, _) => entry.set_charge(charge.on_disk()),
        }
        match voucher {
            Some(amount) => entry.set_voucher(amount, Voucher::Offered),
            None => entry.under_way.clear(),
        }
        entry.is_ending = false;
        self.forget_if_empty(id);
    }

    /// The whole book, as lines.
    pub(crate) fn lines(&self, claim: Claim) -> Vec<Line> {
        let claim = Line { claim: Some(claim), ..Line::default() };
        std::iter::once(claim).chain(self.holds.iter().flat_map(|(id, entry)| entry.lines(*id))).collect()
    }

    /// Takes a hold's ending for the caller, who gives it back by [`Self::end_later`]. False if
    /// somebody else has it.
    pub(crate) fn take_ending(&mut self, id: &Hex32) -> bool {
        let entry = self.holds.get_mut(id).filter(|entry| !entry.is_ending);
        entry.map(|entry| entry.is_ending = true).is_some()
    }

    /// Has the ending settled again after a pause, which doubles each time.
    pub(crate) fn end_later(&mut self, id: &Hex32, now: i64) {
        if let Some(entry) = self.holds.get_mut(id) {
            entry.end_later(now);
        }
    }

    /// The event, or a "no" where there is no room for another hold without a verdict.
    fn bounded(&self, entry: &Entry, event: Option<HoldEvent>) -> Option<HoldEvent> {
        let unknown = || self.holds.values().filter(|entry| entry.state == Hold::Unknown).count();
        let is_full = || self.holds.len() > MOST_UNKNOWN && unknown() >= MOST_UNKNOWN;
        match event {
            Some(HoldEvent::NoAnswer | HoldEvent::Weak) if entry.state == Hold::Sent && is_full() => {
                Some(HoldEvent::No)
            }
            event => event,
        }
    }

    pub(super) fn forget_if_empty(&mut self, id: &Hex32) {
        let is_empty = |entry: &Entry| {
            let is_offered = entry.state == Hold::Offered && entry.charge == Charge::Offered;
            is_offered && entry.under_way.is_empty()
        };
        if self.holds.get(id).is_some_and(is_empty) {
            self.holds.remove(id);
        }
    }
}
