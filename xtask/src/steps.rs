//! The steps of a long command, and where its time went.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::progress;

/// What was done, in order, and how long each step took.
pub(crate) struct Steps {
    started: Instant,
    taken: Vec<(String, Duration)>,
}

impl Steps {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), taken: Vec::new() }
    }

    /// Announces a step and does it. A step that fails counts too.
    pub(crate) fn run<T>(&mut self, title: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("\n== {title}");
        let started = Instant::now();
        let done = step();
        self.add(title, started.elapsed());
        done
    }

    /// Adds a step that was timed elsewhere.
    pub(crate) fn add(&mut self, title: &str, taken: Duration) {
        self.taken.push((title.to_owned(), taken));
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "\nWhere the time went:")?;
        for (title, taken) in &self.taken {
            writeln!(formatter, "{:>8.1} s  {title}", taken.as_secs_f64())?;
        }
        write!(formatter, "Total: {}", progress::elapsed(self.started.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_steps_are_in_the_table_too() {
        let mut steps = Steps::start();
        steps.run("Formatting", || Ok(())).unwrap();
        assert!(steps.run("Clippy", || -> Result<()> { anyhow::bail!("a lint") }).is_err());
        let table = steps.to_string();
        assert!(table.contains("s  Formatting\n") && table.contains("s  Clippy\n"), "{table}");
    }
}
