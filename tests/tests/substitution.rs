//! The account-substitution matrix: what every instruction says when another valid account of the same kind is in one
//! of its slots. Instructions and slots are those of the IDL, so that a new one fails here until it has its rows.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::{collections::BTreeSet, thread};

use x402_escrow_tests::idl;

mod substitution {
    pub(crate) mod matrix;
    pub(crate) mod neighbours;

    // The tables.
    pub(crate) mod escrows;
    pub(crate) mod holds;
    pub(crate) mod payments;
    pub(crate) mod sessions;
}

use substitution::{
    escrows, holds,
    matrix::{Case, Outcome},
    payments, sessions,
};

const TABLES: [&[Case]; 4] = [escrows::CASES, sessions::CASES, payments::CASES, holds::CASES];

#[test]
fn every_instruction_has_a_case() {
    let idl = idl::load();
    let names = idl::entries(&idl, "instructions").iter().map(|entry| entry["name"].as_str().unwrap());
    let names: BTreeSet<_> = names.collect();
    assert_eq!(TABLES.into_iter().flatten().map(|case| case.instruction).collect::<BTreeSet<_>>(), names);
}

#[test]
fn every_substitute_in_every_slot_gets_the_answer_of_the_tables() {
    let idl = idl::load();
    let mut all = Outcome::default();
    thread::scope(|scope| {
        let threads = TABLES.map(|cases| {
            let idl = &idl;
            scope.spawn(move || cases.iter().map(|case| case.run(idl)).collect::<Vec<_>>())
        });
        for outcomes in threads {
            outcomes.join().unwrap().into_iter().for_each(|outcome| all.add(outcome));
        }
    });
    println!("accepted:\n{}", all.accepted.join("\n"));
    assert!(all.wrong.is_empty(), "{} answers differ:\n{}", all.wrong.len(), all.wrong.join("\n"));
    println!(
        "{} cases (instruction, slot, substitute) refused, {} accepted",
        all.refused,
        all.accepted.len()
    );
}
