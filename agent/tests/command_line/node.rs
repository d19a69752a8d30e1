//! A node of a cluster that a test makes up, and a verifier at the same address. Transactions are tried and not taken.

use std::collections::HashMap;

use axum::{
    Json, Router,
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use x402_escrow_interface::{
    Address,
    account::{Escrow, Hold, Session, VERSION},
    address::{self, TOKEN_PROGRAM_ID},
    deployment::LOCAL_PROGRAM_ID,
    replay_window::WINDOW_WORDS,
};
use x402_escrow_wire::text::Base58;

/// By the cluster's clock.
pub(crate) const NOW: i64 = 1_900_000_000;

/// Of a cluster where the escrow program is.
const GENESIS_HASH: &str = "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z111111111111";

struct Account {
    owner: Address,
    data: Vec<u8>,
    executable: bool,
}

/// What the node knows.
pub(crate) struct Node {
    pub(crate) genesis_hash: &'static str,
    pub(crate) lamports: u64,
    accounts: HashMap<String, Account>,
}

pub(crate) const MINT: Address = Address::new_from_array([2; 32]);

impl Node {
    /// A cluster with the program and a mint.
    pub(crate) fn new() -> Self {
        let mut node = Self { genesis_hash: GENESIS_HASH, lamports: 1_000_000_000, accounts: HashMap::new() };
        node.put(&LOCAL_PROGRAM_ID, TOKEN_PROGRAM_ID, Vec::new(), true);
        node.mint(6);
        let clock = "SysvarC1ock11111111111111111111111111111111".parse().unwrap();
        let data = [[0; 32].as_slice(), &NOW.to_le_bytes()].concat();
        node.put(&clock, TOKEN_PROGRAM_ID, data, false);
        node
    }

    fn put(&mut self, address: &Address, owner: Address, data: Vec<u8>, executable: bool) {
        self.accounts.insert(address.to_string(), Account { owner, data, executable });
    }

    pub(crate) fn remove(&mut self, address: &Address) {
        self.accounts.remove(&address.to_string());
    }

    pub(crate) fn mint(&mut self, decimals: u8) {
        let mut data = vec![0; 82];
        (data[44], data[45]) = (decimals, 1);
        self.put(&MINT, TOKEN_PROGRAM_ID, data, false);
    }

    pub(crate) fn escrow(&mut self, escrow: &Escrow) -> Address {
        let address = address::escrow(&LOCAL_PROGRAM_ID, &escrow.payer, &escrow.mint);
        self.put(&address, LOCAL_PROGRAM_ID, with(Escrow::DISCRIMINATOR, escrow), false);
        address
    }

    pub(crate) fn session(&mut self, session: &Session) -> Address {
        let address = address::session(&LOCAL_PROGRAM_ID, &session.escrow, &session.session_key);
        self.put(&address, LOCAL_PROGRAM_ID, with(Session::DISCRIMINATOR, session), false);
        address
    }

    pub(crate) fn hold(&mut self, hold: &Hold, nonce: u64) {
        let address = address::hold(&LOCAL_PROGRAM_ID, &hold.session, nonce);
        self.put(&address, LOCAL_PROGRAM_ID, with(Hold::DISCRIMINATOR, hold), false);
    }

    /// Answers from now on; returns the URL.
    pub(crate) async fn start(self) -> String {
        let node = std::sync::Arc::new(self);
        let verifier = std::sync::Arc::clone(&node);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = async move |Json(request): Json<Value>| Json(node.answer(&request));
        let supported = async move || Json(verifier.supported());
        let router = Router::new().route("/", post(answer)).route("/supported", get(supported));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        url
    }

    fn supported(&self) -> Value {
        let network = x402_escrow_wire::network_id(self.genesis_hash);
        let program = Base58(LOCAL_PROGRAM_ID.to_bytes());
        let extra = json!({ "program": program, "tokens": { MINT.to_string(): { "minimum": "1" } } });
        json!({ "kinds": [{ "x402Version": 2, "scheme": "auth-capture", "network": network, "extra": extra }],
            "extensions": [], "signers": {} })
    }

    fn answer(&self, request: &Value) -> Value {
        let (context, parameters) = (json!({ "slot": 9, "apiVersion": "4.2.2" }), &request["params"]);
        let value = |value: Value| json!({ "context": context, "value": value });
        let result = match request["method"].as_str().unwrap() {
            "getGenesisHash" => json!(self.genesis_hash),
            "getSlot" => json!(9),
            "getAccountInfo" => value(self.account(&parameters[0])),
            "getMultipleAccounts" => {
                let addresses = parameters[0].as_array().unwrap();
                value(addresses.iter().map(|address| self.account(address)).collect())
            }
            "getProgramAccounts" => self.of_program(parameters),
            "getBalance" => value(json!(self.lamports)),
            "getMinimumBalanceForRentExemption" => json!((parameters[0].as_u64().unwrap() + 128) * 6960),
            "getLatestBlockhash" => {
                value(json!({ "blockhash": Base58([5; 32]), "lastValidBlockHeight": 100 }))
            }
            "getFeeForMessage" => value(json!(5000)),
            "simulateTransaction" => value(json!({ "err": null, "logs": [], "unitsConsumed": 1 })),
            _ => {
                let error = json!({ "code": -32005, "message": "the node is behind" });
                return json!({ "jsonrpc": "2.0", "id": request["id"], "error": error });
            }
        };
        json!({ "jsonrpc": "2.0", "id": request["id"], "result": result })
    }

    fn account(&self, address: &Value) -> Value {
        let account = address.as_str().and_then(|address| self.accounts.get(address));
        account.map_or(Value::Null, shown)
    }

    /// The program's accounts that all filters fit.
    fn of_program(&self, parameters: &Value) -> Value {
        let filters = parameters[1]["filters"].as_array().unwrap();
        let fits = |account: &Account| {
            filters.iter().all(|filter| {
                let filter = &filter["memcmp"];
                let bytes = STANDARD.decode(filter["bytes"].as_str().unwrap()).unwrap();
                let offset = usize::try_from(filter["offset"].as_u64().unwrap()).unwrap();
                account.data.get(offset..).is_some_and(|data| data.starts_with(&bytes))
            })
        };
        let found =
            self.accounts.iter().filter(|(_, account)| account.owner == LOCAL_PROGRAM_ID && fits(account));
        found.map(|(address, account)| json!({ "pubkey": address, "account": shown(account) })).collect()
    }
}

fn shown(account: &Account) -> Value {
    json!({ "data": [STANDARD.encode(&account.data), "base64"], "owner": account.owner.to_string(),
        "lamports": 1, "executable": account.executable, "rentEpoch": 0, "space": account.data.len() })
}

fn with(discriminator: [u8; 8], account: &impl borsh::BorshSerialize) -> Vec<u8> {
    let mut data = discriminator.to_vec();
    account.serialize(&mut data).unwrap();
    data
}

/// An escrow of the test's mint, with 100 of which 3 are held.
pub(crate) fn escrow(payer: Address, decimals: u8) -> Escrow {
    Escrow {
        version: VERSION,
        bump: 255,
        decimals,
        padding: 0,
        open_sessions: 0,
        payer,
        mint: MINT,
        token_program: TOKEN_PROGRAM_ID,
        vault: Address::new_from_array([6; 32]),
        rent_payer: payer,
        guardian: Address::default(),
        balance: 100_000_000,
        held: 3_000_000,
        revoked_before_slot: 0,
        spare: [0; 64],
    }
}

/// A session of 0.5 a payment, 10 in total, and 1 an hour, of which it spent 4 and 0.75.
pub(crate) fn session(escrow: Address, session_key: Address) -> Session {
    Session {
        version: VERSION,
        revoked: 0,
        padding: [0; 2],
        open_holds: 0,
        escrow,
        session_key,
        rent_payer: escrow,
        receivers_root: [0; 32],
        incarnation: [3; 32],
        opened_slot: 5,
        periods_since: NOW - 3600,
        first_period: 7,
        expires_at: NOW + 1000,
        maximum_payment: 500_000,
        maximum_total: 10_000_000,
        maximum_per_period: 1_000_000,
        period_seconds: 3600,
        spent: 4_000_000,
        period_spent: 750_000,
        period_index: 8,
        highest_nonce: 1,
        used_nonces: [0; WINDOW_WORDS],
        spare: [0; 64],
    }
}

/// A hold of 2 of which 0.5 is captured.
pub(crate) fn hold(session: Address, capture_deadline: i64) -> Hold {
    let address = Address::new_from_array([7; 32]);
    Hold {
        version: VERSION,
        padding: [0; 5],
        maximum_fee_bps: 0,
        session,
        receiver: address,
        receiver_token_account: address,
        capture_authorizer: address,
        receiver_authorizer: address,
        fee_recipient: address,
        rent_payer: address,
        intent_digest: [8; 32],
        amount: 2_000_000,
        captured: 500_000,
        fee: 0,
        capture_deadline,
        period_index: 8,
        spare: [0; 16],
    }
}
