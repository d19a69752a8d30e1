use std::{
    collections::BTreeSet,
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// How much of a log is shown where its process failed.
const SHOWN_LINES: usize = 20;

/// Ids of the processes that run.
pub(super) static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// A process that is killed when it is dropped. Its output goes to a log file.
pub(super) struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    pub(super) fn start(name: &str, folder: &Path, command: &mut Command) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).context("opening a log file")?;
        // Locked while it starts, so that whoever ends all of them misses none.
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().context("a second handle of a log file")?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("starting {name} ({})", command.get_program().display()))?;
        running.insert(child.id());
        Ok(Self { child, name: name.to_owned(), log })
    }

    /// Waits until `ready`; fails if the process ends or takes too long.
    pub(super) fn wait_until(&mut self, timeout: Duration, ready: impl Fn() -> bool) -> Result<()> {
        let started = Instant::now();
        while !ready() {
            if let Some(status) = self.child.try_wait().context("waiting for a process")? {
                bail!("{} ended with {status}:\n{}", self.name, self.end_of_log());
            }
            if started.elapsed() > timeout {
                bail!("{} was not ready after {} s:\n{}", self.name, timeout.as_secs(), self.end_of_log());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Has the system end the process as a crash would, by SIGKILL, and doesn't wait for it.
    pub(super) fn kill_now(&self) {
        kill(self.child.id());
    }

    /// Ends the process as a crash would, by SIGKILL.
    pub(super) fn kill(&mut self) {
        // Either fails only if the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.child.id());
    }

    /// Sends it a signal, by its option's name for kill(1).
    pub(super) fn signal(&self, signal: &str) {
        send_signal(self.child.id(), signal);
    }

    fn end_of_log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }
}

/// Kills a process of ours by its id.
pub(super) fn kill(id: u32) {
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

/// `count` neighbouring ports of the loopback interface that nobody listens on.
pub(super) fn free_ports(count: u16) -> Result<u16> {
    for _ in 0..100 {
        let first = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr())?.port();
        let Some(last) = first.checked_add(count - 1) else { continue };
        if (first..=last).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return Ok(first);
        }
    }
    bail!("no {count} neighbouring free ports on 127.0.0.1")
}
