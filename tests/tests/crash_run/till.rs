//! The verifier that is killed, and the books that must agree afterwards.

use std::sync::{Arc, atomic::AtomicU64};

use ed25519_dalek::SigningKey;
use reqwest::blocking::Client;
use serde_json::Value;
use solana_sdk::signature::{Keypair, Signer};
use tokio::runtime::Builder;
use x402_escrow_agent::SessionFile;
use x402_escrow_interface::{Address, address};
use x402_escrow_tests::local::{Agent, Local, ONE_TOKEN, Verifier};
use x402_escrow_verifier::store::{Database, Store};
use x402_escrow_wire::text::Base58;

use super::counter::{Parties, Sale};

const DEPOSIT: u64 = 1_000 * ONE_TOKEN;

/// Dropped from top to bottom, the cluster after those who use it.
pub(crate) struct Till {
    verifier: Verifier,
    parties: Parties,
    owner: Keypair,
    merchant: Keypair,
    local: Local,
}

impl Till {
    pub(crate) fn open() -> Self {
        let local = Local::start(&|_| {}).unwrap();
        let verifier = Verifier::start(&local).unwrap();
        let (owner, owner_file) = local.key_file("owner").unwrap();
        let (merchant, _) = local.key_file("merchant").unwrap();
        local.chain.give_sol(&owner.pubkey(), 1_000_000_000).unwrap();
        local.chain.give_tokens(&owner.pubkey(), &local.mint, DEPOSIT).unwrap();
        local.chain.give_tokens(&merchant.pubkey(), &local.mint, 0).unwrap();
        let agent = Agent::owner(&local, &owner_file, &verifier);
        agent.run(&["escrow", "open", "--amount", "1000", "--withdraw-delay", "0s"]).unwrap();
        let path = local.folder().join("session.json");
        let out = path.display().to_string();
        let limits = ["--max-payment", "1", "--max-total", "1000"];
        agent.run(&[["session", "open"].as_slice(), &limits, &["--out", &out]].concat()).unwrap();
        let session = SessionFile::read(&path).unwrap();

        let supported: Value =
            Client::new().get(format!("{}/supported", verifier.url)).send().unwrap().json().unwrap();
        let escrow = address::escrow(&owner.pubkey(), &local.mint);
        let stored = local.chain.session(&address::session(&escrow, &session.session_key.into())).unwrap();
        let parties = Parties {
            verifier_url: verifier.url.clone(),
            network: supported["kinds"][0]["network"].as_str().unwrap().to_owned(),
            fee_payer: verifier.fee_payer.into(),
            mint: local.mint.into(),
            escrow: escrow.into(),
            incarnation: Base58(stored.incarnation),
            session: session.signing_key(),
            merchant: SigningKey::from_bytes(merchant.secret_bytes()),
            nonces: Arc::new(AtomicU64::new(1)),
        };
        Self { verifier, parties, owner, merchant, local }
    }

    pub(crate) fn merchant(&self) -> Parties {
        self.parties.clone()
    }

    /// Kills the verifier, and returns which operations were under way and how far they were.
    pub(crate) fn kill_verifier(&mut self) -> Vec<(&'static str, &'static str)> {
        self.verifier.kill();
        // Read in a copy: it is the verifier that must be able to open what a crash leaves.
        let copy = tempfile::tempdir().unwrap();
        for file in ["verifier.sqlite", "verifier.sqlite-wal"] {
            let path = self.local.folder().join(file);
            if path.exists() {
                std::fs::copy(path, copy.path().join(file)).unwrap();
            }
        }
        let under_way = async {
            let database = Database::Sqlite(copy.path().join("verifier.sqlite"));
            let store = Store::open(&database).await.unwrap();
            store.open_operations().await.unwrap()
        };
        let operations = Builder::new_current_thread().enable_all().build().unwrap().block_on(under_way);
        operations
            .iter()
            .map(|tracked| (tracked.operation.action.kind(), tracked.operation.state.as_str()))
            .collect()
    }

    pub(crate) fn restart_verifier(&mut self) {
        self.verifier.restart().unwrap();
    }

    pub(crate) fn held(&self) -> u64 {
        self.local.chain.escrow(&self.owner.pubkey(), &self.local.mint).unwrap().held
    }

    /// The verifier reports of the payment what its merchant expects.
    #[track_caller]
    pub(crate) fn assert_ended(&self, sale: &Sale) {
        let payment = self.verifier.payment(&sale.id.to_string()).unwrap();
        let sums = [&payment["state"], &payment["captured"], &payment["released"]];
        let expected =
            ["ended".to_owned(), sale.captured.to_string(), (sale.amount - sale.captured).to_string()];
        assert_eq!(
            sums,
            [expected[0].as_str(), &expected[1], &expected[2]],
            "{:?}: {payment:#}",
            sale.ending
        );
    }

    /// The chain says that the merchant has `captured`, and that nothing was lost or made.
    #[track_caller]
    pub(crate) fn assert_books(&self, captured: u64) {
        let chain = &self.local.chain;
        let escrow = chain.escrow(&self.owner.pubkey(), &self.local.mint).unwrap();
        let tokens = |owner: &Address| chain.tokens(owner, &self.local.mint).unwrap();
        assert_eq!(tokens(&self.merchant.pubkey()), captured, "the merchant's tokens");
        assert_eq!((escrow.balance, escrow.held), (DEPOSIT - captured, 0), "balance and held");
        assert_eq!(tokens(&address::escrow(&self.owner.pubkey(), &self.local.mint)), escrow.balance, "vault");
        assert_eq!(chain.supply(&self.local.mint).unwrap(), DEPOSIT, "supply");
    }
}
