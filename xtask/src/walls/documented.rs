//! Rule: each module at the top of a crate says first what it is, and what it may use.

use super::source::Crate;

/// Crates whose modules say what they may use.
const CRATES: [&str; 3] = ["domain", "merchant", "verifier"];

/// The modules that do not say it.
fn silent(source: &Crate) -> Vec<String> {
    let silent = source.top().filter(|(_, module)| !module.doc.split_whitespace().any(|word| word == "Uses"));
    silent
        .map(|(_, module)| {
            format!(
                "{}: say in its first lines, with `//!`, what it may use (\"Uses …\", \"Uses nothing\")",
                module.file
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walls::repository;

    #[test]
    fn every_module_at_the_top_says_what_it_may_use() {
        let found: Vec<_> = CRATES
            .iter()
            .map(|folder| Crate::read(&repository::root().join(folder).join("src/lib.rs"), &repository::read))
            .flat_map(|source| silent(&source))
            .collect();
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    #[test]
    fn a_module_that_does_not_say_it_is_found() {
        let says = |text| silent(&Crate::planted(&[("lib.rs", "mod a;"), ("a.rs", text)])).is_empty();
        assert!(says("//! Counts. Uses nothing."));
        assert!(says("//! Keeps payments.\n//!\n//! Uses `domain`."));
        assert!(!says("//! Counts."));
        assert!(!says("/// Uses nothing.\nfn f() {}"));
        assert!(!says(""));
    }
}
