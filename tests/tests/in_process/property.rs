//! The program against its reference model: long random sequences of instructions by everybody,
//! thieves included.
//!
//! After every step the model and the chain must agree on the outcome and on every balance.
//! `docs/testing.md` says how to run more of them, and how to repeat a failure.

mod against_model;
pub(crate) mod audit;
pub(crate) mod build;
pub(crate) mod cast;
mod compare;
pub(crate) mod draw;
pub(crate) mod names;
pub(crate) mod play;
mod report;
pub(crate) mod settings;
pub(crate) mod step;
pub(crate) mod stored;
pub(crate) mod surroundings;
pub(crate) mod theft;
mod verdict;

use settings::Settings;

/// From so many instructions on, every rule of the program must have been broken.
const FULL_INSTRUCTIONS: u64 = 100_000;

#[test]
fn program_does_what_the_model_says() {
    let settings = Settings::from_environment();
    let report = settings.play_all(against_model::run);
    println!("{report}");
    if settings.instructions >= Settings::DEFAULT_INSTRUCTIONS {
        report.assert_everything_happened();
    }
    if settings.instructions >= FULL_INSTRUCTIONS {
        report.assert_every_rule_was_broken();
    }
}
