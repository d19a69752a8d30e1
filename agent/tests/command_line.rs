//! The command line, as far as it needs no chain.

#![cfg(feature = "command-line")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::{fs, path::PathBuf, process::Command};

use axum::{Json, Router, routing::post};
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, SigningKey};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use x402_escrow_agent::SessionFile;
use x402_escrow_interface::{
    Address,
    account::{Escrow, VERSION},
    address::{self, TOKEN_PROGRAM_ID},
    deployment::LOCAL_PROGRAM_ID,
    message::{Revoke, RevokeScope},
};
use x402_escrow_wire::text::{Base58, Key};

/// A folder with an owner's keypair and a session file.
struct Home {
    folder: TempDir,
    owner: SigningKey,
    session: SessionFile,
}

impl Home {
    fn new() -> Self {
        let (folder, owner) = (tempfile::tempdir().unwrap(), SigningKey::from_bytes(&[8; 32]));
        fs::write(folder.path().join("owner.json"), json!(owner.to_keypair_bytes().to_vec()).to_string())
            .unwrap();
        let key = SigningKey::from_bytes(&[9; 32]);
        let session = SessionFile {
            network: "solana:test".into(),
            program: LOCAL_PROGRAM_ID.into(),
            escrow: Base58([1; 32]),
            mint: Base58([2; 32]),
            decimals: 6,
            session_key: Base58(key.verifying_key().to_bytes()),
            incarnation: Base58([3; 32]),
            expires_at: 2_000_000_000,
            verifier: "http://127.0.0.1:1".into(),
            receivers: Vec::new(),
            secret_key: Base58(key.to_bytes()),
        };
        session.create(&folder.path().join("session.json")).unwrap();
        Self { folder, owner, session }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a command prints, or its error.
    fn run(&self, arguments: &[&str]) -> Result<Value, String> {
        let output = Command::new(env!("CARGO_BIN_EXE_agent"))
            .arg("--json")
            .args(arguments)
            .env_clear()
            .env("X402_KEYPAIR", self.file("owner.json"))
            .env("X402_SESSION", self.file("session.json"))
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let printed: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| json!({ "error": { "message": String::from_utf8_lossy(&output.stderr) } }));
        if output.status.success() {
            Ok(printed)
        } else {
            Err(printed["error"]["message"].as_str().unwrap().to_owned())
        }
    }
}

#[test]
fn an_owner_signs_a_revocation_without_a_node_and_a_changed_one_is_not_relayed() {
    let home = Home::new();
    let revocation = home.run(&["session", "revoke", "--session", "session.json", "--sign-only"]).unwrap();
    let SessionFile { program, escrow, session_key, incarnation, .. } = home.session;
    let scope = RevokeScope::Session { session_key: session_key.into(), incarnation: incarnation.0 };
    let message = Revoke::new(program.into(), escrow.into(), scope);
    let signature: Base58<64> = serde_json::from_value(revocation["signature"].clone()).unwrap();
    let revoker: Key = serde_json::from_value(revocation["revoker"].clone()).unwrap();
    assert_eq!(revoker.0, home.owner.verifying_key().to_bytes());
    let key = home.owner.verifying_key();
    key.verify_strict(&message.signed_bytes(), &Signature::from_bytes(&signature.0)).unwrap();

    let mut changed = revocation;
    changed["escrow"] = json!(Base58([9; 32]));
    fs::write(home.file("changed.json"), changed.to_string()).unwrap();
    let error = home.run(&["session", "revoke", "--relay", "changed.json"]).unwrap_err();
    assert!(error.contains("its signature is not by"), "{error}");
}

#[test]
fn the_next_nonce_of_a_session_file_can_be_seen_and_set() {
    let home = Home::new();
    let highest = |arguments: &[&str]| {
        let printed = home.run(&[&["session", "nonces"], arguments].concat()).unwrap();
        (printed["highestUsed"].clone(), printed["highestTaken"].clone())
    };
    assert_eq!(highest(&[]), (json!("0"), json!("0")));
    assert_eq!(highest(&["--next", "42"]), (json!("41"), json!("41")));
    assert_eq!(highest(&[]), (json!("41"), json!("41")));
    assert!(home.run(&["session", "nonces", "--next", "0"]).is_err());
    assert!(home.run(&["session", "nonces", "--next", "1", "--from-chain"]).is_err());
}

/// A node of a cluster with this genesis hash, which answers nothing else.
async fn node(genesis_hash: &'static str) -> String {
    let answer = async move |Json(request): Json<Value>| {
        assert_eq!(request["method"], "getGenesisHash");
        Json(json!({ "jsonrpc": "2.0", "id": request["id"], "result": genesis_hash }))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/", post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_cluster_without_the_program_an_owner_is_asked_for_its_address() {
    let home = Home::new();
    let url = node("5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp111111111111").await;
    let error = home.run(&["escrow", "status", "--rpc-url", &url]).unwrap_err();
    assert!(error.contains("name yours with --program ADDRESS"), "{error}");
    let error = home.run(&["session", "nonces", "--from-chain", "--rpc-url", &url]).unwrap_err();
    assert!(error.contains("the session is on solana:test"), "{error}");
}

/// A node that knows an escrow of the owner and its mint, and that sends no transaction.
async fn node_with_escrow(owner: &SigningKey, escrow_decimals: u8, mint_decimals: u8) -> String {
    let owner = Address::from(owner.verifying_key().to_bytes());
    let mint = Address::from([2; 32]);
    let escrow = address::escrow(&LOCAL_PROGRAM_ID, &owner, &mint);
    let accounts = [
        (escrow.to_string(), LOCAL_PROGRAM_ID, escrow_data(&owner, &mint, escrow_decimals)),
        (mint.to_string(), TOKEN_PROGRAM_ID, mint_data(mint_decimals)),
    ];
    let answer = async move |Json(request): Json<Value>| {
        let context = json!({ "slot": 1, "apiVersion": "3.0.0" });
        let account = |address: &Value| {
            let (_, owner, data) = accounts.iter().find(|(name, ..)| *address == name.as_str())?;
            Some(json!({ "data": [STANDARD.encode(data), "base64"], "owner": owner.to_string(),
                "lamports": 1, "executable": false, "rentEpoch": 0, "space": data.len() }))
        };
        let result = match request["method"].as_str().unwrap() {
            "getGenesisHash" => json!("4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z111111111111"),
            "getAccountInfo" => json!({ "context": context, "value": account(&request["params"][0]) }),
            "getLatestBlockhash" => json!({ "context": context,
                "value": { "blockhash": Base58([5; 32]), "lastValidBlockHeight": 100 } }),
            _ => {
                let error = json!({ "code": -32005, "message": "the node is behind" });
                return Json(json!({ "jsonrpc": "2.0", "id": request["id"], "error": error }));
            }
        };
        Json(json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/", post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

fn escrow_data(owner: &Address, mint: &Address, decimals: u8) -> Vec<u8> {
    let mut data = Escrow::DISCRIMINATOR.to_vec();
    data.extend([VERSION, 255, decimals, 0, 0, 0, 0, 0]);
    for address in [owner, mint, &TOKEN_PROGRAM_ID, &Address::from([6; 32]), owner, &Address::default()] {
        data.extend(address.to_bytes());
    }
    data.extend([0; 3 * 8 + 64]);
    data
}

fn mint_data(decimals: u8) -> Vec<u8> {
    let mut data = vec![0; 82];
    (data[44], data[45]) = (decimals, 1);
    data
}

fn open_session<'a>(url: &'a str, mint: &'a str) -> Vec<&'a str> {
    let program = "EscCGhKaoAfdc5duTCF8ofGLLP11LfXnV5AZdontFE3T";
    let limits = ["--max-payment", "0.50", "--max-total", "10", "--out", "new.json"];
    let node = ["--rpc-url", url, "--program", program, "--mint", mint, "--verifier", "http://127.0.0.1:1"];
    [&["session", "open"], limits.as_slice(), node.as_slice()].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_not_read_by_decimals_that_the_mint_does_not_have() {
    let home = Home::new();
    let url = node_with_escrow(&home.owner, 9, 6).await;
    let mint = Base58([2; 32]).to_string();
    let error = home.run(&open_session(&url, &mint)).unwrap_err();
    assert!(error.contains("9 decimals") && error.contains("has 6"), "{error}");
    assert!(!home.file("new.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_opening_is_not_confirmed_keeps_its_key_and_is_opened_by_the_same_command() {
    let home = Home::new();
    let url = node_with_escrow(&home.owner, 6, 6).await;
    let mint = Base58([2; 32]).to_string();
    let error = home.run(&open_session(&url, &mint)).unwrap_err();
    assert!(error.contains("Opening the session failed"), "{error}");
    let written = fs::read_to_string(home.file("new.json")).unwrap();
    let key: Value = serde_json::from_str(&written).unwrap();
    assert!(error.contains("new.json"), "{error}");

    // Nobody pays with it before it is open, and the same command goes on with the same key.
    let error = home.run(&["purchase", "list", "--session", "new.json"]).unwrap_err();
    assert!(error.contains("same agent session open"), "{error}");
    home.run(&open_session(&url, &mint)).unwrap_err();
    let again: Value = serde_json::from_str(&fs::read_to_string(home.file("new.json")).unwrap()).unwrap();
    assert_eq!(again["secretKey"], key["secretKey"]);
    let receiver = Base58([7; 32]).to_string();
    let other = [open_session(&url, &mint), vec!["--receiver", &receiver]].concat();
    let error = home.run(&other).unwrap_err();
    assert!(error.contains("name another file"), "{error}");
}
