//! The verifier's configuration: a file, and the variables that override it.

use std::{ffi::OsString, io::Write};

use tempfile::NamedTempFile;
use x402_escrow_verifier::config::read;

use super::keypair_file;

/// `data` is a TOML file; after a zero byte, a line for each variable: `X402_LISTEN=127.0.0.1:4020`.
pub fn run(data: &[u8]) -> bool {
    let (toml, lines) = data.iter().position(|byte| *byte == 0).map_or((data, &[][..]), |zero| {
        let (toml, lines) = data.split_at(zero);
        (toml, &lines[1..])
    });
    let lines = String::from_utf8_lossy(lines).into_owned();
    let variables = lines.lines().filter_map(|line| line.split_once('='));
    let mut file = NamedTempFile::new().expect("a temporary file can be made");
    file.write_all(toml).expect("a temporary file can be written");
    let fee_payer = keypair_file::written(keypair_file::TEST_KEY.as_bytes());
    let fee_payer_variable = ("X402_FEE_PAYER", fee_payer.path().display().to_string());
    let variables = variables.map(|(name, value)| (name, value.to_owned())).chain([fee_payer_variable]);
    let variables = variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    match read(Some(file.path()), variables) {
        Ok(config) => {
            for address in [Some(&config.listen), config.operator_listen.as_ref()].into_iter().flatten() {
                assert!(address.parse::<std::net::SocketAddr>().is_ok());
            }
            assert!(!config.rpc_urls.is_empty() && config.rpc_urls.len() != 2);
            assert!(config.rpc_urls.iter().all(|url| url.starts_with("http")));
            assert!(config.settings.websocket_urls.iter().all(|url| url.starts_with("ws")));
            assert!((1..=120).contains(&config.rpc_timeout.as_secs()));
            assert!(config.settings.settle_timeout < config.settings.request_timeout);
            let prices = &config.settings.compute_unit_prices_micro_lamports;
            assert!(prices.start() <= prices.end(), "{prices:?}");
            let policy = &config.policies.otherwise;
            assert!(policy.minimum_authorize_seconds <= policy.maximum_authorize_seconds, "{policy:?}");
            assert!(policy.minimum_capture_seconds <= policy.maximum_capture_seconds, "{policy:?}");
            true
        }
        Err(error) => {
            let problems = &error.problems;
            assert!(
                !problems.is_empty() && problems.iter().all(|problem| problem.contains(": ")),
                "{error:?}"
            );
            false
        }
    }
}
