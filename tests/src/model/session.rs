use std::collections::{BTreeMap, BTreeSet};

use x402_escrow_interface::{address, error::EscrowError, instruction::SessionLimits};

use super::{Broken, Call, Model, Rule, Session};

impl Model {
    pub(super) fn open_session(&mut self, call: &Call, limits: &SessionLimits) -> Result<(), Broken> {
        const RENT_PAYER: usize = 0;
        const PAYER: usize = 1;
        const ESCROW: usize = 2;
        const SESSION_KEY: usize = 3;
        const SESSION: usize = 4;
        let mut broken = Broken::default();
        broken.unless_signed(call, RENT_PAYER);
        broken.unless_signed(call, PAYER);
        let escrow = self.escrow(call, ESCROW)?;
        broken.unless(call.address(PAYER) == escrow.payer, EscrowError::WrongPayer);
        let (escrow, session_key, session) =
            (call.address(ESCROW), call.address(SESSION_KEY), call.address(SESSION));
        let expected = address::session(&self.program, &escrow, &session_key);
        broken.unless(session == expected, Rule::WrongSeeds);
        broken.unless(!self.sessions.contains_key(&session), Rule::AccountInUse);
        broken.unless_limits(limits, self.now);
        broken.or_ok()?;

        let rent_payer = call.address(RENT_PAYER);
        self.pay_rent(rent_payer, session, self.rents.session);
        let mut opened = Session {
            escrow,
            session_key,
            rent_payer,
            incarnation: self.newest_slot_hash,
            opened_slot: self.slot,
            limits: SessionLimits { period_seconds: 0, ..*limits },
            revoked: false,
            periods_since: 0,
            first_period: 0,
            period: 0,
            nonces: BTreeSet::new(),
            payments: BTreeMap::new(),
        };
        opened.set_limits(limits, self.now);
        self.sessions.insert(session, opened);
        Ok(())
    }

    pub(super) fn update_session(&mut self, call: &Call, limits: &SessionLimits) -> Result<(), Broken> {
        let (mut broken, session) = self.session_of_payer(call)?;
        let escrow = self.escrow(call, 1)?;
        broken.unless(!escrow.has_revoked(session), EscrowError::SessionRevoked);
        broken.unless_limits(limits, self.now);
        broken.or_ok()?;

        let now = self.now;
        self.sessions.entry(call.address(2)).and_modify(|session| session.set_limits(limits, now));
        Ok(())
    }

    pub(super) fn close_session(&mut self, call: &Call) -> Result<(), Broken> {
        const SESSION: usize = 2;
        const RENT_PAYER: usize = 3;
        let (mut broken, session) = self.session_of_payer(call)?;
        let rent_payer = session.rent_payer;
        broken.unless(call.address(RENT_PAYER) == rent_payer, EscrowError::WrongRentPayer);
        let holds = self.holds_of(&call.address(SESSION)).count();
        broken.unless(holds == 0, EscrowError::SessionHasHolds);
        broken.unless(self.slot > session.opened_slot, EscrowError::ClosedInOpeningSlot);
        broken.or_ok()?;

        self.sessions.remove(&call.address(SESSION));
        self.return_rent(call.address(SESSION), rent_payer);
        Ok(())
    }

    /// The session in slot 2, where slot 0 is the payer and slot 1 the escrow, and what is wrong
    /// with these.
    fn session_of_payer(&self, call: &Call) -> Result<(Broken, &Session), Broken> {
        let mut broken = Broken::default();
        broken.unless_signed(call, 0);
        let escrow = self.escrow(call, 1)?;
        let session = self.session(call, 2)?;
        broken.unless(call.address(0) == escrow.payer, EscrowError::WrongPayer);
        broken.unless(session.escrow == call.address(1), EscrowError::WrongSession);
        Ok((broken, session))
    }

    /// The session in a slot.
    pub(super) fn session(&self, call: &Call, slot: usize) -> Result<&Session, Broken> {
        self.sessions.get(&call.address(slot)).ok_or_else(Broken::missing_account)
    }
}

impl Session {
    /// Another length of period starts a new one, with a number that none had before.
    fn set_limits(&mut self, limits: &SessionLimits, now: i64) {
        if limits.period_seconds != self.limits.period_seconds {
            self.period += 1;
            self.first_period = self.period;
            self.periods_since = now;
        }
        self.limits = *limits;
    }
}

impl Broken {
    /// Limits must allow some payment at `now`.
    fn unless_limits(&mut self, limits: &SessionLimits, now: i64) {
        self.unless(limits.expires_at > now, EscrowError::SessionExpiryPassed);
        let positive = limits.maximum_payment > 0 && limits.maximum_total > 0;
        self.unless(positive, EscrowError::LimitIsZero);
        let complete = (limits.maximum_per_period > 0) == (limits.period_seconds > 0);
        self.unless(complete, EscrowError::PeriodIncomplete);
    }
}
