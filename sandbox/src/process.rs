use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::watchdog;

/// How much of a log is shown where its process failed.
const SHOWN_LINES: usize = 20;

/// Ids of the processes that run.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// A process that is killed when it is dropped. Its output goes to a log file.
pub(crate) struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    pub(crate) fn start(name: &str, folder: &Path, command: &mut Command) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).context("opening a log file")?;
        // Locked while it starts, so that whoever ends all of them misses none.
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().context("a second handle of a log file")?)
            .stderr(file)
            // Ctrl-C reaches this program alone, which then ends its parts in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {name} ({})", command.get_program().display()))?;
        running.insert(child.id());
        watchdog::started(child.id());
        Ok(Self { child, name: name.to_owned(), log })
    }

    /// Waits until `ready`; fails if the process ends or takes too long.
    pub(crate) fn wait_until(&mut self, timeout: Duration, ready: impl Fn() -> bool) -> Result<()> {
        let started = Instant::now();
        while !ready() {
            if let Some(death) = self.death()? {
                bail!(death);
            }
            if started.elapsed() > timeout {
                bail!(
                    "{} was not ready after {} s; the end of {}:\n{}",
                    self.name,
                    timeout.as_secs(),
                    self.log.display(),
                    self.end_of_log()
                );
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// How it ended, with the end of its log, if it did.
    pub(crate) fn death(&mut self) -> Result<Option<String>> {
        let status = self.child.try_wait().context("waiting for a process")?;
        Ok(status.map(|status| {
            format!(
                "{} ended with {status}; the end of {}:\n{}",
                self.name,
                self.log.display(),
                self.end_of_log()
            )
        }))
    }

    /// Asks the process to end, and kills it if it takes too long.
    pub(crate) fn stop(&mut self, patience: Duration) {
        self.signal("-TERM");
        let started = Instant::now();
        while started.elapsed() < patience && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(20));
        }
        self.kill();
    }

    /// The system's id of it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The log file.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Has the system end the process as a crash would, by SIGKILL, and doesn't wait for it.
    pub(crate) fn kill_now(&self) {
        kill(self.child.id());
    }

    /// Ends the process as a crash would, by SIGKILL.
    pub(crate) fn kill(&mut self) {
        // Either fails only if the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.child.id()) {
            watchdog::ended(self.child.id());
        }
    }

    /// Sends it a signal, by its option's name for kill(1).
    pub(crate) fn signal(&self, signal: &str) {
        send_signal(self.child.id(), signal);
    }

    fn end_of_log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }
}

/// Kills every process that was started here. Nothing is started after that: whoever tries waits for ever.
pub(crate) fn kill_all() {
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    running.iter().for_each(|id| kill(*id));
    std::mem::forget(running);
}

/// Kills a process of ours by its id.
fn kill(id: u32) {
    send_signal(id, "-KILL");
}

fn send_signal(id: u32, signal: &str) {
    // Fails only if the process is gone already.
    let _ = Command::new("kill").args([signal, &id.to_string()]).status();
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
