//! The node and the signer that Solana's own command line uses: `solana config set` writes them into a file. Its crate
//! `solana-cli-config` reads it too, but brings thirteen others.

use std::{env, fs, io::ErrorKind, path::Path};

use anyhow::Result;

use crate::problem::{Code, Problem};

/// What an owner need not name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Defaults {
    pub(crate) rpc_url: String,
    pub(crate) keypair: String,
}

impl Defaults {
    /// Reads the file in the home folder. What it doesn't say is as where there is no file.
    pub(crate) fn read() -> Result<Self> {
        // Without a home, errors name what was looked for.
        let home = env::home_dir().unwrap_or_else(|| "~".into());
        let path = home.join(".config/solana/cli/config.yml");
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Self::of(&text, &home)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::of("", &home)),
            Err(error) => Err(Problem::new(Code::File, format!("{}: {error}", path.display()))
                .remedy("name node and signer with --rpc-url and --keypair")
                .into()),
        }
    }

    /// The file is YAML of one level, as far as it matters here.
    fn of(text: &str, home: &Path) -> Self {
        let value = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(": "));
            let (_, value) = lines.find(|(key, _)| *key == name)?;
            let value = value.trim().trim_matches(['"', '\'']);
            (!value.is_empty()).then(|| value.to_owned())
        };
        Self {
            rpc_url: value("json_rpc_url").unwrap_or_else(|| "mainnet-beta".into()),
            keypair: value("keypair_path")
                .unwrap_or_else(|| home.join(".config/solana/id.json").display().to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_solanas_command_line_is_read_and_may_say_nothing() {
        let defaults =
            |rpc_url: &str, keypair: &str| Defaults { rpc_url: rpc_url.into(), keypair: keypair.into() };
        let text = "---\njson_rpc_url: http://localhost:8899\nwebsocket_url: ''\nkeypair_path: usb://ledger?key=0\n\
                    address_labels:\n  '11111111111111111111111111111111': System Program\ncommitment: confirmed\n";
        for (text, expected) in [
            (text, defaults("http://localhost:8899", "usb://ledger?key=0")),
            (
                "json_rpc_url: \"https://node.example/?key=a: b\"",
                defaults("https://node.example/?key=a: b", "/o/.config/solana/id.json"),
            ),
            ("json_rpc_url: ''\n  keypair_path: x\n", defaults("mainnet-beta", "/o/.config/solana/id.json")),
        ] {
            assert_eq!(Defaults::of(text, Path::new("/o")), expected, "{text}");
        }
    }
}
