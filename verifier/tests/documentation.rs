//! `docs/http-api.md` lists every error code and every key of the configuration; `docs/costs.md` says what the defaults
//! allow.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::{ffi::OsString, fs, os::unix::fs::PermissionsExt, path::Path};

use solana_sdk::signer::keypair::Keypair;
use x402_escrow_domain::{
    budget::{self, Limit},
    cluster::Consensus,
    policy::Defaults,
    priority_fee,
};
use x402_escrow_verifier::config::{self, Config, KEYS};
use x402_escrow_wire::{auth_capture::Level, error_code::ErrorCode};

fn page() -> String {
    read("http-api.md")
}

fn read(page: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page)).unwrap()
}

/// What holds where nothing is configured.
fn defaults() -> Config {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.json");
    fs::write(&key, format!("{:?}", Keypair::new_from_array([1; 32]).to_bytes().to_vec())).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let variables = [("X402_RPC_URL", "http://127.0.0.1:1"), ("X402_FEE_PAYER", key.to_str().unwrap())];
    config::read(None, variables.map(|(name, value)| (OsString::from(name), OsString::from(value)))).unwrap()
}

#[test]
fn every_error_code_is_listed() {
    let page = page();
    for code in ErrorCode::ALL {
        let listed = code.as_str().replace("invalid_auth_capture_svm_", "…_");
        assert!(page.contains(&format!("| `{listed}` |")), "{code} is not in docs/http-api.md");
    }
}

#[test]
fn every_key_of_the_configuration_is_listed() {
    let page = page();
    for key in KEYS {
        assert!(page.contains(&format!("| `{key}` |")), "{key} is not in docs/http-api.md");
    }
}

#[test]
fn the_tables_of_levels_are_the_defaults() {
    let page = page();
    for (consensus, name) in [(Consensus::Alpenglow, "Alpenglow"), (Consensus::TowerBft, "TowerBFT")] {
        let start = page.find(&format!("| under {name}, rests on")).unwrap();
        let table = page[start..].split("\n\n").next().unwrap();
        let levels = Defaults::of(consensus);
        let on_balance = rows(levels.on_balance.tiers().map(|tier| (tier.up_to, tier.commitment.into())));
        let on_confirmed = rows(levels.on_confirmed_hold.tiers().map(|tier| (tier.up_to, tier.commitment)));
        let on_finalized = rows(levels.on_finalized_hold.tiers().map(|tier| (tier.up_to, tier.commitment)));
        let lasting = format!("| any | `{}` |", levels.lasting.as_str());
        let told: Vec<_> = table.lines().skip(2).collect();
        let mut expected = on_balance;
        // One row where a processed and a confirmed hold bear the same.
        if on_confirmed != [lasting.clone()] {
            expected.push(lasting);
        }
        expected.extend(on_confirmed);
        expected.extend(on_finalized);
        assert_eq!(told.len(), expected.len(), "{table}");
        for (told, expected) in told.iter().zip(&expected) {
            assert!(told.contains(expected), "{told} is not {expected}");
        }
    }
}

fn rows(tiers: impl Iterator<Item = (Option<u64>, Level)>) -> Vec<String> {
    let tiers: Vec<_> = tiers.collect();
    let amount = |up_to: Option<u64>| match up_to {
        Some(up_to) => format!("up to {} USDC", up_to / 1_000_000),
        None if tiers.len() == 1 => "any".to_owned(),
        None => "above".to_owned(),
    };
    tiers.iter().map(|(up_to, level)| format!("| {} | `{}` |", amount(*up_to), level.as_str())).collect()
}

#[test]
fn the_page_on_costs_says_what_the_defaults_allow() {
    let (page, config) = (read("costs.md"), defaults());
    let budgets = config.settings.budgets;
    let prices = &config.settings.compute_unit_prices_micro_lamports;
    let most = *prices.end();
    let sol = |lamports: u64| lamports as f64 / 1e9;
    let row = |caller: &str, fees: Limit, rent: Limit| {
        let [one, two, three, four] = [fees.hour, fees.day, rent.hour, rent.day].map(sol);
        format!("| {caller} | {one} | {two} | {three} | {four} |")
    };
    let lamports = |what: &str, lamports: u64| format!("| {what} | {lamports} |");
    let always = config.policies.otherwise.exact_fee_bounds.priority_fee_lamports;
    let busy = priority_fee::transfer_maximum(Some(vec![u64::MAX]), prices, always);
    for line in [
        row("a stranger who signs nothing", Limit::default(), Limit::default()),
        row("one payer of holds", budgets.fees.payer, budgets.rent.payer),
        row("one client of `exact`", budgets.fees.payer, Limit::default()),
        row("one receiver, with all who pay it", budgets.fees.receiver, budgets.rent.receiver),
        row("everybody together", budgets.fees.overall, budgets.rent.overall),
        lamports("a hold: its authorization and the transaction that ends it", budget::hold(most, 0).fees),
        lamports("a charge: its one transaction", budget::charge(most).fees),
        lamports("a transfer of `exact`, while blocks are not full", budget::transfer(always).fees),
        lamports("a transfer of `exact`, while they are", budget::transfer(busy).fees),
        lamports("a refund", budget::refund(priority_fee::fixed_price(prices)).fees),
        lamports("a capture besides the one that is charged with its hold", budget::capture(most).fees),
        lamports("a revocation that is relayed", budget::revocation(most).fees),
    ] {
        assert!(page.contains(&line), "docs/costs.md has not: {line}");
    }
}
