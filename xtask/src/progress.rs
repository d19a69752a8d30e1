//! Long steps: what is being done, for how long, and how far it is.

use std::fs::{self, File};
use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How many lines of a failed step's output are shown.
const SHOWN_LINES: usize = 30;

/// Runs a command as one named step. Its output goes to `log`; its latest line is shown with the elapsed
/// time: at once on a terminal, twice a minute elsewhere.
pub(crate) fn run(title: &str, command: &mut Command, log: &Path) -> Result<()> {
    eprintln!("{title}");
    let started = Instant::now();
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        // cargo counts its units only when told that someone looks.
        .env("CARGO_TERM_PROGRESS_WHEN", "always")
        .env("CARGO_TERM_PROGRESS_WIDTH", "100")
        .env("CARGO_TERM_COLOR", "never")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {program}"))?;
    let mut log_file = File::create(log).with_context(|| format!("creating {}", log.display()))?;

    let (sender, lines) = mpsc::channel();
    for stream in [
        child.stdout.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>),
        child.stderr.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>),
    ] {
        let (stream, sender) = (stream.context("the step's output is not readable")?, sender.clone());
        thread::spawn(move || send_lines(stream, &sender));
    }
    drop(sender);

    let terminal = std::io::stderr().is_terminal();
    let interval = Duration::from_secs(if terminal { 1 } else { 30 });
    let mut shown_at = started;
    let mut latest = String::new();
    loop {
        match lines.recv_timeout(Duration::from_millis(200)) {
            Ok(line) => {
                if units(&line).is_none() {
                    writeln!(log_file, "{line}").with_context(|| format!("writing {}", log.display()))?;
                }
                latest = line;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if shown_at.elapsed() >= interval {
            shown_at = Instant::now();
            show(terminal, started.elapsed(), &latest);
        }
    }
    let status = child.wait().with_context(|| format!("waiting for {program}"))?;
    if terminal {
        eprint!("\r\x1b[K");
    }
    if !status.success() {
        let output = fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<_> = output.lines().collect();
        for line in &lines[lines.len().saturating_sub(SHOWN_LINES)..] {
            eprintln!("    {line}");
        }
        bail!("{program} failed ({status}); its whole output is in {}", log.display());
    }
    eprintln!("    done in {}", elapsed(started.elapsed()));
    Ok(())
}

/// Sends every line of a stream; a carriage return ends a line too, as progress bars use it.
fn send_lines(mut stream: impl Read, sender: &mpsc::Sender<String>) {
    let mut buffer = [0; 4096];
    let mut line = Vec::new();
    // A stream that can't be read any more has ended, and the exit status tells why.
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        for byte in &buffer[..count] {
            if !matches!(byte, b'\r' | b'\n') {
                line.push(*byte);
            } else if !line.is_empty() {
                send_line(&mut line, sender);
            }
        }
    }
    if !line.is_empty() {
        send_line(&mut line, sender);
    }
}

fn send_line(line: &mut Vec<u8>, sender: &mpsc::Sender<String>) {
    let text = String::from_utf8_lossy(line).trim_end().to_owned();
    line.clear();
    // The receiver lives until every sender is gone.
    let _ = sender.send(text);
}

fn show(terminal: bool, since: Duration, latest: &str) {
    let elapsed = elapsed(since);
    let text = match units(latest) {
        Some((done, total, current)) => format!("    {elapsed}: {done} of {total} units, now {current}"),
        None => format!("    {elapsed}: {}", latest.trim_start()),
    };
    let text: String = text.chars().take(100).collect();
    if terminal {
        eprint!("\r\x1b[K{text}");
    } else {
        eprintln!("{text}");
    }
}

/// Reads cargo's progress bar, `Building [====>   ] 12/345: syn, serde`, as (done, total, current).
fn units(line: &str) -> Option<(u32, u32, &str)> {
    let (bar, rest) = line.split_once("] ")?;
    bar.contains(" [").then_some(())?;
    let (count, current) = rest.split_once(": ")?;
    let (done, total) = count.split_once('/')?;
    Some((done.trim().parse().ok()?, total.trim().parse().ok()?, current))
}

/// `45 s`, `12 min 5 s`.
pub(crate) fn elapsed(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_progress_bars_are_counted() {
        let bar = "Building [=====>                 ] 12/345: syn, serde(build)...";
        assert_eq!(units(bar), Some((12, 345, "syn, serde(build)...")));
    }

    #[test]
    fn other_lines_are_not_progress_bars() {
        assert_eq!(units("Compiling syn v2.0.0"), None);
        assert_eq!(units("warning: [unused] a/b: c"), None);
    }

    #[test]
    fn failed_step_names_its_log() {
        let log = std::env::temp_dir().join(format!("xtask-progress-{}.log", std::process::id()));
        let error = run("Failing", Command::new("sh").args(["-c", "echo broken; exit 3"]), &log).unwrap_err();
        assert!(error.to_string().contains(&log.display().to_string()), "{error}");
        assert_eq!(fs::read_to_string(&log).unwrap(), "broken\n");
        fs::remove_file(&log).unwrap();
    }
}
