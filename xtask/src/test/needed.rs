//! Which tests a filter names, so that only what these need is made ready.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::checkout;

/// The tests that run, by the name of their program; `None` for all.
pub(super) struct Needed(Option<BTreeSet<(String, String)>>);

impl Needed {
    /// Compiles the test programs, and asks each for the tests that the filter names.
    ///
    /// # Errors
    ///
    /// If there are none.
    pub(super) fn by(filter: Option<&str>, root: &Path) -> Result<Self> {
        let output = checkout::cargo()?
            .args(["test", "--workspace", "--locked", "--no-run", "--message-format=json-render-diagnostics"])
            .current_dir(root)
            .stderr(std::process::Stdio::inherit())
            .output()
            .context("running cargo")?;
        ensure!(output.status.success(), "the tests could not be compiled ({})", output.status);
        let Some(filter) = filter else { return Ok(Self(None)) };
        let mut tests = BTreeSet::new();
        for (name, program) in programs(&String::from_utf8_lossy(&output.stdout))? {
            let list = Command::new(&program).args([filter, "--list", "--format", "terse"]).output();
            let list = list.with_context(|| format!("running {}", program.display()))?;
            let list = String::from_utf8_lossy(&list.stdout).into_owned();
            let named = list.lines().filter_map(|line| line.strip_suffix(": test"));
            tests.extend(named.map(|test| (name.clone(), test.to_owned())));
        }
        ensure!(!tests.is_empty(), "no test of the Rust workspace has {filter:?} in its name");
        Ok(Self(Some(tests)))
    }

    /// Whether a test of this program runs whose name starts with `module`.
    pub(super) fn has(&self, program: &str, module: &str) -> bool {
        let runs = |(runs_in, test): &(String, String)| runs_in == program && test.starts_with(module);
        self.0.as_ref().is_none_or(|tests| tests.iter().any(runs))
    }
}

/// The test programs that cargo says it made: what they are called, and where they are.
fn programs(messages: &str) -> Result<Vec<(String, PathBuf)>> {
    let mut programs = Vec::new();
    for line in messages.lines() {
        let message: Value = serde_json::from_str(line).context("cargo's messages")?;
        if let (true, Some(name), Some(program)) = (
            message["profile"]["test"] == true,
            message["target"]["name"].as_str(),
            message["executable"].as_str(),
        ) {
            programs.push((name.to_owned(), program.into()));
        }
    }
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_programs_are_read_from_what_cargo_says() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"serde"},"profile":{"test":false},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"http"},"profile":{"test":true},"executable":"/t/http"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(programs(messages).unwrap(), [("http".to_owned(), PathBuf::from("/t/http"))]);
    }

    #[test]
    fn only_named_tests_are_needed_and_without_a_filter_all() {
        let test = ("cluster".to_owned(), "typescript::buys".to_owned());
        let needed = Needed(Some([test].into()));
        assert!(needed.has("cluster", "") && needed.has("cluster", "typescript::"));
        assert!(!needed.has("http", "") && !needed.has("cluster", "end_to_end::"));
        assert!(Needed(None).has("http", ""));
    }
}
