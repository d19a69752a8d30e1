//! What each party was promised: long random sequences of instructions by honest and hostile
//! parties, and after each the chain is asked, on copies of it, whether everything that was signed
//! is still worth what it says.
//!
//! The promises are about signatures, tokens and lamports. Neither the program's rules nor the
//! reference model are asked; the model's part is to follow the chain, so that what is drawn next
//! makes sense. `docs/testing.md` lists the promises, and says how to run more and how to repeat a
//! failure.

mod agents;
mod attacks;
mod follow;
mod intents;
mod merchant;
mod payer;
mod relayer;
mod run;
mod tally;
mod trial;

use crate::property::settings::Settings;

#[test]
fn everybody_gets_what_was_promised_whoever_sends_what() {
    let settings = Settings::from_environment();
    let tally = settings.play_all(run::run);
    println!("{tally}");
    if settings.instructions >= Settings::DEFAULT_INSTRUCTIONS {
        tally.assert_every_promise_was_tested();
    }
}
