//! What each party was promised: long random sequences of instructions by honest and hostile
//! parties, and after each the chain is asked, on copies of it, whether everything that was signed
//! is still worth what it says.
//!
//! The promises are about signatures, tokens and lamports. Neither the program's rules nor the
//! reference model are asked; the model's part is to follow the chain, so that what is drawn next
//! makes sense. `docs/testing.md` lists the promises, and says how to run more and how to repeat a
//! failure.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[path = "property"]
mod property {
    pub(crate) mod audit;
    pub(crate) mod build;
    pub(crate) mod cast;
    pub(crate) mod draw;
    pub(crate) mod names;
    pub(crate) mod play;
    pub(crate) mod settings;
    pub(crate) mod step;
    pub(crate) mod stored;
    pub(crate) mod surroundings;
    pub(crate) mod theft;
}

mod promises {
    pub(crate) mod agents;
    pub(crate) mod attacks;
    pub(crate) mod follow;
    pub(crate) mod intents;
    pub(crate) mod merchant;
    pub(crate) mod payer;
    pub(crate) mod relayer;
    pub(crate) mod run;
    pub(crate) mod tally;
    pub(crate) mod trial;
}

use promises::run;
use property::settings::Settings;

#[test]
fn everybody_gets_what_was_promised_whoever_sends_what() {
    let settings = Settings::from_environment();
    let tally = settings.play_all(run::run);
    println!("{tally}");
    if settings.instructions >= Settings::DEFAULT_INSTRUCTIONS {
        tally.assert_every_promise_was_tested();
    }
}
