use x402_escrow_interface::Address;
use x402_escrow_tests::{
    model::{Call, Slot},
    svm::Chain,
};

use super::{compare::compare, play::Play, report::Report, step::Step, verdict};

/// Plays a sequence of so many instructions, of which each must do what the model says.
pub(crate) fn run(seed: u64, instructions: u64) -> Report {
    let mut play = Play::new("property", seed, Chain::new("the cluster"));
    let mut report = Report::default();
    while play.goes_on(instructions) {
        let step = play.next_step();
        let predicted = play.model.apply(&call(&step));
        let outcome = play.chain.attempt(&step.instruction);
        verdict::compare(&step, &predicted, &outcome);
        compare(&play.model, &play.chain);
        play.audit.check(&step, outcome.is_ok(), &play.cast, &play.chain);
        report.count(&step, &predicted);
        if outcome.is_ok() {
            play.remember(step);
        }
    }
    report
}

/// What the model is asked. A key that signs anywhere in a transaction signs everywhere in it; the
/// same holds for writing.
fn call(step: &Step) -> Call {
    let metas = &step.instruction.accounts;
    let slot = |address: Address| Slot {
        address,
        signer: metas.iter().any(|meta| meta.pubkey == address && meta.is_signer),
        writable: metas.iter().any(|meta| meta.pubkey == address && meta.is_writable),
    };
    let accounts = metas.iter().map(|meta| slot(meta.pubkey)).collect();
    Call { accounts, arguments: step.arguments.clone() }
}
