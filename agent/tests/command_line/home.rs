//! A folder with an owner's keypair and a session file, and the commands that run there.

use std::{fs, path::PathBuf, process::Command};

use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use tempfile::TempDir;
use x402_escrow_agent::SessionFile;
use x402_escrow_interface::{Address, deployment::LOCAL_PROGRAM_ID};
use x402_escrow_wire::text::{Base58, Key};

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    /// The one object.
    pub(crate) object: Value,
}

impl Ended {
    /// What went wrong: the code, the exit code and the flag.
    pub(crate) fn error(&self) -> (&str, i32, Option<&str>) {
        let error = &self.object["error"];
        (error["code"].as_str().unwrap(), self.code, error["field"].as_str())
    }

    pub(crate) fn says(&self, name: &str) -> &str {
        self.object["error"][name].as_str().unwrap()
    }
}

pub(crate) struct Home {
    folder: TempDir,
    pub(crate) owner: SigningKey,
    pub(crate) session: SessionFile,
}

impl Home {
    pub(crate) fn new() -> Self {
        let (folder, owner) = (tempfile::tempdir().unwrap(), SigningKey::from_bytes(&[8; 32]));
        fs::write(folder.path().join("owner.json"), json!(owner.to_keypair_bytes().to_vec()).to_string())
            .unwrap();
        let key = SigningKey::from_bytes(&[9; 32]);
        let session = SessionFile {
            network: "solana:test".into(),
            program: LOCAL_PROGRAM_ID.into(),
            escrow: Base58([1; 32]),
            mint: Base58([2; 32]),
            decimals: 6,
            session_key: Base58(key.verifying_key().to_bytes()),
            incarnation: Base58([3; 32]),
            expires_at: 2_000_000_000,
            verifier: "http://127.0.0.1:1".into(),
            receivers: Vec::new(),
            secret_key: Base58(key.to_bytes()),
        };
        session.create(&folder.path().join("session.json")).unwrap();
        Self { folder, owner, session }
    }

    pub(crate) fn owner(&self) -> Address {
        self.owner.verifying_key().to_bytes().into()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.file(name), text).unwrap();
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&fs::read_to_string(self.file(name)).unwrap()).unwrap()
    }

    /// Runs a command with `--json`, which prints exactly one object.
    pub(crate) fn end(&self, arguments: &[&str]) -> Ended {
        let output = Command::new(env!("CARGO_BIN_EXE_agent"))
            .arg("--json")
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("X402_KEYPAIR", self.file("owner.json"))
            .env("X402_SESSION", self.file("session.json"))
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed.lines().count(), 1, "{printed} {told}");
        Ended { code: output.status.code().unwrap(), object: serde_json::from_str(&printed).unwrap() }
    }

    /// What a command prints, or its error.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Value, String> {
        let ended = self.end(arguments);
        if ended.code == 0 { Ok(ended.object) } else { Err(ended.says("message").to_owned()) }
    }
}

/// The mint of the tests, as an argument.
pub(crate) fn mint() -> String {
    Key::from(Address::from([2; 32])).to_string()
}
