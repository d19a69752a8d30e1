//! What a merchant knows of one payment. No I/O; time is an argument, in unix seconds.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;
use x402_escrow_wire::{
    payment::PaymentRequirements,
    purchase::{
        Illegal,
        charge::Charge,
        seller::{Hold, HoldEvent, Voucher},
    },
    text::{Decimal, Hex32},
};

use super::{
    change::About,
    line::{Line, VoucherLine},
};

/// The shortest and longest pause before an ending is settled again, in seconds.
const PAUSE: i64 = 5;
const LONGEST_PAUSE: i64 = 300;

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) state: Hold,
    /// Of a payment that is charged at once; then `state` says nothing.
    pub(crate) charge: Charge,
    /// With which the ending is settled; `None` once it is over.
    pub(crate) requirements: Option<PaymentRequirements>,
    /// The intent of a hold without a verdict, or the signed capture.
    pub(crate) payload: Option<Value>,
    pub(super) authorize_by: i64,
    pub(super) capture_deadline: i64,
    /// Vouchers that bought something, in base units.
    pub(super) served: BTreeSet<u64>,
    /// The highest voucher that was accepted, in base units.
    pub(super) accepted: u64,
    /// Vouchers that a request works on.
    pub(super) under_way: HashMap<u64, Voucher>,
    /// When a voucher came last.
    pub(super) used_at: i64,
    /// Whether its ending is being written or settled: nothing else happens to it meanwhile.
    pub(super) is_ending: bool,
    /// When its ending is settled again, and the pause after that.
    again_at: i64,
    pause: i64,
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            state: Hold::Offered,
            charge: Charge::Offered,
            requirements: None,
            payload: None,
            authorize_by: 0,
            capture_deadline: 0,
            served: BTreeSet::new(),
            accepted: 0,
            under_way: HashMap::new(),
            used_at: 0,
            is_ending: false,
            again_at: 0,
            pause: PAUSE,
        }
    }
}

/// What is on disk of a state.
pub(super) fn on_disk(state: Hold) -> Hold {
    match state {
        Hold::Sent => Hold::Offered,
        Hold::SentAgain | Hold::Checking => Hold::Unknown,
        state => state,
    }
}

/// Whether something goes to the verifier that can't be made anew.
pub(super) fn keeps_payload(state: Hold) -> bool {
    matches!(on_disk(state), Hold::Unknown | Hold::Capturing)
}

impl Entry {
    /// The highest voucher that bought something, in base units.
    pub(crate) fn bought(&self) -> u64 {
        self.served.last().copied().unwrap_or(0)
    }

    /// Whether requests can be paid by vouchers, as far as is known here.
    pub(crate) fn takes_vouchers(&self) -> bool {
        self.state.takes_vouchers() && !self.is_ending
    }

    /// # Errors
    /// If something else must happen first.
    pub(super) fn permits(&self, event: Option<HoldEvent>, has_voucher: bool) -> Result<(), Illegal> {
        let is_closed = has_voucher && !self.takes_vouchers();
        let is_used = event == Some(HoldEvent::Due) && !self.under_way.is_empty();
        let ends = event == Some(HoldEvent::Asked) && self.is_ending;
        if is_closed || is_used || ends { Err(Illegal) } else { Ok(()) }
    }

    pub(super) fn voucher(&self, amount: u64) -> Voucher {
        match self.under_way.get(&amount) {
            Some(voucher) => *voucher,
            None if self.served.contains(&amount) => Voucher::Served,
            None => Voucher::Offered,
        }
    }

    pub(super) fn set_voucher(&mut self, amount: u64, voucher: Voucher) {
        self.under_way.remove(&amount);
        self.served.remove(&amount);
        match voucher {
            Voucher::Offered => {}
            Voucher::Served => _ = self.served.insert(amount),
            Voucher::Sent | Voucher::Serving => _ = self.under_way.insert(amount, voucher),
        }
        if voucher == Voucher::Serving {
            self.accepted = self.accepted.max(amount);
        }
    }

    pub(super) fn set_state(&mut self, state: Hold) {
        self.state = state;
        if matches!(state, Hold::Captured | Hold::Released | Hold::Lapsed) {
            self.requirements = None;
        }
        if on_disk(state) == Hold::Offered {
            // It is not on disk any more: if it comes again, all of it is written.
            (self.requirements, self.authorize_by, self.capture_deadline) = (None, 0, 0);
        }
        if !keeps_payload(state) {
            self.payload = None;
        }
    }

    pub(super) fn set_charge(&mut self, charge: Charge) {
        self.charge = charge;
        if matches!(charge.on_disk(), Charge::Served | Charge::Offered) {
            (self.requirements, self.payload) = (None, None);
        }
        if charge.on_disk() == Charge::Offered {
            (self.authorize_by, self.capture_deadline) = (0, 0);
        }
    }

    /// Keeps what the ending needs, of a hold that was not known before.
    pub(super) fn note(&mut self, about: Option<&About>, payload: Option<&Value>) {
        if let Some(about) = about.filter(|_| self.capture_deadline == 0) {
            self.requirements = Some(about.requirements.clone());
            (self.authorize_by, self.capture_deadline) = (about.authorize_by, about.capture_deadline);
        }
        self.payload = payload.cloned().or(self.payload.take());
    }

    pub(super) fn end_later(&mut self, now: i64) {
        self.is_ending = false;
        self.again_at = now.saturating_add(self.pause);
        self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
    }

    /// Whether an ending is to be settled now.
    pub(super) fn is_unsettled(&self, now: i64) -> bool {
        let states = [Hold::Capturing, Hold::Releasing];
        states.contains(&self.state) && !self.is_ending && !self.waits(now)
    }

    /// Whether its ending was tried, and the pause is not over.
    pub(super) fn waits(&self, now: i64) -> bool {
        now < self.again_at
    }

    /// Everything that is on disk of it.
    pub(super) fn lines(&self, id: Hex32) -> Vec<Line> {
        let mut lines = vec![Line {
            hold: Some(id),
            state: Some(on_disk(self.state)).filter(|state| *state != Hold::Offered),
            charge: Some(self.charge.on_disk()).filter(|charge| *charge != Charge::Offered),
            requirements: self.requirements.clone(),
            authorize_by: Some(self.authorize_by),
            capture_deadline: Some(self.capture_deadline),
            payload: self.payload.clone(),
            accepted: Some(Decimal(self.accepted)).filter(|accepted| accepted.0 > 0),
            served: self.served.iter().copied().map(Decimal).collect(),
            ..Line::default()
        }];
        let serving = self.under_way.iter().filter(|(_, state)| **state == Voucher::Serving);
        lines.extend(serving.map(|(amount, state)| Line {
            hold: Some(id),
            voucher: Some(VoucherLine { amount: Decimal(*amount), state: *state }),
            ..Line::default()
        }));
        let is_known = on_disk(self.state) != Hold::Offered || self.charge.on_disk() != Charge::Offered;
        if is_known { lines } else { Vec::new() }
    }
}
