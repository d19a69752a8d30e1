use rand::Rng;
use solana_system_interface::instruction::transfer;
use x402_escrow_interface::{Address, address};
use x402_escrow_tests::{model::Model, program_id};

use super::play::Play;

/// What happens between instructions, past the program.
impl Play {
    pub(crate) fn let_the_world_go_on(&mut self) {
        let seconds = match self.random.random_range(0..1_000) {
            0..3 => self.random.random_range(3_600..20_000),
            3..40 => self.random.random_range(60..600),
            // A clock may step back within a fork.
            40..44 => -self.random.random_range(1..30),
            44..450 => self.random.random_range(1..20),
            _ => 0,
        };
        self.chain.set_time(self.chain.time() + seconds);
        if self.one_in(4) {
            self.in_focus = None;
        }
        if self.one_in(12) {
            self.go_to_a_deadline();
        }
        let slots = self.pick(&[0, 0, 0, 1, 1, 2, 8]).unwrap_or_default();
        for _ in 0..slots {
            self.chain.next_slot();
        }
        self.model.now = self.chain.time();
        self.model.slot = self.chain.slot();
        self.model.newest_slot_hash = self.chain.newest_slot_hash();
        if self.one_in(6) {
            self.sign_a_voucher();
        }
        if self.one_in(50) {
            self.send_tokens_to_a_vault();
        }
        if self.one_in(80) {
            self.send_lamports_to_an_account_of_the_program();
        }
        if self.one_in(40) {
            self.freeze_or_thaw();
        }
    }

    /// To the second of a deadline in the next hour, or one second beside it.
    fn go_to_a_deadline(&mut self) {
        let Model { holds, sessions, .. } = &self.model;
        let of_holds = holds.iter().map(|(address, hold)| (*address, hold.intent.capture_deadline));
        let of_sessions = sessions.iter().flat_map(|(address, session)| {
            let (limits, since) = (&session.limits, session.periods_since);
            let periods = i64::try_from(session.period_at(self.chain.time()) - session.first_period + 1);
            let length = i64::try_from(limits.period_seconds);
            let next_period = since + periods.unwrap_or(0) * length.unwrap_or(0);
            [(*address, limits.expires_at), (*address, next_period)]
        });
        let now = self.chain.time();
        let soon: Vec<(Address, i64)> = of_holds
            .chain(of_sessions)
            .filter(|(_, deadline)| (now + 1..now + 3_600).contains(deadline))
            .collect();
        // Rather the next than the last, or everything else would expire.
        let next = soon.into_iter().min_by_key(|(_, deadline)| *deadline);
        if let (Some((address, deadline)), Some(beside)) = (next, self.pick(&[-1, 0, 0, 1, 1])) {
            self.chain.set_time(deadline + beside);
            self.in_focus = Some(address);
        }
    }

    /// Tokens that wait for a `sync`.
    fn send_tokens_to_a_vault(&mut self) {
        let index = self.random.random_range(0..self.cast.places.len());
        let place = &self.cast.places[index];
        let (from, vault) = (place.tokens_of(&place.payer), place.vault());
        let frozen = |account| self.model.tokens.get(account).is_none_or(|tokens| tokens.frozen);
        if !frozen(&from) && !frozen(&vault) {
            let amount = self.random.random_range(1..1_000_000);
            self.chain.transfer(&from, &vault, amount);
            self.model.transfer(from, vault, amount);
            self.audit.note_transfer(from, vault, amount);
        }
    }

    /// To one that exists, or to where one is going to be: that must not keep it from being made.
    fn send_lamports_to_an_account_of_the_program(&mut self) {
        let place = self.pick(&self.cast.places.iter().map(|place| place.escrow).collect::<Vec<_>>());
        let escrow = place.unwrap_or_default();
        let agents = self.cast.place(&escrow).agents.clone();
        let session = address::session(&program_id(), &escrow, &self.pick(&agents).unwrap_or_default());
        let highest = self.model.sessions.get(&session).map_or(0, |session| session.highest_nonce());
        let next_hold = address::hold(&program_id(), &session, highest.saturating_add(1));
        let holds: Vec<Address> = self.model.holds.keys().copied().collect();
        let hold = self.pick(&holds).unwrap_or(next_hold);
        let to = self.pick(&[escrow, session, next_hold, next_hold, hold]).unwrap_or_default();
        // At least the rent of an account without data, at most more than any of ours needs.
        let lamports = self.random.random_range(self.chain.rent(0)..2 * self.model.rents.session);
        self.chain.succeed(&[transfer(&self.cast.thief, &to, lamports)]);
        self.model.transfer_lamports(self.cast.thief, to, lamports);
    }

    /// The issuer freezes a token account, a vault among them, for a short while.
    fn freeze_or_thaw(&mut self) {
        let of_state = |frozen| {
            let accounts = self.model.tokens.iter().filter(move |(_, tokens)| tokens.frozen == frozen);
            accounts.map(|(address, _)| *address).collect::<Vec<_>>()
        };
        let (frozen, thawed) = (of_state(true), of_state(false));
        if let Some(account) = self.pick(&frozen) {
            self.chain.thaw(&account);
            self.model.set_frozen(account, false);
        } else if let Some(account) = self.pick(&thawed) {
            self.chain.freeze(&account);
            self.model.set_frozen(account, true);
        }
    }
}
