//! Intents that come at the same time, and share transactions of the version that the cluster takes.

use std::{collections::BTreeMap, sync::PoisonError, thread, time::Duration};

use serde_json::{Value, json};
use solana_rpc_client::rpc_client::RpcClient;
use solana_rpc_client_api::request::RpcRequest;
use x402_escrow_domain::facts::VERSION_1_FEATURE_ID;
use x402_escrow_tests::local::{
    Local, Verifier,
    parties::{Answer, Parties, Terms, now},
};
use x402_escrow_wire::text::Hex32;

use crate::shop::{ONE_AT_A_TIME, turn};

const AMOUNT: u64 = 1_000;
const CALLERS: usize = 24;
/// As many of one payer's holds as a transaction of the version that every cluster takes has room for.
const LEGACY: usize = 4;

#[test]
fn holds_that_come_at_once_share_transactions_of_version_1() {
    let (cluster, _turn) = turn();
    let local = cluster.beside().unwrap();
    let settings = [("X402_FINALITY", "[{ commitment = 'confirmed' }]")];
    let verifier = Verifier::start_with(&local, &settings).unwrap();
    let (parties, _) = Parties::open(&local, &verifier).unwrap();
    let mut shared = BTreeMap::<String, usize>::new();
    for id in hold_at_once(&parties) {
        *shared.entry(transaction(&verifier, id)).or_default() += 1;
    }
    println!("{CALLERS} holds in {} transactions: {:?}", shared.len(), shared.values());
    assert!(shared.values().any(|holds| *holds > LEGACY), "{shared:?}");
    let escrow = local.chain.escrow(&parties.owner, &local.mint).unwrap();
    assert_eq!(escrow.held, AMOUNT * CALLERS as u64);
}

#[test]
fn holds_use_lookup_tables_where_the_cluster_takes_no_version_1() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let local = Local::start_without(&VERSION_1_FEATURE_ID, &|_| {}).unwrap();
    let settings = [("X402_FINALITY", "[{ commitment = 'confirmed' }]"), ("X402_REVIEW_SECONDS", "1")];
    let verifier = Verifier::start_with(&local, &settings).unwrap();
    let (parties, _) = Parties::open(&local, &verifier).unwrap();
    let node = RpcClient::new(local.rpc_url().to_owned());
    let version = |id| {
        let options = json!({ "commitment": "confirmed", "maxSupportedTransactionVersion": 0 });
        let asked = json!([transaction(&verifier, id), options]);
        let found: Value = node.send(RpcRequest::GetTransaction, asked).unwrap();
        let tables = found["transaction"]["message"]["addressTableLookups"].as_array().map_or(0, Vec::len);
        (found["version"].clone(), tables)
    };
    let ids = hold_at_once(&parties);
    assert!(ids.iter().all(|id| version(*id) == (json!("legacy"), 0)));
    // A table is used once a final block has it.
    let uses_table = || {
        thread::sleep(Duration::from_secs(2));
        Ok(hold_at_once(&parties).iter().any(|id| version(*id) == (json!(0), 1)))
    };
    local.chain.wait_until("a hold with a lookup table", Duration::from_secs(180), uses_table).unwrap();
}

/// Has callers ask for a hold each at the same time, and returns the payments.
fn hold_at_once(parties: &Parties) -> Vec<Hex32> {
    let terms = Terms { amount: AMOUNT, request_price: None, capture_deadline: now() + 600 };
    let requirements = parties.requirements(&terms);
    let intents: Vec<_> = (0..CALLERS).map(|_| parties.intent(&requirements, now() + 60).unwrap()).collect();
    thread::scope(|scope| {
        for (intent, _) in &intents {
            let requirements = &requirements;
            scope.spawn(move || {
                assert!(matches!(parties.settle(requirements, &json!(intent)), Answer::Yes));
            });
        }
    });
    intents.into_iter().map(|(_, id)| id).collect()
}

/// The signature of the one transaction that a payment has.
fn transaction(verifier: &Verifier, id: Hex32) -> String {
    let payment = verifier.payment(&id.to_string()).unwrap();
    let transactions = payment["transactions"].as_array().unwrap();
    assert_eq!(transactions.len(), 1, "{payment}");
    transactions[0]["signature"].as_str().unwrap().to_owned()
}
