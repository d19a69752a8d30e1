use std::{collections::VecDeque, mem, thread};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use x402_escrow_interface::{Address, address};
use x402_escrow_tests::{
    model::{Arguments, Message, Model, Signed},
    svm::Chain,
};

use super::{
    audit::Audit, cast::Cast, compare::compare, report::Report, settings::Settings, step::Step, theft::Theft,
    verdict,
};

/// One sequence: a chain, the model of it, and whoever acts on them by chance.
pub(crate) struct Play {
    seed: u64,
    /// Instructions so far.
    steps: u64,
    /// What is being tried, for whoever has to find out why it failed.
    trying: String,
    pub(crate) random: ChaCha8Rng,
    pub(crate) chain: Chain,
    pub(crate) model: Model,
    pub(crate) cast: Cast,
    pub(crate) audit: Audit,
    /// A hold, session or escrow that has a deadline now, or was just opened: most of what is drawn is about it.
    pub(crate) in_focus: Option<Address>,
    /// Payments that were signed and not sent yet.
    pub(crate) waiting: Vec<Step>,
    /// What succeeded lately, the oldest first, for thieves to send again.
    pub(crate) sent: VecDeque<Step>,
}

impl Play {
    /// A chain of its own with everybody on it.
    pub(crate) fn new(seed: u64) -> Self {
        let mut chain = Chain::new("the cluster");
        let (cast, model) = Cast::new(&mut chain);
        let audit = Audit::new(&cast, &chain);
        let random = ChaCha8Rng::seed_from_u64(seed);
        let (waiting, sent, trying) = (Vec::new(), VecDeque::new(), String::new());
        Self { seed, steps: 0, trying, random, chain, model, cast, audit, in_focus: None, waiting, sent }
    }

    /// Plays so many instructions.
    pub(crate) fn run(mut self, instructions: u64, report: &mut Report) {
        while self.steps < instructions {
            self.let_the_world_go_on();
            let step = self.draw();
            self.take(step, report);
        }
    }

    /// `by` signs a message, and the audit sees it.
    pub(crate) fn sign(&mut self, by: &Address, message: impl Into<Message>) -> Signed {
        let message = message.into();
        let bytes = match &message {
            Message::Intent(intent) => intent.signed_bytes(),
            Message::Capture(capture) => capture.signed_bytes(),
            Message::Release(release) => release.signed_bytes(),
        };
        self.audit.note_signature(by, &message);
        Signed { by: *by, message, bytes: self.chain.sign(by, &bytes) }
    }

    /// Whether something happens that does in one case of `cases`.
    pub(crate) fn one_in(&mut self, cases: u32) -> bool {
        self.random.random_ratio(1, cases)
    }

    /// The one of several that is in focus, mostly.
    pub(crate) fn pick_in_focus(&mut self, from: &[Address]) -> Option<Address> {
        let in_focus = self.in_focus.filter(|address| from.contains(address));
        in_focus.filter(|_| !self.one_in(4))
    }

    /// One of several; `None` of none.
    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { Some(from[self.random.random_range(0..from.len())].clone()) }
    }

    fn take(&mut self, step: Step, report: &mut Report) {
        self.trying = step.to_string();
        let call = step.call();
        let predicted = self.model.apply(&call);
        let outcome = self.chain.attempt(&step.instruction);
        verdict::compare(&step, &predicted, &outcome);
        compare(&self.model, &self.chain);
        self.audit.check(&step, outcome.is_ok(), &self.model, &self.chain);
        report.count(&step, &predicted);
        if outcome.is_ok() {
            self.remember(step);
        }
        self.steps += 1;
        "nothing was sent yet".clone_into(&mut self.trying);
    }

    fn remember(&mut self, step: Step) {
        /// Enough for replays from closed sessions.
        const REMEMBERED: usize = 600;
        if let Arguments::OpenSession { .. } = step.arguments {
            self.in_focus = Some(address::session(&step.at.escrow, &step.at.session));
        }
        if self.sent.len() == REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back(step);
    }

    /// The next step: an honest one, or a thief's.
    fn draw(&mut self) -> Step {
        loop {
            let drawn = if self.one_in(3) { self.draw_theft() } else { self.draw_honest() };
            if let Some(step) = drawn {
                return step;
            }
        }
    }

    fn draw_theft(&mut self) -> Option<Step> {
        // There are more ways to substitute an account than to do the rest.
        let theft = if self.one_in(4) { Theft::SubstitutedAccount } else { self.pick(Theft::ALL)? };
        self.steal(theft)
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        if thread::panicking() {
            let (seed, last) = (self.seed, self.steps + 1);
            let trying = self.cast.name_addresses(mem::take(&mut self.trying));
            println!("Failed at instruction {last} of seed {seed}: {trying}");
            println!(
                "To repeat it: {}={seed} {}={last} cargo test -p x402-escrow-tests --test property",
                Settings::SEED,
                Settings::INSTRUCTIONS
            );
        }
    }
}
