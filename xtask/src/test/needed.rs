//! Which test programs have a test that a filter names, so that only what these need is made ready.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::checkout;

/// The names of test programs; `None` for all.
pub(super) struct Needed(Option<BTreeSet<String>>);

impl Needed {
    /// Compiles the test programs and asks each for its tests, unless all tests run.
    pub(super) fn by(filter: Option<&str>, root: &Path) -> Result<Self> {
        let Some(filter) = filter else { return Ok(Self(None)) };
        eprintln!("Compiling the tests (a first time some ten minutes)");
        let output = checkout::cargo()?
            .args(["test", "--workspace", "--locked", "--no-run", "--message-format=json-render-diagnostics"])
            .current_dir(root)
            .stderr(std::process::Stdio::inherit())
            .output()
            .context("running cargo")?;
        ensure!(output.status.success(), "the tests could not be compiled ({})", output.status);
        let mut names = BTreeSet::new();
        for (name, program) in programs(&String::from_utf8_lossy(&output.stdout))? {
            let list = Command::new(&program).args([filter, "--list", "--format", "terse"]).output();
            let list = list.with_context(|| format!("running {}", program.display()))?;
            if String::from_utf8_lossy(&list.stdout).lines().any(|line| line.ends_with(": test")) {
                names.insert(name);
            }
        }
        Ok(Self(Some(names)))
    }

    /// Whether one of these test programs runs.
    pub(super) fn any(&self, names: &[&str]) -> bool {
        self.0.as_ref().is_none_or(|needed| names.iter().any(|name| needed.contains(*name)))
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
    fn only_named_programs_are_needed_and_without_a_filter_all() {
        let needed = Needed(Some(["http".to_owned()].into()));
        assert!(needed.any(&["end_to_end", "http"]));
        assert!(!needed.any(&["end_to_end"]));
        assert!(Needed(None).any(&["end_to_end"]));
    }
}
