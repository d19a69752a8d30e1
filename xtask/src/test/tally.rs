//! What test runners print: how many tests passed, and which failed of what.

/// How many tests passed and failed, and why.
#[derive(Default, Debug, PartialEq)]
pub(super) struct Tally {
    pub(super) passed: u64,
    pub(super) failed: u64,
    /// The failed ones by name, each with what it said.
    failures: Vec<Failure>,
    /// Whether what is read now belongs to the last failure.
    in_message: bool,
}

#[derive(Debug, PartialEq)]
struct Failure {
    test: String,
    message: Vec<String>,
}

/// How much of a failure's message is kept.
const MESSAGE_LINES: usize = 6;
const LINE_CHARACTERS: usize = 400;

impl Tally {
    /// Reads the next line that a runner printed.
    pub(super) fn read(&mut self, line: &str) {
        if let Some((passed, failed)) = counts(line) {
            self.passed += passed;
            self.failed += failed;
        } else if let Some(test) = failed_in_rust(line).or_else(|| failed_in_node(line)) {
            self.in_message = false;
            if self.failures.iter().all(|known| known.test != test) {
                self.failures.push(Failure { test: test.to_owned(), message: Vec::new() });
            }
        } else if let Some(last) = self.failures.last_mut() {
            self.in_message |= line.contains("panicked at") || line.starts_with("Error: ");
            if line.trim().is_empty() || line.starts_with("note: ") || last.message.len() == MESSAGE_LINES {
                self.in_message = false;
            }
            if self.in_message {
                last.message.push(line.chars().take(LINE_CHARACTERS).collect());
            }
        }
    }

    /// The failed tests, a line each, and what they said. Every line begins with `failed: `.
    pub(super) fn failures(&self) -> impl Iterator<Item = String> {
        self.failures.iter().flat_map(|Failure { test, message }| {
            let message = message.iter().map(|line| format!("failed:     {line}"));
            std::iter::once(format!("failed: {test}")).chain(message)
        })
    }
}

/// Reads `test result: ok. 3 passed; 0 failed; …`, `3 passed, 0 failed`, and node's `ℹ pass 3` and `ℹ fail 0`.
fn counts(line: &str) -> Option<(u64, u64)> {
    if let Some((kind, number)) = line.strip_prefix("ℹ ").and_then(|counts| counts.split_once(' ')) {
        let number = number.parse().ok()?;
        return match kind {
            "pass" => Some((number, 0)),
            "fail" => Some((0, number)),
            _ => None,
        };
    }
    let counts = match line.strip_prefix("test result: ") {
        Some(result) => result.split_once(". ")?.1,
        None => line,
    };
    let mut parts = counts.split([';', ',']).map(str::trim);
    let passed = parts.next()?.strip_suffix(" passed")?.parse().ok()?;
    let failed = parts.next()?.strip_suffix(" failed")?.parse().ok()?;
    Some((passed, failed))
}

/// Reads `---- module::test stdout ----`, before what the test said.
fn failed_in_rust(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

/// Reads `✖ a test (12.3ms)`.
fn failed_in_node(line: &str) -> Option<&str> {
    Some(line.trim_start().strip_prefix("✖ ")?.rsplit_once(" (")?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted() {
        let cargo = "test result: FAILED. 12 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        assert_eq!(counts(cargo), Some((12, 1)));
        assert_eq!(counts("31 passed, 2 failed"), Some((31, 2)));
        assert_eq!(counts("ℹ pass 126"), Some((126, 0)));
        assert_eq!(counts("ℹ fail 1"), Some((0, 1)));
    }

    #[test]
    fn other_lines_are_not_counted() {
        assert_eq!(counts("test capture_pays ... ok"), None);
        assert_eq!(counts("3 passed"), None);
        assert_eq!(counts("ℹ tests 126"), None);
        assert_eq!(counts("ℹ duration_ms 3.5"), None);
    }

    #[test]
    fn failed_tests_are_named_with_what_they_said() {
        let mut tally = Tally::default();
        let printed = "test pays ... ok\n\nfailures:\n\n---- status::pays stdout ----\na log line\n
            \nthread 'status::pays' (7) panicked at tests/status.rs:3:5:\nassertion failed: paid\n  left: 1
            \nnote: run with `RUST_BACKTRACE=1`\n\n---- holds stdout ----\nError: no space\n\n
            \n▶ fetch\n  ✖ pays once (12.3ms)\n✖ failing tests:\n✖ pays once (12.3ms)\n";
        printed.lines().for_each(|line| tally.read(line));
        let expected = [
            "failed: status::pays",
            "failed:     thread 'status::pays' (7) panicked at tests/status.rs:3:5:",
            "failed:     assertion failed: paid",
            "failed:       left: 1",
            "failed: holds",
            "failed:     Error: no space",
            "failed: pays once",
        ];
        assert!(tally.failures().eq(expected), "{:#?}", tally.failures().collect::<Vec<_>>());
    }
}
