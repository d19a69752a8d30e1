//! The fuzz targets with their seeds, without libFuzzer: `cargo xtask fuzz` goes on from there.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::{collections::BTreeSet, fs};

use x402_escrow_tests::checkout_file;

#[path = "../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "it is a crate of its own as well")]
mod fuzz;

/// A name, and what says whether bytes are what belongs there.
type Target = (&'static str, fn(&[u8]) -> bool);

const TARGETS: [Target; 14] = [
    ("account", fuzz::account::run),
    ("auth_capture", fuzz::auth_capture::run),
    ("config", fuzz::config::run),
    ("draft", fuzz::draft::run),
    ("event", fuzz::event::run),
    ("instruction", fuzz::instruction::run),
    ("keypair_file", fuzz::keypair_file::run),
    ("logs", fuzz::logs::run),
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
        for (name, seed) in seeds(target) {
            let accepted = !name.starts_with("refused-");
            assert_eq!(run(&seed), accepted, "{target}/{name}");
            outcomes.insert(accepted);
        }
        assert_eq!(outcomes.len(), 2, "{target} needs seeds that are read and seeds that are refused");
    }
}

#[test]
fn seeds_cut_anywhere_or_with_any_byte_changed_break_nothing() {
    for (target, run) in TARGETS {
        for (_, seed) in seeds(target) {
            for index in 0..seed.len() {
                run(&seed[..index]);
                let mut changed = seed.clone();
                changed[index] ^= 1 << (index % 8);
                run(&changed);
            }
        }
    }
}

/// The seeds of a target, with the names of their files.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(checkout_file("fuzz/seeds").join(target)).unwrap();
    let paths = files.map(|entry| entry.unwrap().path());
    paths
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect()
}

#[test]
fn every_target_is_tested() {
    let files = fs::read_dir(checkout_file("fuzz/fuzz_targets")).unwrap();
    let names: BTreeSet<String> =
        files.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(names, TARGETS.map(|(name, _)| name.to_owned()).into());
}
