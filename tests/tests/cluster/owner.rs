//! An owner walks through everything its command line does, and the books are right at every step.

use std::{fs, process::Command, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_sdk::signature::{Keypair, Signer};
use solana_system_interface::instruction::create_nonce_account;
use x402_escrow_agent::SessionFile;
use x402_escrow_interface::{Address, address};
use x402_escrow_tests::{
    local::{Agent, Local, ONE_TOKEN, Verifier, binary},
    program_id,
};

use crate::shop::{DEPOSIT, Shop, turn};

/// What went wrong: the code.
fn refused(agent: &Agent, arguments: &[&str]) -> Value {
    agent.fail(arguments).unwrap()["error"].clone()
}

#[test]
fn an_owner_sees_changes_and_closes_what_it_opened() {
    // Such a merchant closes no stream, however long the owner takes.
    let shop = Shop::open_with(&[], &["--one-of-several"]);
    let (owner, chain) = (&shop.owner, &shop.local.chain);
    let (payer, mint) = (shop.owner_key.pubkey(), shop.local.mint);
    let key = shop.session.session_key.to_string();
    let of_key = ["--session-key", key.as_str()];

    let listed = owner.run(&["escrow", "list"]).unwrap();
    assert_eq!(listed["escrows"][0]["mint"], mint.to_string());

    // A plain transfer arrives with the next deposit.
    let vault = listed["escrows"][0]["vault"].as_str().unwrap().to_owned();
    let escrow = address::escrow(&program_id(), &payer, &mint);
    chain.give_tokens(&escrow, &mint, 77).unwrap();
    chain.give_tokens(&payer, &mint, ONE_TOKEN).unwrap();
    let deposited = owner.run(&["escrow", "deposit", "1"]).unwrap();
    assert_eq!(deposited["balance"], (DEPOSIT + ONE_TOKEN + 77).to_string());
    assert_eq!((&deposited["vault"], &deposited["uncredited"]), (&json!(vault), &json!("0")));
    chain.give_tokens(&escrow, &mint, 23).unwrap();
    let synced = owner.run(&["escrow", "sync"]).unwrap();
    assert_eq!(synced["balance"], (DEPOSIT + ONE_TOKEN + 100).to_string());

    // What the agent bought is in the list and in the history.
    shop.agent.run(&["fetch", &shop.url("/report?topic=wheat"), "--max-amount", "0.25"]).unwrap();
    let session = owner.run(&["session", "list"]).unwrap()["sessions"][0].clone();
    assert_eq!(
        json!([session["state"], session["spent"], session["left"]]),
        json!(["open", "250000", "4750000"])
    );
    assert_eq!((&session["period"]["left"], &session["holds"]), (&json!("750000"), &json!([])));
    let history = owner.run(&[["session", "history"], of_key].concat()).unwrap();
    let events: Vec<Value> = history["transactions"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|transaction| transaction["events"].as_array().unwrap())
        .map(|event| json!([event["event"], event["amount"]]))
        .collect();
    assert_eq!(json!(events), json!([["charged", "250000"], ["session_opened", null]]));

    // The list of receivers is checked by the program from now on; the file says who is in it.
    let file = shop.local.folder().join("session.json").display().to_string();
    let receiver = shop.merchant.key.pubkey().to_string();
    let update =
        ["session", "update", "--session", &file, "--max-total", "2", "--receiver", &receiver, "--no-period"];
    let updated = owner.run(&update).unwrap();
    assert_eq!(json!([updated["maximumTotal"], updated["period"]]), json!(["2000000", null]));
    assert_eq!(SessionFile::read(file.as_ref()).unwrap().receivers.len(), 1);
    shop.agent.run(&["fetch", &shop.url("/report?topic=rye"), "--max-amount", "0.25"]).unwrap();

    // A stream's hold prevents the closing, and says until when.
    shop.agent.run_lines(&["fetch", &shop.url("/ticks?symbol=SOL"), "--stream", "0.25"]).unwrap();
    shop.wait_until_held(250_000);
    let prevented = refused(owner, &[["session", "close"], of_key].concat());
    assert_eq!(json!([prevented["code"], prevented["retry"]]), json!(["session_has_holds", true]));
    let session = owner.run(&[["session", "show"], of_key].concat()).unwrap();
    assert_eq!(
        (&session["holds"][0]["captureDeadline"], &session["held"]),
        (&prevented["until"], &json!("250000"))
    );
    let escrow_has = refused(owner, &["escrow", "close"]);
    assert_eq!(escrow_has["code"], "escrow_has_sessions");
    let reclaimed = owner.run(&["escrow", "reclaim"]).unwrap();
    assert_eq!(json!([reclaimed["holds"], reclaimed["stillHeld"]]), json!([0, "250000"]));

    // The guardian stops it without SOL, through the verifier.
    let (guardian, guardian_file) = shop.local.key_file("guardian").unwrap();
    owner.run(&["escrow", "guardian", "set", &guardian.pubkey().to_string()]).unwrap();
    let by_guardian = Agent::owner(&shop.local, &guardian_file, &shop.verifier);
    let through = ["session", "revoke", "--session", &file, "--through", &shop.verifier.url];
    let revoked = by_guardian.run(&through).unwrap();
    assert!(revoked["transaction"].is_string(), "{revoked}");
    let session = owner.run(&[["session", "show"], of_key].concat()).unwrap();
    assert_eq!(session["state"], "revoked");
    assert_eq!(by_guardian.run(&through).unwrap()["transaction"], Value::Null);
    let again = refused(owner, &["session", "update", "--session", &file, "--max-total", "3"]);
    assert_eq!(again["code"], "session_revoked");
}

#[test]
fn an_owner_opens_a_hundred_sessions_from_one_file_and_closes_them_all() {
    let (cluster, _turn) = turn();
    let local = cluster.beside().unwrap();
    let verifier = Verifier::start(&local).unwrap();
    let (owner, _key) = owner_with_escrow(&local, &verifier);
    let rows: String = (0..100).map(|number| format!("agent-{number},0.5,{}\n", 1 + number)).collect();
    fs::write(local.folder().join("all.csv"), format!("name,max-payment,max-total\n{rows}")).unwrap();
    fs::create_dir(local.folder().join("sessions")).unwrap();
    let open = ["session", "open-many", "--file", "all.csv", "--out", "sessions"];
    let opened = owner.run(&open).unwrap();
    assert_eq!((&opened["opened"], &opened["transactions"].as_array().unwrap().len()), (&json!(100), &17));

    // It stopped halfway: a file was not completed, and another was never written.
    let path = |number: u8| local.folder().join(format!("sessions/agent-{number}.json"));
    let mut file: Value = serde_json::from_str(&fs::read_to_string(path(7)).unwrap()).unwrap();
    let incarnation = file["incarnation"].clone();
    file["incarnation"] = json!("11111111111111111111111111111111");
    fs::write(path(7), file.to_string()).unwrap();
    fs::remove_file(path(8)).unwrap();
    let opened = owner.run(&open).unwrap();
    assert_eq!(json!([opened["opened"], opened["openBefore"]]), json!([1, 99]));
    let file: Value = serde_json::from_str(&fs::read_to_string(path(7)).unwrap()).unwrap();
    assert_eq!(file["incarnation"], incarnation);
    assert_eq!(SessionFile::read(&path(8)).unwrap().decimals, 6);

    let sessions = owner.run(&["session", "list"]).unwrap()["sessions"].clone();
    assert_eq!(sessions.as_array().unwrap().len(), 101);
    let closed = owner.run(&["session", "close", "--all"]).unwrap();
    assert_eq!(closed["closed"].as_array().unwrap().len(), 101);
    owner.run(&["escrow", "close"]).unwrap();
}

#[test]
fn what_cannot_work_is_said_before_anything_is_sent() {
    let (cluster, _turn) = turn();
    let local = cluster.beside().unwrap();
    let verifier = Verifier::start(&local).unwrap();
    let (owner, key) = owner_with_escrow(&local, &verifier);
    let lamports = || local.chain.lamports(&key).unwrap();
    let before = lamports();
    let code = |arguments: &[&str]| refused(&owner, arguments)["code"].clone();

    let nowhere = ["escrow", "open", "--program", "11111111111111111111111111111112"];
    assert_eq!(code(&nowhere), "program_missing");
    assert_eq!(code(&["escrow", "open"]), "escrow_exists");
    assert_eq!(code(&["escrow", "deposit", "1000"]), "insufficient_funds");
    let (_, poor) = local.key_file("poor").unwrap();
    let poor = Agent::owner(&local, &poor, &verifier);
    assert_eq!(refused(&poor, &["escrow", "open"])["code"], "insufficient_sol");

    // Tried and not sent, and printed for a multisig that has no keypair file here.
    let limits = ["session", "open", "--max-payment", "1", "--max-total", "1", "--out", "tried.json"];
    let tried = owner.run(&[limits.as_slice(), &["--dry-run"]].concat()).unwrap();
    assert_eq!(tried["state"], "tried");
    let address = key.to_string();
    let dump = [limits.as_slice(), &["--keypair", &address, "--dump-transaction"]].concat();
    let dumped = owner.run(&dump).unwrap();
    assert_eq!(dumped["signers"], json!([address]));
    assert_eq!(
        (lamports(), owner.run(&["session", "list"]).unwrap()["sessions"].clone()),
        (before, json!([]))
    );

    // The same command opens what was dumped, with the key that is on disk.
    let opened = owner.run(&limits).unwrap();
    let rent: u64 = opened["rentLamports"].as_str().unwrap().parse().unwrap();
    let fee: u64 = opened["feeLamports"].as_str().unwrap().parse().unwrap();
    local
        .chain
        .wait_until("the fee to be paid", Duration::from_secs(60), || Ok(lamports() == before - rent - fee))
        .unwrap();
}

#[test]
fn another_signer_pays_fees_and_rent_and_gets_the_rent_back() {
    const LAMPORTS: u64 = 1_000_000_000;
    const SIGNATURE_FEE: u64 = 5_000;
    let (cluster, _turn) = turn();
    let local = cluster.beside().unwrap();
    let verifier = Verifier::start(&local).unwrap();
    let (key, file) = local.key_file("owner").unwrap();
    let (sponsor, sponsor_file) = local.key_file("sponsor").unwrap();
    local.chain.give_sol(&sponsor.pubkey(), LAMPORTS).unwrap();
    local.chain.give_tokens(&key.pubkey(), &local.mint, ONE_TOKEN).unwrap();
    let owner = Agent::owner(&local, &file, &verifier);
    let poor = refused(&owner, &["escrow", "open"]);
    assert_eq!(json!([poor["code"], poor["field"]]), json!(["insufficient_sol", "--keypair"]));
    assert!(poor["remedy"].as_str().unwrap().contains("--fee-payer"), "{poor}");

    let sponsor_file = sponsor_file.display().to_string();
    let commands = [
        "escrow open --amount 1",
        "session open --max-payment 1 --max-total 1 --out sponsored.json",
        "session close --session sponsored.json",
        "escrow close",
    ];
    for command in commands {
        let mut arguments: Vec<&str> = command.split(' ').collect();
        arguments.extend(["--fee-payer", &sponsor_file]);
        owner.run(&arguments).unwrap();
        // A session can't be closed in the slot that it was opened in.
        let slot = local.chain.slot().unwrap();
        let is_over = || Ok(local.chain.slot()? > slot + 3);
        local.chain.wait_until("other slots", Duration::from_secs(30), is_over).unwrap();
    }
    let fees = 4 * 2 * SIGNATURE_FEE;
    let lamports = |key: &Keypair| local.chain.lamports(&key.pubkey());
    let is_back = || Ok(lamports(&sponsor)? == LAMPORTS - fees && lamports(&key)? == 0);
    local.chain.wait_until("all but the fees to be back", Duration::from_secs(60), is_back).unwrap();
    assert_eq!(local.chain.tokens(&key.pubkey(), &local.mint).unwrap(), ONE_TOKEN);
}

#[test]
fn a_transaction_with_a_nonce_lands_when_others_have_signed_it() {
    let (cluster, _turn) = turn();
    let local = cluster.beside().unwrap();
    let verifier = Verifier::start(&local).unwrap();
    let (multisig, stranger) = (Keypair::new(), Keypair::new());
    local.chain.give_sol(&multisig.pubkey(), 1_000_000_000).unwrap();
    let faucet = local.chain.faucet.pubkey();
    let nonces = [&multisig, &stranger].map(|authority| {
        let nonce = Keypair::new();
        let create = create_nonce_account(&faucet, &nonce.pubkey(), &authority.pubkey(), 10_000_000);
        local.chain.send(&create, &[&nonce]).unwrap();
        nonce.pubkey().to_string()
    });
    // A nonce can be used from the next block on.
    local.chain.wait_until_final().unwrap();

    let address = multisig.pubkey().to_string();
    let (_, file) = local.key_file("anybody").unwrap();
    let owner = Agent::owner(&local, &file, &verifier);
    let open = ["escrow", "open", "--keypair", &address];
    let refusal = refused(&owner, &[&open[..], &["--nonce", &nonces[1]]].concat());
    assert_eq!(refusal["field"], "--nonce", "{refusal}");
    let refusal = refused(&owner, &[&open[..], &["--dump-transaction", "--nonce", &address]].concat());
    assert_eq!(refusal["field"], "--nonce", "{refusal}");

    let dump = [&open[..], &["--dump-transaction", "--nonce", &nonces[0]]].concat();
    let dumped = owner.run(&dump).unwrap();
    assert_eq!(json!([dumped["signers"], dumped["nonceAuthority"]]), json!([[address], address]));
    let mut transaction = BASE64_STANDARD.decode(dumped["transaction"].as_str().unwrap()).unwrap();
    // One signature, and the message.
    let signature = multisig.sign_message(&transaction[65..]);
    transaction[1..65].copy_from_slice(signature.as_ref());
    let request = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "sendTransaction",
        "params": [BASE64_STANDARD.encode(transaction), { "encoding": "base64" }],
    });
    let node = reqwest::blocking::Client::new().post(local.rpc_url());
    let sent: Value = node.json(&request).send().unwrap().json().unwrap();
    assert_eq!(sent["result"], signature.to_string(), "{sent}");
    let is_open = || Ok(local.chain.escrow(&multisig.pubkey(), &local.mint).is_ok());
    local.chain.wait_until("the escrow to be open", Duration::from_secs(30), is_open).unwrap();
}

#[test]
fn node_and_signer_are_by_default_those_of_solanas_command_line() {
    let (cluster, _turn) = turn();
    let local = cluster.beside().unwrap();
    let (key, file) = local.key_file("usual").unwrap();
    let home = local.folder().join("home");
    let folder = home.join(".config/solana/cli");
    fs::create_dir_all(&folder).unwrap();
    let (url, file) = (local.rpc_url(), file.display());
    let text = format!(
        "---\njson_rpc_url: {url}\nwebsocket_url: ''\nkeypair_path: {file}\naddress_labels: {{}}\n\
         commitment: confirmed\n"
    );
    fs::write(folder.join("config.yml"), text).unwrap();
    let mut agent = Command::new(binary("agent").unwrap());
    agent.env_clear().env("HOME", &home).env("X402_PROGRAM", program_id().to_string());
    let output = agent.args(["--json", "escrow", "list"]).output().unwrap();
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(listed, json!({ "payer": key.pubkey().to_string(), "escrows": [] }));
}

/// An owner with an escrow of nothing.
fn owner_with_escrow(local: &Local, verifier: &Verifier) -> (Agent, Address) {
    let (key, file) = local.key_file("owner").unwrap();
    local.chain.give_sol(&key.pubkey(), 1_000_000_000).unwrap();
    let owner = Agent::owner(local, &file, verifier);
    owner.run(&["escrow", "open"]).unwrap();
    (owner, key.pubkey())
}
