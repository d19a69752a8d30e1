//! A PostgreSQL server for the tests: Debian's package, in a folder of its own, until it is dropped or this process ends.

use std::{
    fs::{self, File},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{apt, cache};

/// Where Debian's packages put the programs, by version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// How long the server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    programs: PathBuf,
    folder: PathBuf,
    process: Option<Child>,
}

impl Server {
    /// Installs PostgreSQL if it isn't there, and starts a server at a Unix socket.
    pub(crate) fn start() -> Result<Self> {
        let programs = programs()?;
        // Short: a socket's path has at most 107 bytes.
        let folder = std::env::temp_dir().join(format!("x402-postgres-{}", std::process::id()));
        cache::create_folder(&folder)?;
        let mut server = Self { programs, folder, process: None };
        if apt::is_root() {
            chown(&server.folder, Some(user()?), None).context("giving PostgreSQL its folder")?;
        }
        eprintln!("Starting PostgreSQL in {}", server.folder.display());
        let arguments = ["--username=x402", "--auth=trust", "--encoding=UTF8", "--no-locale"];
        server.run("initdb", &arguments)?;
        let mut command = server.command("postgres")?;
        command.args(["-c", "listen_addresses=", "-c", "max_connections=300", "-k"]).arg(&server.folder);
        server.process = Some(command.spawn().context("starting postgres")?);
        server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let started = Instant::now();
        let folder = self.folder.display().to_string();
        while self.run("pg_isready", &["--host", &folder]).is_err() {
            let ended =
                self.process.as_mut().map(Child::try_wait).transpose().context("waiting for postgres")?;
            ensure!(ended.flatten().is_none(), "postgres did not start: {}", self.said());
            ensure!(started.elapsed() < START_TIMEOUT, "postgres is not ready: {}", self.said());
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Its URL, with a user who may create databases.
    pub(crate) fn url(&self) -> String {
        format!("postgres://x402@localhost/postgres?host={}", self.folder.display())
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let status = self.command(program)?.args(arguments).status().context(format!("running {program}"))?;
        ensure!(status.success(), "{program} failed ({status}): {}", self.said());
        Ok(())
    }

    /// One of PostgreSQL's programs, which ends with this process, also where that is killed: SIGINT has the server
    /// disconnect everybody and stop.
    fn command(&self, program: &str) -> Result<Command> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if apt::is_root() {
            // They refuse to be run by root; this user came with the package.
            command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups"]);
        }
        let output =
            File::options().create(true).append(true).open(self.log()).context("PostgreSQL's log")?;
        command.arg(self.programs.join(program)).env("PGDATA", self.folder.join("data"));
        command.current_dir(&self.folder).stdin(Stdio::null());
        command.stdout(output.try_clone().context("PostgreSQL's log")?).stderr(output);
        Ok(command)
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log.txt")
    }

    fn said(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let stopped = self.process.take().map_or(Ok(()), |mut process| {
            self.run("pg_ctl", &["-w", "-m", "fast", "stop"])?;
            process.wait().map(drop).context("waiting for postgres")
        });
        if let Err(error) = stopped.and_then(|()| cache::remove_folder(&self.folder)) {
            eprintln!("PostgreSQL may be left behind in {}: {error}", self.folder.display());
        }
    }
}

/// The folder with `initdb`, of the newest version.
fn programs() -> Result<PathBuf> {
    if let Some(programs) = newest(Path::new(VERSIONS)) {
        return Ok(programs);
    }
    let log = cache::root()?.join("postgresql.log");
    cache::create_folder(&cache::root()?)?;
    apt::install(&["postgresql"], "PostgreSQL is missing", &log)?;
    match newest(Path::new(VERSIONS)) {
        Some(programs) => Ok(programs),
        None => bail!("apt-get installed no PostgreSQL in {VERSIONS}; see {}", log.display()),
    }
}

fn newest(versions: &Path) -> Option<PathBuf> {
    let found = fs::read_dir(versions).ok()?.filter_map(|entry| {
        let entry = entry.ok()?;
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let programs = entry.path().join("bin");
        programs.join("initdb").is_file().then_some((version, programs))
    });
    found.max().map(|(_, programs)| programs)
}

/// The id of the user `postgres`.
fn user() -> Result<u32> {
    let output = Command::new("id").args(["-u", "postgres"]).output().context("running id")?;
    ensure!(output.status.success(), "there is no user postgres, whom Debian's package makes");
    String::from_utf8_lossy(&output.stdout).trim().parse().context("the id of the user postgres")
}
