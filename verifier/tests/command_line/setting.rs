//! The binary, run with a configuration.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

/// A verifier's surroundings: a folder with its key.
pub(crate) struct Setting {
    directory: tempfile::TempDir,
}

impl Setting {
    pub(crate) fn new() -> Self {
        let setting = Self { directory: tempfile::tempdir().unwrap() };
        setting.write_key(0o600);
        setting
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A public test key.
    pub(crate) fn write_key(&self, mode: u32) {
        let key = solana_sdk::signer::keypair::Keypair::new_from_array([1; 32]).to_bytes();
        fs::write(self.path("key.json"), format!("{:?}", key.to_vec())).unwrap();
        fs::set_permissions(self.path("key.json"), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Exit status and output of `verifier --check-config` with `file` and these variables besides the needed ones.
    pub(crate) fn check(&self, file: &str, variables: &[(&str, &str)]) -> (i32, String) {
        fs::write(self.path("verifier.toml"), file).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_verifier"))
            .arg("--check-config")
            .arg("--config")
            .arg(self.path("verifier.toml"))
            .env_clear()
            .env("X402_RPC_URL", "http://127.0.0.1:1")
            .env("X402_FEE_PAYER", self.path("key.json"))
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), text)
    }

    pub(crate) fn assert_refused(&self, file: &str, variables: &[(&str, &str)], parts: &[&str]) {
        let (status, text) = self.check(file, variables);
        assert_eq!(status, 2, "{file} {variables:?}: {text}");
        for part in parts {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
    }
}
