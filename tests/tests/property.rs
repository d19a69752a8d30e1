//! The program against its reference model: long random sequences of instructions by everybody, thieves included.
//!
//! After every step the model and the chain must agree on the outcome and on every balance. `docs/testing.md` says how
//! to run more of them, and how to repeat a failure.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod property {
    pub(crate) mod audit;
    pub(crate) mod build;
    pub(crate) mod cast;
    pub(crate) mod compare;
    pub(crate) mod draw;
    pub(crate) mod names;
    pub(crate) mod play;
    pub(crate) mod report;
    pub(crate) mod settings;
    pub(crate) mod step;
    pub(crate) mod surroundings;
    pub(crate) mod theft;
    pub(crate) mod verdict;
}

use std::{sync::Mutex, thread};

use property::{play::Play, report::Report, settings::Settings};

#[test]
fn program_does_what_the_model_says() {
    let settings = Settings::from_environment();
    let sequences = Mutex::new(settings.sequences());
    let next = || sequences.lock().unwrap().next();
    let play = || {
        let mut report = Report::default();
        while let Some((seed, instructions)) = next() {
            Play::new(seed).run(instructions, &mut report);
        }
        report
    };
    let threads = thread::available_parallelism().unwrap().get();
    let report = thread::scope(|scope| {
        let players: Vec<_> = (0..threads).map(|_| scope.spawn(play)).collect();
        players.into_iter().map(|player| player.join().unwrap()).sum::<Report>()
    });
    println!("{report}");
    if settings.instructions >= Settings::DEFAULT_INSTRUCTIONS {
        report.assert_everything_happened();
    }
    if settings.instructions >= Settings::FULL_INSTRUCTIONS {
        report.assert_every_rule_was_broken();
    }
}
