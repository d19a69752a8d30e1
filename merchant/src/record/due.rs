//! What is to be done with a merchant's purchases by now. No I/O; time is an argument, in unix
//! seconds.

use x402_escrow_wire::{
    purchase::{
        charge::Charge,
        seller::{Hold, HoldEvent},
    },
    text::Hex32,
};

use super::{book::Book, change::Change, entry::Entry};

/// How far clocks may be apart, in seconds.
pub(crate) const CLOCK_TOLERANCE: i64 = 30;

/// After its capture deadline a release still goes through, and a capture that was sent before may
/// have.
pub(super) const GRACE: i64 = 3600;

impl Book {
    /// Holds that are to be ended by now: those that may be held and bought nothing, and streams that
    /// nobody has used for so many seconds, or that are used up; without a number, none of these.
    pub(crate) fn to_end(&self, now: i64, idle_seconds: Option<i64>) -> Vec<Change> {
        let is_due = |entry: &Entry| match entry.state {
            Hold::Unknown => entry.authorize_by.saturating_add(CLOCK_TOLERANCE) < now && !entry.waits(now),
            Hold::Open => idle_seconds.is_some_and(|idle| entry.is_idle(now, idle)),
            _ => false,
        };
        self.changes(HoldEvent::Due, |entry| entry.is_quiet() && is_due(entry))
    }

    /// Holds whose time is over.
    pub(crate) fn over(&self, now: i64) -> Vec<Change> {
        let can_be = |entry: &Entry| {
            let at_work = [Hold::Sent, Hold::SentAgain, Hold::Checking, Hold::Serving];
            !at_work.contains(&entry.state)
        };
        let is_over = |entry: &Entry| entry.capture_deadline.saturating_add(GRACE) < now;
        self.changes(HoldEvent::Over, |entry| entry.is_quiet() && can_be(entry) && is_over(entry))
    }

    /// Holds whose capture or release is to be settled now.
    pub(crate) fn unsettled(&self, now: i64) -> Vec<Hex32> {
        let unsettled = self.holds.iter().filter(|(_, entry)| entry.is_unsettled(now));
        unsettled.map(|(id, _)| *id).collect()
    }

    /// How many streams are open.
    pub(crate) fn open_streams(&self) -> usize {
        self.holds.values().filter(|entry| entry.state == Hold::Open).count()
    }

    fn changes(&self, event: HoldEvent, applies: impl Fn(&Entry) -> bool) -> Vec<Change> {
        let is_hold = |entry: &Entry| entry.charge == Charge::Offered;
        let holds = self.holds.iter().filter(|(_, entry)| is_hold(entry) && applies(entry));
        holds.map(|(id, _)| Change::of_hold(*id, event)).collect()
    }
}

impl Entry {
    /// Whether no request and no ending is at work.
    fn is_quiet(&self) -> bool {
        self.under_way.is_empty() && !self.is_ending
    }

    fn is_idle(&self, now: i64, idle_seconds: i64) -> bool {
        let is_used_up =
            self.requirements.as_ref().is_some_and(|requirements| self.accepted >= requirements.amount.0);
        is_used_up || now.saturating_sub(self.used_at) >= idle_seconds
    }
}
