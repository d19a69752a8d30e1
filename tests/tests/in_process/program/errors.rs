//! Every error of the program is provoked by some test here.

use std::{fs, path::Path};

use x402_escrow_interface::error::EscrowError;

#[test]
fn every_error_is_provoked_by_a_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/in_process");
    let mut code = String::new();
    for entry in ["program", "substitution"]
        .into_iter()
        .flat_map(|folder| fs::read_dir(tests.join(folder)).expect("the tests have a folder"))
    {
        let text = fs::read_to_string(entry.expect("it can be listed").path()).expect("sources are text");
        code.extend(text.lines().filter(|line| !line.trim_start().starts_with("//")));
    }
    // Tests name an error only to say that an instruction is refused with it; the tables of substitutes leave out its
    // type.
    let named = |error: &&EscrowError| {
        ["EscrowError::", "Rule("].iter().any(|before| {
            let name = format!("{before}{}", error.name());
            code.match_indices(&name).any(|(start, name)| {
                !code[start + name.len()..].starts_with(|next: char| next.is_alphanumeric())
            })
        })
    };
    let missing: Vec<_> = EscrowError::ALL.iter().filter(|error| !named(error)).collect();
    assert!(missing.is_empty(), "no test provokes {missing:?}");
}
