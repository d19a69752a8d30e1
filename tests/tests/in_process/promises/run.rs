use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use x402_escrow_interface::Address;
use x402_escrow_tests::svm::Chain;

use super::{follow::follow, relayer, tally::Tally, trial::Trial};
use crate::property::play::Play;

/// Plays a sequence of so many instructions. After each, all that is promised to anybody who has to
/// do with one escrow must come true: the escrow that the instruction was about, or any where it
/// was refused.
pub(crate) fn run(seed: u64, instructions: u64) -> Tally {
    /// After so many instructions every escrow is looked at.
    const ALL_EVERY: u64 = 50;
    /// After so many instructions a session is closed and opened again.
    const REOPENED_EVERY: u64 = 10;
    let chain = Chain::new("the cluster").without_checks();
    let mut play = Play::new("promises", seed, chain);
    // What is drawn for the copies does not change the sequence.
    let mut random = ChaCha8Rng::seed_from_u64(!seed);
    let mut tally = Tally::default();
    while play.goes_on(instructions) {
        let step = play.next_step();
        let succeeded = play.chain.attempt(&step.instruction).is_ok();
        play.audit.check(&step, succeeded, &play.cast, &play.chain);
        tally.steps += 1;
        tally.succeeded += u64::from(succeeded);
        let open: Vec<Address> = play.audit.grants.escrows.keys().copied().collect();
        let touched = step.at.escrow;
        if succeeded {
            relayer::second_relay_has_nothing_to_do(&play, &step, &mut tally);
            follow(&mut play, &step);
            play.remember(step);
        }
        let looked_at = if tally.steps.is_multiple_of(ALL_EVERY) {
            open
        } else if succeeded && open.contains(&touched) {
            vec![touched]
        } else {
            open.choose(&mut random).copied().into_iter().collect()
        };
        for escrow in looked_at {
            let mut trial = || Trial::new(&play, &escrow, random.random());
            trial().session_authorizes_what_it_may(&mut tally);
            if tally.steps.is_multiple_of(REOPENED_EVERY) {
                trial().intent_is_paid_once(&mut tally);
            }
            let mut trial = trial();
            trial.payer_takes_all_that_is_free(&mut tally);
            trial.receivers_collect_the_best_of_their_captures(&mut tally);
            trial.all_that_is_left_comes_back(&mut tally);
        }
    }
    tally
}
