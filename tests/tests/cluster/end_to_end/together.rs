//! Intents that come at the same time, and share transactions of the version that the cluster takes.

use std::{collections::BTreeMap, thread};

use serde_json::json;
use x402_escrow_tests::local::{
    Verifier,
    parties::{Answer, Parties, Terms, now},
};

use crate::shop::turn;

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
    let terms = Terms { amount: AMOUNT, request_price: None, capture_deadline: now() + 600 };
    let requirements = parties.requirements(&terms);
    let intents: Vec<_> = (0..CALLERS).map(|_| parties.intent(&requirements, now() + 60).unwrap()).collect();
    thread::scope(|scope| {
        for (intent, _) in &intents {
            let (parties, requirements) = (&parties, &requirements);
            scope.spawn(move || {
                assert!(matches!(parties.settle(requirements, &json!(intent)), Answer::Yes));
            });
        }
    });
    let mut shared = BTreeMap::<String, usize>::new();
    for (_, id) in &intents {
        let payment = verifier.payment(&id.to_string()).unwrap();
        let transactions = payment["transactions"].as_array().unwrap();
        assert_eq!(transactions.len(), 1, "{payment}");
        *shared.entry(transactions[0]["signature"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    println!("{CALLERS} holds in {} transactions: {:?}", shared.len(), shared.values());
    assert!(shared.values().any(|holds| *holds > LEGACY), "{shared:?}");
    let escrow = local.chain.escrow(&parties.owner, &local.mint).unwrap();
    assert_eq!(escrow.held, AMOUNT * CALLERS as u64);
}
