//! The main path, with the command line an owner and an agent use.

use std::time::Duration;

use serde_json::Value;
use solana_sdk::signature::Signer;
use x402_escrow_interface::{address, instruction};
use x402_escrow_tests::program_id;

use crate::shop::{DEPOSIT, Shop};

#[test]
fn an_agent_buys_and_every_base_unit_is_where_it_belongs() {
    let shop = Shop::open();

    let fetched =
        shop.agent.run(&["fetch", &shop.url("/report?topic=wheat"), "--max-amount", "0.25"]).unwrap();
    assert_eq!(fetched["status"], 200);
    assert_eq!(fetched["body"]["topic"], "wheat");
    assert_eq!(fetched["payment"]["settlement"]["success"], true);
    shop.assert_books(250_000, 0);

    // A part of a hold is captured, and the rest goes back.
    let metered = shop.agent.run(&["fetch", &shop.url("/metered?units=3")]).unwrap();
    shop.assert_books(280_000, 0);

    // A handler that fails is not paid: what was held goes back.
    let error = shop.agent.run(&["fetch", &shop.url("/broken")]).unwrap_err().to_string();
    assert!(error.contains("500"), "{error}");
    shop.wait_until_nothing_is_held();
    shop.assert_books(280_000, 0);

    // Reported until final, with slot and block hash.
    assert_final(&shop, &fetched, ("paid", "250000"), &["charge"]);
    assert_final(&shop, &metered, ("ended", "30000"), &["authorize", "capture"]);

    shop.owner.run(&["escrow", "withdraw"]).unwrap();
    let owner = shop.owner_key.pubkey();
    assert_eq!(shop.local.chain.tokens(&owner, &shop.local.mint).unwrap(), DEPOSIT - 280_000);
    assert_eq!(shop.escrow().balance, 0);
}

/// Waits until what the agent printed about is final, and compares it: its state, what was captured, and how.
#[track_caller]
fn assert_final(shop: &Shop, fetched: &Value, expected: (&str, &str), kinds: &[&str]) {
    let id = fetched["payment"]["paymentId"].as_str().unwrap();
    let report = || shop.verifier.payment(id).unwrap();
    let is_final = |transaction: &Value| transaction["status"] == "finalized";
    shop.local
        .chain
        .wait_until("the payment to be final", Duration::from_secs(60), || {
            Ok(report()["transactions"].as_array().unwrap().iter().all(is_final))
        })
        .unwrap();
    let report = report();
    assert_eq!((&report["state"], &report["captured"]), (&expected.0.into(), &expected.1.into()));
    let transactions = report["transactions"].as_array().unwrap();
    let found: Vec<_> = transactions.iter().map(|one| &one["kind"]).collect();
    assert_eq!(found, kinds);
    for transaction in transactions {
        let is_placed = transaction["slot"].as_u64().unwrap() > 0 && transaction["blockHash"].is_string();
        assert!(is_placed, "{transaction}");
    }
}

#[test]
fn tokens_sent_to_the_vault_by_plain_transfer_can_be_spent_after_a_sync() {
    let shop = Shop::open();
    let escrow_address = address::escrow(&program_id(), &shop.owner_key.pubkey(), &shop.local.mint);
    shop.local.chain.give_tokens(&escrow_address, &shop.local.mint, 77).unwrap();
    let status = shop.owner.run(&["escrow", "status"]).unwrap();
    assert_eq!((&status["balance"], &status["uncredited"]), (&DEPOSIT.to_string().into(), &"77".into()));

    let sync = instruction::sync(&program_id(), &escrow_address, &shop.escrow());
    shop.local.chain.send(&[sync], &[]).unwrap();
    let status = shop.owner.run(&["escrow", "status"]).unwrap();
    assert_eq!(
        (&status["balance"], &status["uncredited"]),
        (&(DEPOSIT + 77).to_string().into(), &"0".into())
    );
}
