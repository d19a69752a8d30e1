//! The account-substitution matrix: what every instruction says when another valid account of the same kind is in one
//! of its slots. Instructions and slots are those of the IDL, so that a new one fails here until it has its rows.

use std::{collections::BTreeSet, thread};

use x402_escrow_tests::idl;

mod matrix;
mod neighbours;

// The tables.
mod escrows;
mod holds;
mod payments;
mod sessions;

use matrix::{Case, Outcome};

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
