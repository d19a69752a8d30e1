//! What honest parties do: mostly what can succeed, now and then a little too much, too late or too
//! early.

mod charge;
mod escrow;
mod hold;
mod payment;
mod revoke;
mod session;

use rand::{Rng, seq::IndexedRandom};
use x402_escrow_interface::Address;
use x402_escrow_tests::model::{Arguments, Consent, Message};

use super::{
    build::instruction,
    play::Play,
    step::{At, Step},
};

type Draw = fn(&mut Play) -> Option<Step>;

/// How often what is drawn, in relation to each other.
const DRAWS: &[(u32, Draw)] = &[
    (3, Play::draw_open_escrow),
    (2, Play::draw_set_guardian),
    (6, Play::draw_deposit),
    (2, Play::draw_sync),
    (4, Play::draw_withdraw),
    (2, Play::draw_close_escrow),
    (6, Play::draw_open_session),
    (5, Play::draw_update_session),
    (1, Play::draw_revoke_session),
    (1, Play::draw_revoke_sessions),
    (4, Play::draw_close_session),
    (24, Play::draw_authorize),
    (12, Play::draw_charge),
    (20, Play::draw_capture),
    (5, Play::draw_void),
    (6, Play::draw_reclaim),
];

/// What is drawn of a hold in focus.
const DRAWS_OF_HOLDS: &[Draw] = &[Play::draw_capture, Play::draw_void, Play::draw_reclaim];

impl Play {
    /// Something that an honest party might send; `None` if there is nothing to send it about.
    pub(crate) fn draw_honest(&mut self) -> Option<Step> {
        let hold_in_focus = self.in_focus.is_some_and(|address| self.model.holds.contains_key(&address));
        if hold_in_focus && !self.one_in(4) {
            return self.draw_about_a_hold();
        }
        let (_, draw) = DRAWS.choose_weighted(&mut self.random, |(weight, _)| *weight).ok()?;
        draw(self)
    }

    /// The same, about a hold.
    pub(crate) fn draw_about_a_hold(&mut self) -> Option<Step> {
        self.pick(DRAWS_OF_HOLDS)?(self)
    }

    /// The step for these arguments, as their own builder makes it.
    pub(crate) fn step(&self, at: At, arguments: Arguments) -> Step {
        let instruction = instruction(&self.model, &self.cast, &at, &arguments);
        Step { at, arguments, instruction, theft: None }
    }

    /// The consent of `by`: mostly a signature, else by signing the transaction.
    fn consent(&mut self, by: &Address, message: impl Into<Message>) -> Consent {
        if self.one_in(3) { Consent::Signer } else { Consent::Signature(self.sign(by, message)) }
    }

    /// An amount that `reach` allows, or one of the edges: nothing, everything, and one off each of
    /// these bounds.
    fn amount(&mut self, reach: u64, bounds: &[u64]) -> u64 {
        if self.one_in(10) {
            let mut edges = vec![0, 1, u64::MAX];
            for bound in bounds.iter().chain([&reach]) {
                edges.extend([bound.saturating_sub(1), *bound, bound.saturating_add(1)]);
            }
            return edges[self.random.random_range(0..edges.len())];
        }
        match reach {
            0 => self.random.random_range(1..1_000),
            1 => 1,
            // Mostly small, so that something is left for the next.
            _ if self.one_in(4) => self.random.random_range(1..=reach),
            _ => self.random.random_range(1..=1 + reach / 10),
        }
    }

    /// An open escrow.
    fn pick_escrow(&mut self) -> Option<Address> {
        let open: Vec<Address> = self.model.escrows.keys().copied().collect();
        self.pick_in_focus(&open).or_else(|| self.pick(&open))
    }

    /// A relay, or whoever else pays for an account.
    fn pick_rent_payer(&mut self) -> Address {
        let relays = self.cast.relays.clone();
        self.pick(&relays).unwrap_or_default()
    }
}
