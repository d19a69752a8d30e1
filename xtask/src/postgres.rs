//! A PostgreSQL server for the tests: Debian's package, in a folder of its own, until it is dropped.

use std::{
    fs::{self, File},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{apt, cache};

/// Where Debian's packages put the programs, by version.
const VERSIONS: &str = "/usr/lib/postgresql";

pub(crate) struct Server {
    programs: PathBuf,
    folder: PathBuf,
}

impl Server {
    /// Installs PostgreSQL if it isn't there, and starts a server at a Unix socket.
    pub(crate) fn start() -> Result<Self> {
        let programs = programs()?;
        // Short: a socket's path has at most 107 bytes.
        let folder = std::env::temp_dir().join(format!("x402-postgres-{}", std::process::id()));
        cache::create_folder(&folder)?;
        let server = Self { programs, folder };
        if apt::is_root() {
            chown(&server.folder, Some(user()?), None).context("giving PostgreSQL its folder")?;
        }
        eprintln!("Starting PostgreSQL in {}", server.folder.display());
        let arguments = ["--username=x402", "--auth=trust", "--encoding=UTF8", "--no-locale"];
        server.run("initdb", &arguments)?;
        let folder = server.folder.display();
        let settings = format!("-k {folder} -c listen_addresses='' -c max_connections=300");
        server.run("pg_ctl", &["-w", "-o", &settings, "-l", &format!("{folder}/server.log"), "start"])?;
        Ok(server)
    }

    /// Its URL, with a user who may create databases.
    pub(crate) fn url(&self) -> String {
        format!("postgres://x402@localhost/postgres?host={}", self.folder.display())
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        // It refuses to be run by root; this user came with the package.
        let path = self.programs.join(program);
        let mut command = if apt::is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        let log = self.folder.join("log.txt");
        let output = File::options().create(true).append(true).open(&log).context("PostgreSQL's log")?;
        command.args(arguments).env("PGDATA", self.folder.join("data")).current_dir(&self.folder);
        command.stdout(output.try_clone().context("PostgreSQL's log")?).stderr(output);
        let status = command.status().with_context(|| format!("running {program}"))?;
        let said = || fs::read_to_string(&log).unwrap_or_default();
        ensure!(status.success(), "{program} failed ({status}): {}", said());
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let stopped = self.run("pg_ctl", &["-w", "-m", "fast", "stop"]);
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
