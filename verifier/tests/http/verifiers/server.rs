//! A PostgreSQL server of the test's own, to be killed.

use std::{
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

pub(super) struct Server {
    folder: TempDir,
    programs: PathBuf,
    /// More options of the server's command line.
    options: &'static str,
}

impl Server {
    pub(super) fn start() -> Self {
        Self::start_with("")
    }

    /// Starts one with more options, as `-c fsync=off`.
    pub(super) fn start_with(options: &'static str) -> Self {
        // Where Debian's package puts them, by version.
        let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is not installed");
        let newest = versions.map(|entry| entry.unwrap().path()).max().expect("no version of PostgreSQL");
        let folder = tempfile::tempdir().unwrap();
        let server = Self { folder, programs: newest.join("bin"), options };
        if is_root() {
            let user = output(Command::new("id").args(["-u", "postgres"]));
            chown(server.folder.path(), Some(user.trim().parse().unwrap()), None).unwrap();
        }
        let settings = ["--username=x402", "--auth=trust", "--encoding=UTF8", "--no-locale"];
        output(server.program("initdb").args(settings));
        server.resume();
        server
    }

    /// Starts it again after [`Self::kill`].
    pub(super) fn resume(&self) {
        let folder = self.folder.path().display();
        let options = format!("-k {folder} -c listen_addresses='' {}", self.options);
        let log = self.folder.path().join("log");
        output(self.program("pg_ctl").args(["-w", "-o", &options, "-l"]).arg(log).arg("start"));
    }

    /// Ends every process of it at once: it starts as after a crash.
    pub(super) fn kill(&self) {
        output(self.program("pg_ctl").args(["-w", "-m", "immediate", "stop"]));
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://x402@localhost/postgres?host={}", self.folder.path().display())
    }

    /// Runs a statement as its superuser.
    pub(super) fn execute(&self, statement: &str) {
        let host = self.folder.path();
        output(
            self.program("psql").args(["--username=x402", "postgres", "-c", statement, "--host"]).arg(host),
        );
    }

    /// Where it takes connections, and its log is.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// It refuses to be run by root.
    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.env("PGDATA", self.folder.path().join("data")).current_dir(self.folder.path());
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.program("pg_ctl").args(["-m", "immediate", "stop"]).stdout(Stdio::null()).status();
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// What it prints, if it succeeds. To a file, as the server goes on writing where `pg_ctl` did.
fn output(command: &mut Command) -> String {
    let mut file = tempfile::tempfile().unwrap();
    let status = command.stdout(file.try_clone().unwrap()).status().unwrap();
    let mut text = String::new();
    std::io::Seek::rewind(&mut file).unwrap();
    std::io::Read::read_to_string(&mut file, &mut text).unwrap();
    assert!(status.success(), "{command:?}: {status}: {text}");
    text
}
