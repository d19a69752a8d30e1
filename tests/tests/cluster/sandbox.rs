//! The sandbox as somebody uses it: what it prints is pasted, and nothing is left in the end, however it ends.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::TcpStream,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;
use x402_escrow_tests::local::{binary, checkout};

use crate::shop::ONE_AT_A_TIME;

/// How long it may take to start and to end, beside whatever else the machine does.
const PATIENCE: Duration = Duration::from_secs(90);

/// A sandbox that was started as `cargo xtask sandbox` starts it.
struct Running {
    child: Child,
    /// Its standard output.
    output: BufReader<std::process::ChildStdout>,
    /// Where it puts its files.
    folder: PathBuf,
    around: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let around = tempfile::tempdir().unwrap();
        let folder = around.path().join("sandbox");
        let mut command = Command::new(binary("sandbox").unwrap());
        command.args(arguments).args(["--free-ports", "--folder"]).arg(&folder);
        let said = File::create(around.path().join("said.txt")).unwrap();
        let mut child = command
            .current_dir(checkout())
            .stdout(Stdio::piped())
            .stderr(said)
            .process_group(0)
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output, folder, around, _turn: turn }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "it ended: {}", self.said());
        line
    }

    /// What it wrote to standard error.
    fn said(&self) -> String {
        fs::read_to_string(self.around.path().join("said.txt")).unwrap()
    }

    fn send(&self, signal: &str) {
        assert!(
            Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success()
        );
    }

    fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "it goes on: {}", self.said());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The processes that work in its folder, by their names.
    fn parts(&self) -> Vec<(u32, String)> {
        let processes =
            fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        let ids = processes.filter_map(|name| name.parse::<u32>().ok());
        let name = |id: u32| {
            let process = PathBuf::from(format!("/proc/{id}"));
            let command = fs::read(process.join("cmdline")).ok()?;
            let command = String::from_utf8_lossy(&command).into_owned();
            let is_there = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(&self.folder));
            let name = command.split('\0').next().and_then(|path| path.rsplit('/').next())?.to_owned();
            (is_there || command.contains(&self.folder.display().to_string()))
                .then_some((id, name))
                .filter(|(id, _)| *id != self.child.id())
        };
        ids.filter_map(name).collect()
    }

    fn wait_until_nothing_runs(&self) {
        let started = Instant::now();
        while !self.parts().is_empty() {
            assert!(started.elapsed() < PATIENCE, "left: {:?}", self.parts());
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Where a test has failed: what was started ends with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command as somebody pastes it.
fn paste(command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).current_dir(checkout()).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command}\n{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    printed
}

/// What a line says was paid out of a hold for ticks: of 0.25.
fn paid_of_a_stream(line: &str) -> Option<f64> {
    let (_, said) = line.rsplit_once(": ")?;
    let (paid, back) = said.strip_suffix(" back")?.split_once(" paid, ")?;
    let (paid, back): (f64, f64) = (paid.parse().ok()?, back.parse().ok()?);
    ((paid + back - 0.25).abs() < 1e-9).then_some(paid)
}

#[test]
fn the_printed_commands_buy_in_every_way_and_an_interruption_leaves_nothing() {
    let mut sandbox = Running::start(&[]);
    let mut printed = String::new();
    while !printed.contains("Ctrl-C ends everything.") {
        printed += &sandbox.line();
    }
    let command = |title: &str| {
        let mut lines = printed.lines().skip_while(|line| *line != format!("# {title}"));
        lines.nth(1).unwrap_or_else(|| panic!("no {title} in {printed}")).to_owned()
    };
    let price = paste(&command("See the price"));
    assert!(price.starts_with("HTTP/1.1 402") && price.contains("payment-required: "), "{price}");
    let report = paste(&command("Buy at a fixed price"));
    assert!(report.contains("All there is to say about wheat"), "{report}");
    let metered = paste(&command("Buy by the unit: 0.1 is held, 0.03 is paid"));
    assert!(metered.contains(r#""units":3"#), "{metered}");
    let ticks = paste(&command("Buy a hundred times out of one hold"));
    assert_eq!(ticks.matches("cents").count(), 100, "{ticks}");
    assert!(paste(&command("Ask the verifier how it is")).contains(r#""ready":true"#));
    // What builds the package was run before the tests.
    let typescript = paste(&command("Buy in TypeScript"));
    assert!(typescript.contains(r#""status":200"#), "{typescript}");
    let status = paste(&command("Be the owner"));
    assert!(status.contains("sessions  1"), "{status}");
    let sold = paste(&command("Be the merchant: list what was sold"));
    assert!(sold.lines().count() > 3 && sold.contains(",partly_paid,"), "{sold}");
    let link = paste(&command("Print a link to the merchant's page"));
    assert!(reqwest::blocking::get(link.trim()).unwrap().text().unwrap().contains("<html"), "{link}");

    let pages: Vec<_> = printed.split_whitespace().filter(|word| word.starts_with("http://")).collect();
    let page = pages.iter().find(|url| url.ends_with("/status")).unwrap();
    assert!(reqwest::blocking::get(*page).unwrap().text().unwrap().contains("<html"));

    sandbox.send("-INT");
    assert!(sandbox.wait().success(), "{}", sandbox.said());
    let mut payments = String::new();
    std::io::Read::read_to_string(&mut sandbox.output, &mut payments).unwrap();
    let told = |what: &str| payments.lines().filter(|line| line.ends_with(what)).count();
    assert_eq!((told(": 0.25 paid at once"), told(": 0.03 paid, 0.07 back")), (2, 1), "{payments}");
    // At the latest when it stopped. Where the agent was slow, the merchant closed its hold, and it opened another.
    let ticks_paid: f64 = payments.lines().filter_map(paid_of_a_stream).sum();
    assert!((ticks_paid - 0.1).abs() < 1e-9, "{ticks_paid} of 0.1 were paid: {payments}");
    assert_eq!(sandbox.parts(), [], "{}", sandbox.said());
    assert!(!sandbox.folder.exists());
    let address = pages[0].trim_start_matches("http://");
    assert!(TcpStream::connect(address).is_err(), "somebody listens on {address}");
}

#[test]
fn a_part_that_is_killed_ends_the_sandbox_with_its_name_and_the_end_of_its_log() {
    let mut sandbox = Running::start(&["--json"]);
    let ready: Value = serde_json::from_str(&sandbox.line()).unwrap();
    assert!(Path::new(ready["session"].as_str().unwrap()).is_file(), "{ready}");
    assert_eq!(ready["merchant"]["routes"].as_array().unwrap().len(), 3);
    let parts = sandbox.parts();
    let (id, _) = parts.iter().find(|(_, name)| name == "verifier").unwrap();
    assert!(Command::new("kill").args(["-KILL", &id.to_string()]).status().unwrap().success());
    assert_eq!(sandbox.wait().code(), Some(1));
    let said = sandbox.said();
    assert!(said.contains("error: verifier ended with signal: 9 (SIGKILL); the end of "), "{said}");
    assert!(said.contains("leading: following, sending and delivering"), "the log is shown: {said}");
    assert_eq!(sandbox.parts(), []);
    assert!(!sandbox.folder.exists());
}

#[test]
fn a_sandbox_that_is_killed_takes_its_parts_with_it() {
    let mut sandbox = Running::start(&["--json"]);
    sandbox.line();
    assert!(sandbox.parts().len() >= 3, "{:?}", sandbox.parts());
    sandbox.send("-KILL");
    sandbox.wait();
    sandbox.wait_until_nothing_runs();
}

#[test]
fn a_sandbox_that_is_told_to_end_while_it_starts_leaves_nothing() {
    let mut sandbox = Running::start(&["--json"]);
    let started = Instant::now();
    while sandbox.parts().is_empty() {
        assert!(started.elapsed() < PATIENCE, "{}", sandbox.said());
        thread::sleep(Duration::from_millis(20));
    }
    sandbox.send("-TERM");
    assert_eq!(sandbox.wait().code(), Some(130), "{}", sandbox.said());
    sandbox.wait_until_nothing_runs();
    assert!(!sandbox.folder.exists());
}
