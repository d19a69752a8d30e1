//! Suites of others, of PyPI and unchanged, that `tests/clients/requirements.txt` names.

mod conformance;
mod hostile;

use std::{
    fs::File,
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use x402_escrow_tests::local::{Local, free_ports};

use crate::standard_clients::{in_clients, python};

/// A running script of `tests/clients`. It is killed when it is dropped.
struct Script {
    url: String,
    child: Child,
}

impl Script {
    /// Starts a Python script with an argument and a port, at which it listens.
    fn start(local: &Local, script: &str, argument: &str) -> Self {
        let port = free_ports(1).unwrap();
        let log = File::create(local.folder().join(format!("{script}.{port}.log"))).unwrap();
        let child = Command::new(python())
            .arg(in_clients(script))
            .args([argument, &port.to_string()])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let script = Self { url: format!("http://127.0.0.1:{port}"), child };
        let listens = || Ok(TcpStream::connect(("127.0.0.1", port)).is_ok());
        local.chain.wait_until("a script to listen", Duration::from_secs(90), listens).unwrap();
        script
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // Either fails only if the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a Python module of a suite, and returns what it said.
fn run(module: &str, folder: &Path, arguments: &[&str]) -> Output {
    Command::new(python())
        .args(["-m", module])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
