use rand::Rng;
use x402_escrow_interface::{Address, address, instruction::SessionLimits, receivers::ANYONE};
use x402_escrow_tests::{model::Arguments, program_id};

use crate::property::{
    play::Play,
    step::{At, Step},
};

impl Play {
    pub(super) fn draw_open_session(&mut self) -> Option<Step> {
        let escrow = self.pick_escrow()?;
        if escrow == self.visited() && !self.one_in(10) {
            return None;
        }
        let agents = self.cast.place(&escrow).agents.clone();
        let without: Vec<Address> = agents
            .iter()
            .copied()
            .filter(|agent| {
                !self.model.sessions.contains_key(&address::session(&program_id(), &escrow, agent))
            })
            .collect();
        let agent = if self.one_in(20) { self.pick(&agents)? } else { self.pick(&without)? };
        let payer = self.cast.place(&escrow).payer;
        let signer = if self.one_in(3) { payer } else { self.pick_rent_payer() };
        let limits = self.draw_limits(0);
        let at = At { escrow, session: agent, signer, ..At::default() };
        Some(self.step(at, Arguments::OpenSession { limits }))
    }

    pub(super) fn draw_update_session(&mut self) -> Option<Step> {
        let (session, escrow) = self.pick_session(|play, session| {
            let session = &play.model.sessions[session];
            !play.model.escrows[&session.escrow].has_revoked(session)
                && (session.limits.expires_at < play.model.now + 600
                    || session.left(play.model.now) < session.limits.maximum_payment)
        })?;
        let spent = self.model.sessions[&session].spent();
        let limits = self.draw_limits(spent);
        Some(self.step(At { escrow, session, ..At::default() }, Arguments::UpdateSession { limits }))
    }

    pub(super) fn draw_close_session(&mut self) -> Option<Step> {
        let (session, escrow) = self.pick_session(|play, session| {
            let idle = play.model.holds_of(session).next().is_none();
            let session = &play.model.sessions[session];
            idle && (play.model.escrows[&session.escrow].has_revoked(session)
                || session.limits.expires_at < play.model.now
                || session.nonces.len() > 40)
        })?;
        Some(self.step(At { escrow, session, ..At::default() }, Arguments::CloseSession))
    }

    /// Mostly one of the sessions that are `wanted`, with its escrow.
    pub(super) fn pick_session(
        &mut self,
        wanted: impl Fn(&Self, &Address) -> bool,
    ) -> Option<(Address, Address)> {
        let all: Vec<Address> = self.model.sessions.keys().copied().collect();
        let of_these: Vec<Address> = all.iter().copied().filter(|session| wanted(self, session)).collect();
        let any = self.pick(&all)?;
        let session = match self.pick_in_focus(&all) {
            Some(session) => session,
            None if self.one_in(6) => any,
            None => self.pick(&of_these).unwrap_or(any),
        };
        Some((session, self.model.sessions[&session].escrow))
    }

    /// Limits for a session that has spent so much.
    fn draw_limits(&mut self, spent: u64) -> SessionLimits {
        let now = self.model.now;
        let period_seconds = [0, 0, 600, 3_600][self.random.random_range(0..4)];
        let maximum_total = if spent > 0 && self.one_in(5) {
            self.amount(spent, &[spent])
        } else {
            spent + self.random.random_range(5_000_000..200_000_000)
        };
        let roots: Vec<_> = self.cast.lists.iter().map(|list| list.root()).collect();
        let receivers_root = match self.pick(&roots) {
            // A root that nobody has a list of.
            _ if self.one_in(60) => [9; 32],
            Some(root) if self.one_in(3) => root,
            _ => ANYONE,
        };
        let mut limits = SessionLimits {
            expires_at: now + self.random.random_range(3_600..86_400),
            maximum_payment: self.random.random_range(1_000_000..20_000_000),
            maximum_total,
            maximum_per_period: if period_seconds > 0 {
                self.random.random_range(1_000_000..20_000_000)
            } else {
                0
            },
            period_seconds,
            receivers_root,
        };
        if self.one_in(12) {
            match self.random.random_range(0..8) {
                0 => limits.expires_at = now,
                1 => limits.expires_at = now + 1,
                2 => limits.expires_at = i64::MIN,
                3 => limits.maximum_payment = 0,
                4 => limits.maximum_total = 0,
                5 => limits.period_seconds = 60,
                6 => limits.maximum_per_period = 0,
                _ => (limits.maximum_total, limits.maximum_payment) = (u64::MAX, u64::MAX),
            }
        }
        limits
    }
}
