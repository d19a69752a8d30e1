//! What a merchant knows of payments that are charged at once. No I/O; time is an argument, in unix
//! seconds.

use x402_escrow_wire::{
    purchase::{
        Illegal,
        charge::{Charge, ChargeEvent},
    },
    text::Hex32,
};

use super::{
    book::Book,
    change::{Change, ChargeUndo, Undo},
    due::{CLOCK_TOLERANCE, GRACE},
    entry::Entry,
    line::Line,
};

impl Book {
    /// What is known of a charge.
    pub(crate) fn charge(&self, id: &Hex32) -> Charge {
        self.holds.get(id).map_or(Charge::Offered, |entry| entry.charge)
    }

    /// Makes a change of a charge, like [`Book::change`].
    ///
    /// # Errors
    /// If it can't happen now; then nothing changed.
    pub(super) fn change_charge(
        &mut self,
        change: Change,
        event: ChargeEvent,
    ) -> Result<Option<(Line, Undo)>, Illegal> {
        let before = self.charge(&change.id);
        let after = before.next(event)?;
        let entry = self.holds.entry(change.id).or_default();
        let is_first = entry.capture_deadline == 0;
        let is_written = after.on_disk() != before.on_disk();
        if is_written {
            entry.note(change.about.as_ref(), change.payload.as_ref());
        }
        let (requirements, payload) = (entry.requirements.clone(), entry.payload.clone());
        entry.set_charge(after);
        let written = is_written.then(|| {
            let about = change.about.filter(|_| is_first);
            let line = Line {
                hold: Some(change.id),
                charge: Some(after.on_disk()),
                requirements: about.as_ref().map(|about| about.requirements.clone()),
                authorize_by: about.as_ref().map(|about| about.authorize_by),
                capture_deadline: about.as_ref().map(|about| about.capture_deadline),
                payload: change.payload,
                ..Line::default()
            };
            let charge = Some(ChargeUndo { before, after, requirements, payload });
            let hold = (entry.state, entry.state);
            (line, Undo { id: change.id, hold, voucher: None, charge })
        });
        self.forget_if_empty(&change.id);
        Ok(written)
    }

    /// Takes a change back that could not be written. What was forgotten stays forgotten.
    pub(super) fn undo_charge(&mut self, id: Hex32, undo: &ChargeUndo) {
        let Some(entry) = self.holds.get_mut(&id).filter(|entry| entry.charge == undo.after) else { return };
        entry.set_charge(undo.before);
        if undo.before.on_disk() != Charge::Offered {
            (entry.requirements, entry.payload) = (undo.requirements.clone(), undo.payload.clone());
        }
        self.forget_if_empty(&id);
    }

    /// Charges of which the verifier is to be asked now whether they were made: nobody can make them
    /// any more.
    pub(crate) fn charges_to_check(&self, now: i64) -> Vec<Change> {
        let is_due = |entry: &Entry| {
            let has_passed = entry.authorize_by.saturating_add(CLOCK_TOLERANCE) < now;
            entry.charge == Charge::Unknown && has_passed && !entry.waits(now)
        };
        self.charges(ChargeEvent::Due, is_due)
    }

    /// Charges whose time is over.
    pub(crate) fn charges_over(&self, now: i64) -> Vec<Change> {
        let is_over = |entry: &Entry| {
            let is_quiet = matches!(entry.charge, Charge::Unknown | Charge::Paid | Charge::Served);
            is_quiet && entry.capture_deadline.saturating_add(GRACE) < now
        };
        self.charges(ChargeEvent::Over, is_over)
    }

    fn charges(&self, event: ChargeEvent, applies: impl Fn(&Entry) -> bool) -> Vec<Change> {
        let charges = self.holds.iter().filter(|(_, entry)| applies(entry));
        charges.map(|(id, _)| Change::of_charge(*id, event)).collect()
    }
}
