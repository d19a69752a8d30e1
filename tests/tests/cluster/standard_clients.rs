//! The published packages of x402, unchanged, against the verifier and a validator: every client buys from every server,
//! in versions 1 and 2, and every outcome is held against balances read from the chain.

mod server;

use std::{path::PathBuf, time::Duration};

use serde_json::{Value, json};
use server::{Client, Server};
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client::rpc_client::RpcClient;
use solana_sdk::signature::{Keypair, Signer};
use x402_escrow_tests::local::{Local, ONE_TOKEN, Verifier};
use x402_escrow_wire::v1;

pub(crate) use server::{in_clients, python};

/// The only test network that the packages know.
pub(crate) const DEVNET: &str = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1";

/// What everything costs.
const PRICE: u64 = 250_000;

const FUNDS: u64 = 10 * ONE_TOKEN;

/// Dropped from top to bottom, the cluster last.
struct Market {
    express: Server,
    hono: Server,
    version_1: Server,
    _verifier: Verifier,
    buyer: Keypair,
    key_file: PathBuf,
    local: Local,
}

impl Market {
    fn open() -> Self {
        let local = Local::start(&|_| {}).unwrap();
        let verifier = Verifier::start_as(&local, DEVNET).unwrap();
        let (buyer, key_file) = local.key_file("buyer").unwrap();
        local.chain.give_tokens(&buyer.pubkey(), &local.mint, FUNDS).unwrap();
        // The Python client reads the mint as of the newest final block.
        let node = RpcClient::new_with_commitment(local.rpc_url().to_owned(), CommitmentConfig::finalized());
        let is_final = || Ok(node.get_account(&local.mint).is_ok());
        local.chain.wait_until("the mint to be final", Duration::from_secs(60), is_final).unwrap();
        let start = |script| Server::start(&local, &verifier, script);
        let [express, hono, version_1] = ["express.js", "hono.js", "version_1.js"].map(start);
        Self { express, hono, version_1, _verifier: verifier, buyer, key_file, local }
    }

    fn tokens(&self, owner: &Keypair) -> u64 {
        self.local.chain.tokens(&owner.pubkey(), &self.local.mint).unwrap()
    }

    /// Fails unless the server has `earned`, the buyer paid `spent` in all and has no SOL, and nothing was lost or made.
    #[track_caller]
    fn assert_books(&self, server: &Server, earned: u64, spent: u64) {
        assert_eq!(self.tokens(&server.key), earned, "earned");
        assert_eq!(self.tokens(&self.buyer), FUNDS - spent, "left");
        assert_eq!(self.local.chain.lamports(&self.buyer.pubkey()).unwrap(), 0, "the buyer's SOL");
        assert_eq!(self.local.chain.supply(&self.local.mint).unwrap(), FUNDS, "supply");
    }

    #[track_caller]
    fn buy(&self, client: Client, url: &str) -> Value {
        let bought = client.buy(&self.local, &self.key_file, &[url]).unwrap();
        assert_eq!(bought["status"], 200, "{client:?} at {url}: {bought}");
        let report: Value = serde_json::from_str(bought["body"].as_str().unwrap()).unwrap();
        assert_eq!(report, json!({ "report": "wheat is up" }));
        let settlement = &bought["settlement"];
        assert_eq!(settlement["success"], true, "{client:?} at {url}: {bought}");
        assert_eq!(settlement["payer"], self.buyer.pubkey().to_string(), "{bought}");
        settlement.clone()
    }
}

#[test]
fn standard_clients_buy_from_standard_servers() {
    let market = Market::open();
    let mut spent = 0;

    // Every client from every server; what the versions differ in is on the wire.
    for (server, network) in [
        (&market.express, DEVNET),
        (&market.hono, DEVNET),
        (&market.version_1, v1::network_name(DEVNET).unwrap()),
    ] {
        for (earned, client) in [(PRICE, Client::Fetch), (2 * PRICE, Client::Python)] {
            let settlement = market.buy(client, &server.url("/report"));
            spent += PRICE;
            assert_eq!(settlement["network"], network);
            market.assert_books(server, earned, spent);
        }
    }

    // With the memo that a server asks for, and settled before the server serves.
    for server in [&market.express, &market.hono] {
        for (earned, path) in [(2, "/invoice"), (4, "/upfront")] {
            for (earned, client) in [(earned + 1, Client::Fetch), (earned + 2, Client::Python)] {
                market.buy(client, &server.url(path));
                spent += PRICE;
                market.assert_books(server, earned * PRICE, spent);
            }
        }
    }

    // A payment that is sent again buys nothing again.
    for (server, earned) in [(&market.express, 7), (&market.hono, 7), (&market.version_1, 3)] {
        let arguments = [server.url("/report"), "replay".to_owned()];
        let again = Client::Fetch
            .buy(&market.local, &market.key_file, &arguments.each_ref().map(String::as_str))
            .unwrap();
        spent += PRICE;
        assert_eq!(again["status"], 402, "{again}");
        assert!(again.to_string().contains("duplicate_settlement"), "{again}");
        market.assert_books(server, earned * PRICE, spent);
    }

    // Who has no tokens gets nothing and is told why.
    let (pauper, key_file) = market.local.key_file("pauper").unwrap();
    market.local.chain.give_tokens(&pauper.pubkey(), &market.local.mint, 0).unwrap();
    for (server, earned) in [(&market.express, 7), (&market.hono, 7), (&market.version_1, 3)] {
        let refused = Client::Fetch
            .buy(&market.local, &key_file, &[&server.url("/report")])
            .map_err(|error| error.to_string());
        let said = format!("{refused:?}");
        assert!(said.contains("invalid_exact_svm_transaction_simulation_failed"), "{said}");
        market.assert_books(server, earned * PRICE, spent);
    }
}
