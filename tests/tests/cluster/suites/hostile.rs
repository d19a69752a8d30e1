//! `hostile-facilitator`: settlements that happened and are not told, or told wrongly. Both agents buy through both
//! merchants, and pay once.

use std::{fs, path::Path};

use serde_json::Value;
use solana_sdk::signature::Signer;
use x402_escrow_tests::local::{Merchant, binary};

use super::{Script, conformance, run, said};
use crate::{
    shop::Shop,
    standard_clients::{in_clients, python},
    typescript::express::{Express, built},
};

/// What a report costs, in base units.
const REPORT: u64 = 250_000;

/// How long the suite takes a client to wait, in seconds.
const CLIENT_TIMEOUT: &str = "2";

#[test]
fn a_hostile_facilitator_has_nobody_pay_twice() {
    let shop = Shop::open();
    let folder = shop.local.folder();
    let adapter = Script::start(&shop.local, "hostile.py", &shop.verifier.url);
    let merchant = Merchant::start_through(&shop.local, &adapter.url, "hostile-shop").unwrap();
    let express = Express::start_behind(&shop, "examples/server.js", &adapter.url);
    let suite = conformance::unpack(folder);
    conformance::assert_asks_rightly(&suite, &[&express.url("/report")]);

    let session = shop.owner.open_session("hostile").unwrap();
    let mut content: Value = serde_json::from_slice(&fs::read(&session).unwrap()).unwrap();
    content["verifier"] = adapter.url.clone().into();
    fs::write(&session, content.to_string()).unwrap();
    let session = session.display().to_string();

    let agent = binary("agent").unwrap().display().to_string();
    let report = format!("{}/report?topic=wheat", merchant.url);
    let fetch =
        [agent.as_str(), "fetch", &report, "--key", "KEY", "--max-amount", "0.25", "--session", &session];
    let lookup = [agent.as_str(), "purchase", "lookup", "KEY", "--session", &session];
    let purchases = battery(folder, &adapter, &[fetch.as_slice(), &["--"], &lookup].concat(), &session);
    let earned = || shop.local.chain.tokens(&merchant.key.pubkey(), &shop.local.mint).unwrap();
    assert!(earned() <= purchases * REPORT, "{}", earned());

    let script = built("examples/purchase.js").display().to_string();
    let report = express.url("/report");
    let buy = ["node", &script, "buy", "KEY", &report];
    let lookup = ["node", &script, "lookup", "KEY"];
    let purchases = battery(folder, &adapter, &[buy.as_slice(), &["--"], &lookup].concat(), &session);
    assert!(express.earned(&shop) <= purchases * REPORT, "{}", express.earned(&shop));
}

/// Has the suite run a purchase in each of its modes, and returns how many there are. Fails unless each is paid once and,
/// where the answer was lost, found out about.
#[track_caller]
fn battery(folder: &Path, adapter: &Script, purchase: &[&str], session: &str) -> u64 {
    let out = folder.join("battery.json").display().to_string();
    let [python, buy_once] = [python(), in_clients("buy_once.py")].map(|path| path.display().to_string());
    let command = ["test", "--client-timeout", CLIENT_TIMEOUT, "--json", &out, "--", "env"];
    let session = format!("X402_SESSION={session}");
    let run_once = [session.as_str(), &python, &buy_once, &adapter.url];
    let tested = run("hostile_facilitator.cli", folder, &[command.as_slice(), &run_once, purchase].concat());
    let report: Value = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
    assert_eq!(report["summary"]["verdict"], "PASS", "{}\n{:#}", said(&tested), report["results"]);
    let modes = report["results"].as_array().unwrap();
    assert!(modes.iter().all(|mode| mode["distinct"] == 1), "{modes:#?}");
    modes.len().try_into().unwrap()
}
