//! The fuzz targets with their seeds, without libFuzzer: `cargo xtask fuzz` goes on from there.

use std::{collections::BTreeSet, fs};

use x402_escrow_tests::checkout_file;

#[path = "../../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "it is a crate of its own as well")]
mod targets;

/// A name, and what says whether bytes are what belongs there.
type Target = (&'static str, fn(&[u8]) -> bool);

const TARGETS: [Target; 14] = [
    ("account", targets::account::run),
    ("auth_capture", targets::auth_capture::run),
    ("config", targets::config::run),
    ("draft", targets::draft::run),
    ("event", targets::event::run),
    ("instruction", targets::instruction::run),
    ("keypair_file", targets::keypair_file::run),
    ("logs", targets::logs::run),
    ("message", targets::message::run),
    ("payment_required", targets::payment_required::run),
    ("payment_signature", targets::payment_signature::run),
    ("session_file", targets::session_file::run),
    ("settle_response", targets::settle_response::run),
    ("text", targets::text::run),
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
