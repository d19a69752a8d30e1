//! How much processor time processes have taken, in their own code and in the kernel.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result};

/// What the system counts processor time in.
const TICKS_PER_SECOND: f64 = 100.0;

/// Of one process, in seconds.
pub(crate) fn seconds(process: u32) -> Result<f64> {
    let path = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let (_, seconds) = read(&stat).with_context(|| format!("{path} is not as usual"))?;
    Ok(seconds)
}

/// Of all processes of this machine that run, in seconds, by the names of their programs.
pub(crate) fn by_program() -> Result<BTreeMap<String, f64>> {
    let mut programs = BTreeMap::new();
    for entry in fs::read_dir("/proc").context("reading /proc")? {
        // What is no process has no such file, and a process may have ended.
        let Ok(stat) = fs::read_to_string(entry?.path().join("stat")) else { continue };
        if let Some((name, seconds)) = read(&stat) {
            *programs.entry(name).or_default() += seconds;
        }
    }
    Ok(programs)
}

/// The name and the seconds in a process's `stat`.
fn read(stat: &str) -> Option<(String, f64)> {
    // The name, in parentheses, may have spaces; the two times are the 14th and the 15th field.
    let (before, fields) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    Some((name.to_owned(), f64::from(ticks.sum::<Result<u32, _>>().ok()?) / TICKS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_may_have_spaces_and_parentheses() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 3 4 20 0 9 0 12345 0";
        assert_eq!(read(stat), Some(("a (b) c".to_owned(), 3.0)));
        assert_eq!(read("7 nothing"), None);
    }
}
