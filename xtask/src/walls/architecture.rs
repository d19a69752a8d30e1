//! Rule: every file and folder that ARCHITECTURE.md names exists.

use std::path::Path;

use super::repository::{read, root};

/// What is between backticks and looks like a path from the root.
fn paths(text: &str) -> Vec<&str> {
    let outside = text.split("\n```").step_by(2);
    let quoted = outside.flat_map(|part| part.split('`').skip(1).step_by(2));
    quoted.filter(|quoted| is_path(quoted)).collect()
}

/// `verifier/src/http/` and `README.md` are paths; `/settle`, `exact` and `Cargo` are not.
fn is_path(quoted: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    let is_file = Path::new(quoted).extension().is_some();
    quoted.chars().all(is_plain) && !quoted.starts_with('/') && (quoted.contains('/') || is_file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_in_architecture_exists() {
        let text = read(&root().join("ARCHITECTURE.md")).expect("there is an ARCHITECTURE.md");
        let named = paths(&text);
        assert!(named.len() > 20, "only {named:?}");
        let missing: Vec<_> = named.iter().filter(|path| !root().join(path).exists()).collect();
        assert!(missing.is_empty(), "ARCHITECTURE.md names what does not exist: {missing:?}");
    }

    #[test]
    fn paths_are_told_from_routes_and_words() {
        let text =
            "`a/b.rs`, `README.md`, `domain/`, `/settle`, `exact`, `a::b`\n```\n`c/d.rs`\n```\nand `e/f`";
        assert_eq!(paths(text), ["a/b.rs", "README.md", "domain/", "e/f"]);
    }
}
