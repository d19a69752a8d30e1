//! Configuration: a TOML file, and environment variables that override it. Every key is checked before anything
//! starts, and an error names the key. `docs/http-api.md` has the table.

mod keypair;
mod secret;
mod source;
mod webhook;

use std::{fmt::Display, net::IpAddr, num::NonZeroU32, ops::RangeInclusive, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use solana_sdk::signer::keypair::Keypair;
use tracing_subscriber::EnvFilter;
use x402_escrow_interface::message::{MAXIMUM_CAPTURE_SECONDS, MAXIMUM_REFUND_SECONDS};
use x402_escrow_wire::{auth_capture::Commitment, text::Decimal};

pub use source::{ConfigError, read};

use crate::{
    app::Settings,
    exact::instructions::FeeBounds,
    limits::LimitSettings,
    policy::{Finality, Policy, Tier},
    store::Database,
    telemetry::{self, LogFormat},
};

/// Everything that can be configured, checked.
#[derive(Debug)]
pub struct Config {
    /// Where to listen: address and port.
    pub listen: String,
    /// The Solana nodes, at least one.
    pub rpc_urls: Vec<String>,
    /// How long to wait for an answer of the node.
    pub rpc_timeout: Duration,
    /// The network's id in place of the one that the node's genesis hash gives, for tests.
    pub network: Option<String>,
    /// Where the store is.
    pub database: Database,
    /// Pays fees and rent.
    pub fee_payer: Keypair,
    /// What is accepted, and how final it must be.
    pub policy: Policy,
    /// How the service runs.
    pub settings: Settings,
    /// Every key with the value that holds, as TOML. Without what may be secret in URLs.
    pub effective: String,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Which lines are logged.
    pub log_filter: EnvFilter,
}

/// The keys, as they are written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default = "default_listen")]
    listen: String,
    rpc_url: String,
    #[serde(default = "default_ws_url")]
    ws_url: String,
    #[serde(default = "default_rpc_timeout_seconds")]
    rpc_timeout_seconds: u64,
    #[serde(default)]
    network: Option<String>,
    #[serde(default = "default_database")]
    database: String,
    fee_payer: PathBuf,
    #[serde(default = "default_finality")]
    finality: Vec<FinalityKey>,
    #[serde(default = "default_capture_commitment")]
    capture_commitment: Commitment,
    #[serde(default = "default_minimum_authorize_seconds")]
    minimum_authorize_seconds: i64,
    #[serde(default = "default_maximum_authorize_seconds")]
    maximum_authorize_seconds: i64,
    #[serde(default = "default_minimum_capture_seconds")]
    minimum_capture_seconds: i64,
    #[serde(default = "default_maximum_capture_seconds")]
    maximum_capture_seconds: i64,
    #[serde(default = "default_voucher_margin_seconds")]
    voucher_margin_seconds: i64,
    #[serde(default = "default_maximum_refund_seconds")]
    maximum_refund_seconds: i64,
    #[serde(default = "default_exact_maximum_compute_units")]
    exact_maximum_compute_units: u32,
    #[serde(default = "default_exact_maximum_compute_unit_price_micro_lamports")]
    exact_maximum_compute_unit_price_micro_lamports: u64,
    #[serde(default = "default_settle_timeout_seconds")]
    settle_timeout_seconds: u64,
    #[serde(default = "default_status_poll_milliseconds")]
    status_poll_milliseconds: u64,
    #[serde(default = "default_review_seconds")]
    review_seconds: u64,
    #[serde(default = "default_compute_unit_price_micro_lamports")]
    compute_unit_price_micro_lamports: u64,
    #[serde(default = "default_maximum_compute_unit_price_micro_lamports")]
    maximum_compute_unit_price_micro_lamports: u64,
    #[serde(default = "default_maximum_body_bytes")]
    maximum_body_bytes: usize,
    #[serde(default = "default_minimum_fee_payer_lamports")]
    minimum_fee_payer_lamports: u64,
    #[serde(default = "default_maximum_slot_age_seconds")]
    maximum_slot_age_seconds: i64,
    #[serde(default)]
    webhook_url: Option<String>,
    #[serde(default)]
    webhook_secret: Option<PathBuf>,
    #[serde(default = "default_minimum_hold_amount")]
    minimum_hold_amount: u64,
    #[serde(default = "default_maximum_open_holds_per_escrow")]
    maximum_open_holds_per_escrow: u64,
    #[serde(default = "default_maximum_concurrent_requests")]
    maximum_concurrent_requests: usize,
    #[serde(default = "default_requests_per_minute_per_client")]
    requests_per_minute_per_client: u32,
    #[serde(default = "default_payments_per_minute_per_session")]
    payments_per_minute_per_session: u32,
    #[serde(default)]
    trusted_proxies: Vec<IpAddr>,
    #[serde(default = "default_log_format")]
    log_format: LogFormat,
    #[serde(default = "default_log")]
    log: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FinalityKey {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    up_to: Option<Decimal>,
    commitment: Commitment,
}

macro_rules! defaults {
    ($($name:ident: $type:ty = $value:expr;)+) => {
        $(fn $name() -> $type { $value })+
    };
}

defaults! {
    default_listen: String = "127.0.0.1:4020".to_owned();
    default_ws_url: String = "auto".to_owned();
    default_rpc_timeout_seconds: u64 = 10;
    default_database: String = "verifier.sqlite".to_owned();
    default_finality: Vec<FinalityKey> = vec![
        FinalityKey { up_to: Some(Decimal(1_000_000)), commitment: Commitment::Processed },
        FinalityKey { up_to: Some(Decimal(100_000_000)), commitment: Commitment::Confirmed },
        FinalityKey { up_to: None, commitment: Commitment::Finalized },
    ];
    default_capture_commitment: Commitment = Commitment::Confirmed;
    default_minimum_authorize_seconds: i64 = 5;
    default_maximum_authorize_seconds: i64 = 120;
    default_minimum_capture_seconds: i64 = 30;
    default_maximum_capture_seconds: i64 = MAXIMUM_CAPTURE_SECONDS;
    default_voucher_margin_seconds: i64 = 300;
    default_maximum_refund_seconds: i64 = MAXIMUM_REFUND_SECONDS;
    default_exact_maximum_compute_units: u32 = 400_000;
    default_exact_maximum_compute_unit_price_micro_lamports: u64 = 5_000_000;
    default_settle_timeout_seconds: u64 = 45;
    default_status_poll_milliseconds: u64 = 200;
    default_review_seconds: u64 = 30;
    default_compute_unit_price_micro_lamports: u64 = 10_000;
    default_maximum_compute_unit_price_micro_lamports: u64 = 500_000;
    default_maximum_body_bytes: usize = 64 * 1024;
    default_minimum_fee_payer_lamports: u64 = 50_000_000;
    default_maximum_slot_age_seconds: i64 = 60;
    default_minimum_hold_amount: u64 = 100;
    default_maximum_open_holds_per_escrow: u64 = 1000;
    default_maximum_concurrent_requests: usize = 1024;
    default_requests_per_minute_per_client: u32 = 12_000;
    default_payments_per_minute_per_session: u32 = 1200;
    default_log_format: LogFormat = LogFormat::Text;
    default_log: String = "info".to_owned();
}

/// A CAIP-2 id of namespace `solana`.
fn is_solana_network(network: &str) -> bool {
    network.strip_prefix("solana:").is_some_and(|reference| {
        reference.len() == 32 && reference.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Time that a request may take besides waiting for the chain.
const REQUEST_MARGIN: Duration = Duration::from_secs(15);

impl Keys {
    fn check(self) -> Result<Config, ConfigError> {
        let effective = source::effective(&self);
        let listen = self.listen;
        if listen.parse::<std::net::SocketAddr>().is_err() {
            return Err(ConfigError::bad(
                "listen",
                format!("{listen:?} is not an address and a port, as 127.0.0.1:4020"),
            ));
        }
        let rpc_urls: Vec<String> = self.rpc_url.split(',').map(|url| url.trim().to_owned()).collect();
        check_rpc_urls(&rpc_urls).map_err(|message| ConfigError::bad("rpc_url", message))?;
        let websocket_urls =
            websocket_urls(&self.ws_url, &rpc_urls).map_err(|message| ConfigError::bad("ws_url", message))?;
        for (key, value, range) in [
            ("rpc_timeout_seconds", self.rpc_timeout_seconds, 1..=120),
            ("settle_timeout_seconds", self.settle_timeout_seconds, 1..=300),
            ("status_poll_milliseconds", self.status_poll_milliseconds, 20..=60_000),
            ("review_seconds", self.review_seconds, 1..=3600),
            ("compute_unit_price_micro_lamports", self.compute_unit_price_micro_lamports, 0..=5_000_000),
            (
                "maximum_compute_unit_price_micro_lamports",
                self.maximum_compute_unit_price_micro_lamports,
                self.compute_unit_price_micro_lamports..=5_000_000,
            ),
            ("exact_maximum_compute_units", u64::from(self.exact_maximum_compute_units), 1..=1_400_000),
            (
                "exact_maximum_compute_unit_price_micro_lamports",
                self.exact_maximum_compute_unit_price_micro_lamports,
                1..=5_000_000,
            ),
            ("maximum_open_holds_per_escrow", self.maximum_open_holds_per_escrow, 1..=1_000_000_000),
            ("maximum_concurrent_requests", self.maximum_concurrent_requests as u64, 1..=100_000),
            ("maximum_body_bytes", self.maximum_body_bytes as u64, 1024..=16 * 1024 * 1024),
        ] {
            check_range(key, value, &range)?;
        }
        if self.network.as_ref().is_some_and(|network| !is_solana_network(network)) {
            return Err(ConfigError::bad(
                "network",
                "must be `solana:` and the first 32 characters of the cluster's genesis hash",
            ));
        }
        // The program's own bounds are the upper ones.
        let captured_within = self.minimum_capture_seconds..=MAXIMUM_CAPTURE_SECONDS;
        for (key, value, range) in [
            ("minimum_authorize_seconds", self.minimum_authorize_seconds, 0..=MAXIMUM_CAPTURE_SECONDS),
            (
                "maximum_authorize_seconds",
                self.maximum_authorize_seconds,
                self.minimum_authorize_seconds..=MAXIMUM_CAPTURE_SECONDS,
            ),
            ("minimum_capture_seconds", self.minimum_capture_seconds, 0..=MAXIMUM_CAPTURE_SECONDS),
            ("maximum_capture_seconds", self.maximum_capture_seconds, captured_within),
            ("voucher_margin_seconds", self.voucher_margin_seconds, 120..=MAXIMUM_CAPTURE_SECONDS),
            ("maximum_refund_seconds", self.maximum_refund_seconds, 0..=MAXIMUM_REFUND_SECONDS),
            ("maximum_slot_age_seconds", self.maximum_slot_age_seconds, 1..=86_400),
        ] {
            check_range(key, value, &range)?;
        }
        let webhook = webhook::read(self.webhook_url, self.webhook_secret.as_deref())?;
        let tiers = self
            .finality
            .into_iter()
            .map(|tier| Tier { up_to: tier.up_to.map(|amount| amount.0), commitment: tier.commitment });
        let finality = Finality::new(tiers.collect())
            .map_err(|error| ConfigError::bad("finality", error.to_string()))?;
        let database =
            self.database.parse().map_err(|message: String| ConfigError::bad("database", message))?;
        let settle_timeout = Duration::from_secs(self.settle_timeout_seconds);
        Ok(Config {
            listen,
            rpc_urls,
            rpc_timeout: Duration::from_secs(self.rpc_timeout_seconds),
            network: self.network,
            database,
            fee_payer: keypair::read(&self.fee_payer)
                .map_err(|message| ConfigError::bad("fee_payer", message))?,
            policy: Policy {
                finality,
                capture_commitment: self.capture_commitment,
                minimum_authorize_seconds: self.minimum_authorize_seconds,
                maximum_authorize_seconds: self.maximum_authorize_seconds,
                minimum_capture_seconds: self.minimum_capture_seconds,
                maximum_capture_seconds: self.maximum_capture_seconds,
                voucher_margin_seconds: self.voucher_margin_seconds,
                maximum_refund_seconds: self.maximum_refund_seconds,
                exact_fee_bounds: FeeBounds {
                    maximum_compute_units: self.exact_maximum_compute_units,
                    maximum_compute_unit_price_micro_lamports: self
                        .exact_maximum_compute_unit_price_micro_lamports,
                },
                minimum_hold_amount: self.minimum_hold_amount,
                maximum_open_holds_per_escrow: self.maximum_open_holds_per_escrow,
            },
            settings: Settings {
                websocket_urls,
                webhook,
                settle_timeout,
                request_timeout: settle_timeout + REQUEST_MARGIN,
                status_poll_interval: Duration::from_millis(self.status_poll_milliseconds),
                review_interval: Duration::from_secs(self.review_seconds),
                compute_unit_prices_micro_lamports: self.compute_unit_price_micro_lamports
                    ..=self.maximum_compute_unit_price_micro_lamports,
                maximum_body_bytes: self.maximum_body_bytes,
                limits: LimitSettings {
                    maximum_concurrent_requests: self.maximum_concurrent_requests,
                    requests_per_minute_per_client: NonZeroU32::new(self.requests_per_minute_per_client),
                    payments_per_minute_per_session: NonZeroU32::new(self.payments_per_minute_per_session),
                    trusted_proxies: self.trusted_proxies.iter().map(IpAddr::to_canonical).collect(),
                },
                minimum_fee_payer_lamports: self.minimum_fee_payer_lamports,
                maximum_slot_age_seconds: self.maximum_slot_age_seconds,
            },
            effective,
            log_format: self.log_format,
            log_filter: telemetry::filter(&self.log)
                .map_err(|error| ConfigError::bad("log", error.to_string()))?,
        })
    }
}

/// Where the nodes announce their blocks: what `ws_url` lists, or by Solana's convention the port above that of JSON-RPC.
fn websocket_urls(ws_url: &str, rpc_urls: &[String]) -> Result<Vec<String>, &'static str> {
    match ws_url {
        "none" => Ok(Vec::new()),
        "auto" => rpc_urls
            .iter()
            .map(|url| conventional(url).ok_or("can't be told from rpc_url: give it"))
            .collect(),
        listed => {
            let urls: Vec<String> = listed.split(',').map(|url| url.trim().to_owned()).collect();
            let are_right = urls.iter().all(|url| url.starts_with("ws://") || url.starts_with("wss://"));
            let message =
                "must start with ws:// or wss:// (several are separated by commas), or be auto or none";
            if are_right { Ok(urls) } else { Err(message) }
        }
    }
}

fn conventional(rpc_url: &str) -> Option<String> {
    let mut url = reqwest::Url::parse(rpc_url).ok()?;
    let port = url.port().map(|port| port.checked_add(1)).map_or(Some(None), |port| port.map(Some))?;
    url.set_port(port).ok()?;
    let rest = url.as_str().strip_prefix("http")?;
    Some(format!("ws{rest}"))
}

fn check_rpc_urls(urls: &[String]) -> Result<(), &'static str> {
    if !urls.iter().all(|url| url.starts_with("http://") || url.starts_with("https://")) {
        return Err("must start with http:// or https://; several are separated by commas");
    }
    if (1..urls.len()).any(|index| urls[..index].contains(&urls[index])) {
        return Err("names a node twice");
    }
    if urls.len() == 2 {
        return Err("has two nodes, and where they disagree neither is believed: give one, or three or more");
    }
    Ok(())
}

fn check_range<T: PartialOrd + Display>(
    key: &str,
    value: T,
    range: &RangeInclusive<T>,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    let (from, to) = (range.start(), range.end());
    Err(ConfigError::bad(key, format!("must be {from} to {to}, is {value}")))
}
