use std::{collections::VecDeque, mem, sync::Mutex, thread};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use x402_escrow_interface::{Address, address};
use x402_escrow_tests::{
    model::{Arguments, Message, Model, Signed},
    program_id,
    svm::Chain,
};

use super::{
    audit::Audit,
    cast::Cast,
    settings::Settings,
    step::{Step, Theft},
};

/// The tests of which a sequence has failed, so that their others need not go on.
static FAILED: Mutex<Vec<&str>> = Mutex::new(Vec::new());

/// One sequence: a chain, the model of it, and whoever acts on them by chance.
pub(crate) struct Play {
    seed: u64,
    /// The test that plays.
    test: &'static str,
    /// Instructions so far, the one that is being tried included.
    steps: u64,
    /// What is being tried, for whoever has to find out why it failed.
    trying: String,
    pub(crate) random: ChaCha8Rng,
    pub(crate) chain: Chain,
    pub(crate) model: Model,
    pub(crate) cast: Cast,
    pub(crate) audit: Audit,
    /// A hold, session or escrow that has a deadline now, or was just opened: most of what is drawn
    /// is about it.
    pub(crate) in_focus: Option<Address>,
    /// Payments that were signed and not sent yet.
    pub(crate) waiting: Vec<Step>,
    /// What succeeded lately, the oldest first, for thieves to send again.
    pub(crate) sent: VecDeque<Step>,
}

impl Play {
    /// Everybody on this new chain, for the test called `test`.
    pub(crate) fn new(test: &'static str, seed: u64, mut chain: Chain) -> Self {
        let (cast, model) = Cast::new(&mut chain);
        Self {
            seed,
            test,
            steps: 0,
            trying: String::new(),
            random: ChaCha8Rng::seed_from_u64(seed),
            audit: Audit::new(&cast, &chain),
            chain,
            model,
            cast,
            in_focus: None,
            waiting: Vec::new(),
            sent: VecDeque::new(),
        }
    }

    /// Whether there is more to play of so many instructions.
    pub(crate) fn goes_on(&self, instructions: u64) -> bool {
        self.steps < instructions && !FAILED.lock().unwrap().contains(&self.test)
    }

    /// Lets something happen past the program, and says what is tried next: an honest step, or a
    /// thief's.
    pub(crate) fn next_step(&mut self) -> Step {
        "nothing was sent yet".clone_into(&mut self.trying);
        self.steps += 1;
        self.let_the_world_go_on();
        let step = loop {
            let drawn = if self.one_in(3) { self.draw_theft() } else { self.draw_honest() };
            if let Some(step) = drawn {
                break step;
            }
        };
        self.trying = step.to_string();
        self.audit.rents.look(&self.chain);
        step
    }

    /// What succeeded may be sent again.
    pub(crate) fn remember(&mut self, step: Step) {
        /// Enough for replays from closed sessions.
        const REMEMBERED: usize = 600;
        if let Arguments::OpenSession { .. } = step.arguments {
            self.in_focus = Some(address::session(&program_id(), &step.at.escrow, &step.at.session));
        }
        if self.sent.len() == REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back(step);
    }

    /// `by` signs a message, and the audit sees it.
    pub(crate) fn sign(&mut self, by: &Address, message: impl Into<Message>) -> Signed {
        let message = message.into();
        let bytes = match &message {
            Message::Intent(intent) => intent.signed_bytes(),
            Message::Capture(capture) => capture.signed_bytes(),
            Message::Release(release) => release.signed_bytes(),
            Message::Revoke(revoke) => revoke.signed_bytes(),
        };
        let signed = Signed { by: *by, message, bytes: self.chain.sign(by, &bytes) };
        self.audit.note_signature(&signed);
        signed
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

    fn draw_theft(&mut self) -> Option<Step> {
        // There are more ways to substitute an account than to do the rest.
        let theft = if self.one_in(4) { Theft::SubstitutedAccount } else { self.pick(Theft::ALL)? };
        self.steal(theft)
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        if thread::panicking() {
            let (seed, last, test) = (self.seed, self.steps, self.test);
            FAILED.lock().unwrap().push(test);
            let trying = self.cast.name_addresses(mem::take(&mut self.trying));
            println!("Failed at instruction {last} of seed {seed}: {trying}");
            println!(
                "To repeat it: {}={seed} {}={last} cargo test -p x402-escrow-tests --test in_process {test}::",
                Settings::SEED,
                Settings::INSTRUCTIONS
            );
        }
    }
}
