//! `x402-conformance`: what a facilitator offers (S), how a server asks for a payment (P), and what a facilitator makes of
//! payments (F).

use std::{
    fs,
    os::unix,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client::rpc_client::RpcClient;
use solana_sdk::signature::{Keypair, Signer, write_keypair_file};
use x402_escrow_interface::address::{TOKEN_PROGRAM_ID, associated_token};
use x402_escrow_tests::local::{Local, Merchant, ONE_TOKEN, Verifier};

use super::{Script, run, said};
use crate::{
    shop::turn,
    standard_clients::{DEVNET, in_clients, python},
};

#[test]
fn the_verifier_and_a_merchant_pass_x402_conformance() {
    let (cluster, _turn) = turn();
    let local = cluster.beside().unwrap();
    let settings = [("X402_NETWORK", DEVNET), ("X402_EXACT_MEMO_ONCE", "true")];
    let verifier = Verifier::start_with(&local, &settings).unwrap();
    let suite = unpack(local.folder());

    let offered = run("x402conf", &suite, &["live", &verifier.url, "--fail-on-error"]);
    assert!(offered.status.success(), "{}", said(&offered));

    let merchant = Merchant::start(&local, &verifier, "shop").unwrap();
    let paid = ["/report", "/metered", "/ticks"].map(|path| format!("{}{path}", merchant.url));
    assert_asks_rightly(&suite, &paid.each_ref().map(String::as_str));

    let keys = keys(&local, &verifier);
    let node = Script::start(&local, "as_devnet.py", local.rpc_url());
    let keys = keys.display().to_string();
    let settled = run(
        "x402conf",
        &suite,
        &["devnet", "--facilitator", &verifier.url, "--rpc", &node.url, "--keys", &keys],
    );
    let report: Value =
        serde_json::from_slice(&settled.stdout).unwrap_or_else(|_| panic!("{}", said(&settled)));
    let checks = report["results"]["facilitator"]["checks"].as_array().unwrap();
    let failed: Vec<_> = checks.iter().filter(|check| check["pass"] != true).collect();
    assert!(settled.status.success() && failed.is_empty(), "{failed:#?}");
    assert_eq!(checks.len(), 6, "F1 to F6: {checks:#?}");
}

/// Fails unless a server's answers to requests without a payment pass P1 to P7.
#[track_caller]
pub(super) fn assert_asks_rightly(suite: &Path, urls: &[&str]) {
    let asked = run("x402conf", suite, &[["resource", "--fail-on-error"].as_slice(), urls].concat());
    assert!(asked.status.success(), "{}", said(&asked));
    let report: Value = serde_json::from_slice(&asked.stdout).unwrap();
    let checks =
        report["results"].as_array().unwrap().iter().flat_map(|server| server["checks"].as_array().unwrap());
    // Warnings too.
    let failed: Vec<_> = checks.filter(|check| check["pass"] != true).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Copies the suite to where its payer finds the packages of npm, and its keys are not in what it takes for its repository,
/// four folders above the payer.
pub(super) fn unpack(folder: &Path) -> PathBuf {
    let find = "import os, x402conf; print(os.path.dirname(x402conf.__file__))";
    let found = Command::new(python()).args(["-c", find]).output().unwrap();
    let installed = String::from_utf8(found.stdout).unwrap();
    let suite = folder.join("suite/src");
    copy(Path::new(installed.trim()), &suite.join("x402conf"));
    unix::fs::symlink(in_clients("node_modules"), suite.join("x402conf/devnet/node/node_modules")).unwrap();
    suite
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// What the suite's setup would make: a payer with tokens and a receiver with an account for them.
fn keys(local: &Local, verifier: &Verifier) -> PathBuf {
    let folder = local.folder().join("keys");
    fs::create_dir(&folder).unwrap();
    let [client, receiver] = [Keypair::new(), Keypair::new()];
    write_keypair_file(&client, folder.join("client.json")).unwrap();
    local.chain.give_tokens(&client.pubkey(), &local.mint, ONE_TOKEN).unwrap();
    local.chain.give_tokens(&receiver.pubkey(), &local.mint, 0).unwrap();
    let account = |owner| associated_token(&owner, &local.mint, &TOKEN_PROGRAM_ID);
    // The suite asks for what is final.
    let node = RpcClient::new_with_commitment(local.rpc_url().to_owned(), CommitmentConfig::finalized());
    let is_final = || Ok(node.get_account(&account(receiver.pubkey())).is_ok());
    local.chain.wait_until("the receiver's account to be final", Duration::from_secs(60), is_final).unwrap();
    let state = json!({
        "network": DEVNET,
        "mint": local.mint.to_string(),
        "decimals": 6,
        "feePayer": verifier.fee_payer.to_string(),
        "payer": client.pubkey().to_string(),
        "payTo": receiver.pubkey().to_string(),
        "payerAta": account(client.pubkey()).to_string(),
        "payToAta": account(receiver.pubkey()).to_string(),
        "setupTx": "",
    });
    fs::write(folder.join("devnet-state.json"), state.to_string()).unwrap();
    folder
}
