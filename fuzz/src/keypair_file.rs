//! The file with the verifier's key, as Solana's command line writes it.

use std::{ffi::OsString, io::Write};

use tempfile::NamedTempFile;
use x402_escrow_verifier::config::read;

/// A public test key: RFC 8032 7.1, test 1.
pub(crate) const TEST_KEY: &str = "[157,97,177,157,239,253,90,96,186,132,74,244,146,236,44,196,68,73,197,105,123,50,105,\
    25,112,59,172,3,28,174,127,96,215,90,152,1,130,177,10,183,213,75,254,211,201,100,7,58,14,225,114,243,218,166,35,37,\
    175,2,26,104,247,7,81,26]";

pub fn run(data: &[u8]) -> bool {
    let file = written(data);
    let path = file.path().as_os_str().to_owned();
    let variables = [("X402_RPC_URL", OsString::from("http://127.0.0.1:8899")), ("X402_FEE_PAYER", path)];
    let variables = variables.map(|(name, value)| (OsString::from(name), value));
    match read(None, variables.clone()) {
        Ok(config) => {
            assert_eq!(config.fee_payer.to_bytes().as_slice(), numbers(data).expect("64 numbers were read"));
            true
        }
        Err(error) => {
            // The file holds a secret, or what was meant to be one: of another content it would have said the same.
            std::fs::write(file.path(), "[]").expect("a temporary file can be written");
            let other = read(None, variables).expect_err("no numbers are no key");
            assert_eq!(error.to_string(), other.to_string());
            false
        }
    }
}

/// The numbers of the array. Solana's reader takes what `u8` takes, `+1` and `007`, which JSON does not.
fn numbers(data: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(data).ok()?;
    let list = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    list.split(',').map(|number| number.trim().parse().ok()).collect()
}

/// A file with `content` that only its owner can read, as the verifier asks.
pub(crate) fn written(content: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a temporary file can be made");
    file.write_all(content).expect("a temporary file can be written");
    file
}
