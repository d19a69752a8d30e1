//! An owner gets back what nobody captured, with nobody's help.

use std::time::Duration;

use serde_json::json;
use x402_escrow_tests::local::{
    Verifier,
    parties::{Parties, Terms, now},
};

use crate::shop::turn;

const AMOUNT: u64 = 250_000;
const ANOTHER: u64 = 400_000;

#[test]
fn an_owner_reclaims_what_nobody_captured_in_time_and_nothing_else() {
    let (cluster, _turn) = turn();
    let local = cluster.beside().unwrap();
    let settings = [("X402_FINALITY", "[{ commitment = 'confirmed' }]")];
    let mut verifier = Verifier::start_with(&local, &settings).unwrap();
    let (parties, owner) = Parties::open(&local, &verifier).unwrap();
    // Time enough to be held, also on a busy machine.
    let (soon, late) = (now() + 75, now() + 900);
    for (amount, capture_deadline) in [(AMOUNT, soon), (ANOTHER, late)] {
        let requirements = parties.requirements(&Terms { amount, request_price: None, capture_deadline });
        let (intent, _) = parties.intent(&requirements, now() + 30).unwrap();
        parties.settle_until_decided(&requirements, &json!(intent)).unwrap();
    }
    // It would reclaim the hold itself.
    verifier.kill();

    let reclaim = || owner.run(&["escrow", "reclaim"]).unwrap();
    let early = reclaim();
    let told = ["holds", "reclaimed", "stillHeld", "nextDeadline", "transactions"];
    assert_eq!(
        json!(told.map(|name| &early[name])),
        json!([0, "0", (AMOUNT + ANOTHER).to_string(), soon, []])
    );
    // The cluster's clock may be behind.
    let mut reclaimed = early;
    while reclaimed["holds"] == 0 {
        assert!(now() < soon + 120, "{reclaimed}");
        std::thread::sleep(Duration::from_secs(1));
        reclaimed = reclaim();
    }
    assert_eq!(
        json!(told.map(|name| &reclaimed[name])[..4]),
        json!([1, AMOUNT.to_string(), ANOTHER.to_string(), late])
    );
    assert_eq!(reclaimed["transactions"].as_array().unwrap().len(), 1, "{reclaimed}");

    let escrow = local.chain.escrow(&parties.owner, &local.mint).unwrap();
    assert_eq!((escrow.balance, escrow.held), (Parties::DEPOSIT, ANOTHER));
    let sessions = owner.run(&["session", "list"]).unwrap()["sessions"].clone();
    let holds = sessions[0]["holds"].as_array().unwrap();
    assert_eq!((holds.len(), &holds[0]["captureDeadline"]), (1, &json!(late)), "{sessions}");
    let again = reclaim();
    assert_eq!(json!(told.map(|name| &again[name])[..3]), json!([0, "0", ANOTHER.to_string()]));
}
