//! The fuzz targets with their seeds, without libFuzzer: `cargo xtask fuzz` goes on from there.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::{collections::BTreeSet, fs};

use x402_escrow_tests::checkout_file;

#[path = "../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "it is a crate of its own as well")]
mod fuzz;

/// A name, and what says whether bytes are what belongs there.
type Target = (&'static str, fn(&[u8]) -> bool);

const TARGETS: [Target; 13] = [
    ("account", fuzz::account::run),
    ("auth_capture", fuzz::auth_capture::run),
    ("config", fuzz::config::run),
    ("draft", fuzz::draft::run),
    ("event", fuzz::event::run),
    ("instruction", fuzz::instruction::run),
    ("keypair_file", fuzz::keypair_file::run),
    ("message", fuzz::message::run),
    ("payment_required", fuzz::payment_required::run),
    ("payment_signature", fuzz::payment_signature::run),
    ("session_file", fuzz::session_file::run),
    ("settle_response", fuzz::settle_response::run),
    ("text", fuzz::text::run),
];

#[test]
fn seeds_are_read_or_refused_as_their_names_say() {
    for (target, run) in TARGETS {
        let mut outcomes = BTreeSet::new();
        for entry in fs::read_dir(checkout_file("fuzz/seeds").join(target)).unwrap() {
            let path = entry.unwrap().path();
            let accepted = !path.file_name().unwrap().to_str().unwrap().starts_with("refused-");
            assert_eq!(run(&fs::read(&path).unwrap()), accepted, "{}", path.display());
            outcomes.insert(accepted);
        }
        assert_eq!(outcomes.len(), 2, "{target} needs seeds that are read and seeds that are refused");
    }
}

#[test]
fn every_target_is_tested() {
    let files = fs::read_dir(checkout_file("fuzz/fuzz_targets")).unwrap();
    let names: BTreeSet<String> =
        files.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(names, TARGETS.map(|(name, _)| name.to_owned()).into());
}
