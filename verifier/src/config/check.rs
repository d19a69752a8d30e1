//! Whether the keys' values can be used, and what they make.

mod budgets;
mod ranges;

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use x402_escrow_domain::{
    budget::Budgets,
    cluster::Consensus,
    gather::GatherSettings,
    policy::{Defaults, FeeBounds, Finality, FinalityError, Policies, Policy, Tier},
    tokens::Tokens,
    verify,
};
use x402_escrow_interface::Address;

use super::{
    Config, ConfigError, effective, hosts, keypair,
    keys::{FinalityKey, Keys},
    origins, tokens, urls, webhook,
};
use crate::{
    engine::{
        app::{Deployment, Settings},
        deny_list::{self, DenyListSettings, Source},
        limits::{AtOnce, LimitSettings, PaymentRates},
    },
    store::Database,
    telemetry,
};

use budgets::{check_budgets, limits};
use ranges::check_ranges;

/// Time that a request may take besides its body and waiting for the chain.
const REQUEST_MARGIN: Duration = Duration::from_secs(15);

/// Makes the configuration of its keys. `None` if some can't be used; `error` has all of them.
pub(super) fn check(keys: Keys, warnings: Vec<String>, error: &mut ConfigError) -> Option<Config> {
    let effective = effective::effective(&keys);
    check_ranges(&keys, error);
    check_budgets(&keys, error);
    let limits_asked = limit_settings(&keys);
    if keys.listen.parse::<SocketAddr>().is_err() {
        let message = format!("{:?} is not an address and a port, as 127.0.0.1:4020", keys.listen);
        error.note("listen", message);
    }
    let operator_listen =
        error.sound("operator_listen", operator_address(keys.operator_listen, &keys.listen));
    let public_hosts = error.sound("public_hosts", hosts::hosts(keys.public_hosts));
    let tokens = keys.tokens.map(|tokens| error.sound("tokens", tokens::tokens(tokens)));
    let deployment = Deployment {
        network: keys.network,
        program: keys.program_id.map(Address::from),
        tokens: tokens.clone().flatten(),
    };
    match &deployment.network {
        Some(network) if !is_solana_network(network) => {
            let message = "must be `solana:` and the first 32 characters of the cluster's genesis hash";
            error.note("network", message);
        }
        Some(network) => {
            error.sound("program_id", verify::program(network, deployment.program));
            if tokens.is_none() {
                error.sound("tokens", Tokens::known(network));
            }
        }
        None => {}
    }
    let rpc_urls = error.sound("rpc_url", urls::nodes(&keys.rpc_url));
    let websocket_urls = rpc_urls
        .as_ref()
        .and_then(|rpc_urls| error.sound("ws_url", urls::announcements(&keys.ws_url, rpc_urls)));
    let webhook = webhook::read(keys.webhook_url, keys.webhook_secret.as_deref(), error);
    let database = error.sound("database", keys.database.parse::<Database>());
    let on_balance = error.sound("finality", keys.finality.map(finality).transpose());
    let on_confirmed_hold = keys.finality_on_confirmed_hold.map(finality).transpose();
    let on_confirmed_hold = error.sound("finality_on_confirmed_hold", on_confirmed_hold);
    let on_finalized_hold = keys.finality_on_finalized_hold.map(finality).transpose();
    let on_finalized_hold = error.sound("finality_on_finalized_hold", on_finalized_hold);
    let deny_list = keys.deny_list.map(|deny_list| deny_list_source(&deny_list)).transpose();
    let deny_list = error.sound("deny_list", deny_list);
    let fee_payer = error.sound("fee_payer", keypair::read(&keys.fee_payer));
    let cut_off: Vec<_> = keys.fee_payers_cut_off.into_iter().map(Address::from).collect();
    let retiring = error.sound("fee_payers_retiring", keypair::read_all(&keys.fee_payers_retiring));
    let signing = fee_payer.iter().chain(retiring.iter().flatten());
    if let Some((key, problem)) = keypair::conflict(signing, &cut_off) {
        error.note(key, problem);
    }
    let log_filter = error.sound("log", telemetry::filter(&keys.log));
    let cors_allowed_origins =
        error.sound("cors_allowed_origins", origins::origins(keys.cors_allowed_origins));
    let settle_timeout = Duration::from_secs(keys.settle_timeout_seconds);
    let request_timeout = limits_asked.body_timeout + settle_timeout + REQUEST_MARGIN;
    let (on_balance, on_confirmed_hold, on_finalized_hold) =
        (on_balance?, on_confirmed_hold?, on_finalized_hold?);
    let policy = |consensus| {
        let levels = Defaults::of(consensus);
        Policy {
            finality: on_balance.clone().unwrap_or(levels.on_balance),
            finality_on_confirmed_hold: on_confirmed_hold.clone().unwrap_or(levels.on_confirmed_hold),
            finality_on_finalized_hold: on_finalized_hold.clone().unwrap_or(levels.on_finalized_hold),
            lasting: levels.lasting,
            minimum_authorize_seconds: keys.minimum_authorize_seconds,
            maximum_authorize_seconds: keys.maximum_authorize_seconds,
            minimum_capture_seconds: keys.minimum_capture_seconds,
            maximum_capture_seconds: keys.maximum_capture_seconds,
            voucher_margin_seconds: keys.voucher_margin_seconds,
            exact_fee_bounds: FeeBounds {
                maximum_compute_units: keys.exact_maximum_compute_units,
                priority_fee_lamports: keys.exact_priority_fee_lamports,
            },
            exact_memo_once: keys.exact_memo_once,
            minimum_hold_amount: keys.minimum_hold_amount,
            maximum_open_holds_per_escrow: keys.maximum_open_holds_per_escrow,
            maximum_operations_per_payment: keys.maximum_operations_per_payment,
        }
    };
    Some(Config {
        listen: keys.listen,
        operator_listen: operator_listen?,
        rpc_urls: rpc_urls?,
        rpc_timeout: Duration::from_secs(keys.rpc_timeout_seconds),
        deployment,
        database: database?,
        fee_payer: fee_payer?,
        fee_payers_retiring: retiring?,
        fee_payers_cut_off: cut_off,
        policies: Policies { alpenglow: policy(Consensus::Alpenglow), otherwise: policy(Consensus::Unknown) },
        settings: Settings {
            websocket_urls: websocket_urls?,
            webhook: webhook?,
            settle_timeout,
            request_timeout,
            status_poll_interval: Duration::from_millis(keys.status_poll_milliseconds),
            review_interval: Duration::from_secs(keys.review_seconds),
            gather: GatherSettings { seconds: keys.gather_seconds, value: keys.gather_value },
            lookup_tables: keys.lookup_tables,
            compute_unit_prices_micro_lamports: keys.compute_unit_price_micro_lamports
                ..=keys.maximum_compute_unit_price_micro_lamports,
            maximum_body_bytes: keys.maximum_body_bytes,
            limits: limits_asked,
            deny_list: deny_list?.map(|source| DenyListSettings {
                source,
                timeout: Duration::from_millis(keys.deny_list_timeout_milliseconds),
                on_failure: keys.deny_list_on_failure,
            }),
            budgets: Budgets {
                fees: limits(keys.fee_budget_per_payer, keys.fee_budget_per_receiver, keys.fee_budget),
                rent: limits(keys.rent_budget_per_payer, keys.rent_budget_per_receiver, keys.rent_budget),
            },
            maximum_resources: keys.maximum_resources,
            merchant_webhooks: keys.merchant_webhooks,
            public_hosts: public_hosts?,
            cors_allowed_origins: cors_allowed_origins?,
            minimum_fee_payer_lamports: keys.minimum_fee_payer_lamports,
            maximum_slot_age_seconds: keys.maximum_slot_age_seconds,
        },
        effective,
        warnings,
        log_format: keys.log_format,
        log_filter: log_filter?,
    })
}

fn limit_settings(keys: &Keys) -> LimitSettings {
    LimitSettings {
        maximum_concurrent_requests: keys.maximum_concurrent_requests,
        requests_per_minute_per_client: NonZeroU32::new(keys.requests_per_minute_per_client),
        health_per_minute_per_client: NonZeroU32::new(keys.health_per_minute_per_client),
        requests_per_minute_per_merchant: NonZeroU32::new(keys.requests_per_minute_per_merchant),
        intents_per_minute_per_session: NonZeroU32::new(keys.intents_per_minute_per_session),
        payments_per_minute: PaymentRates {
            per_session: NonZeroU32::new(keys.payments_per_minute_per_session),
            per_payer: NonZeroU32::new(keys.payments_per_minute_per_payer),
            per_receiver: NonZeroU32::new(keys.payments_per_minute_per_receiver),
            overall: NonZeroU32::new(keys.payments_per_minute),
        },
        bodies: AtOnce { per_client: keys.maximum_bodies_per_client, overall: keys.maximum_bodies },
        body_timeout: Duration::from_secs(keys.body_timeout_seconds),
        waiting: AtOnce { per_client: keys.maximum_waiting_per_client, overall: keys.maximum_waiting },
        waiting_per_payment: keys.maximum_waiting_per_payment,
        followers: AtOnce { per_client: keys.maximum_followers_per_client, overall: keys.maximum_followers },
        trusted_proxies: keys.trusted_proxies.iter().map(|proxies| proxies.range()).collect(),
    }
}

/// Where the operator connects: not where everybody does, but for port 0, of which there are many.
fn operator_address(address: String, listen: &str) -> Result<Option<String>, String> {
    if address == "none" {
        return Ok(None);
    }
    match address.parse::<SocketAddr>() {
        Err(_) => Err(format!("{address:?} is not an address and a port, as 127.0.0.1:4022, and not none")),
        Ok(parsed) if parsed.port() != 0 && listen.parse() == Ok(parsed) => {
            Err(format!("{address} is what `listen` has: what only the operator may see would be public"))
        }
        Ok(_) => Ok(Some(address)),
    }
}

/// A server's address, or a file that can be read.
fn deny_list_source(deny_list: &str) -> Result<Source, String> {
    if deny_list.contains("://") {
        return match reqwest::Url::parse(deny_list) {
            Ok(url) if ["http", "https"].contains(&url.scheme()) => Ok(Source::Url(deny_list.to_owned())),
            _ => Err("must be a file, or an address that starts with http:// or https://".to_owned()),
        };
    }
    let path = PathBuf::from(deny_list);
    deny_list::read(&path)?;
    Ok(Source::File(path))
}

fn finality<L: Copy + Ord>(tiers: Vec<FinalityKey<L>>) -> Result<Finality<L>, FinalityError> {
    let tiers = tiers
        .into_iter()
        .map(|FinalityKey { up_to, commitment }| Tier { up_to: up_to.map(|amount| amount.0), commitment });
    Finality::new(tiers.collect())
}

/// A CAIP-2 id of namespace `solana`.
fn is_solana_network(network: &str) -> bool {
    network.strip_prefix("solana:").is_some_and(|reference| {
        reference.len() == 32 && reference.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}
