//! Authorizations that share transactions.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use solana_sdk::{account::Account, signer::Signer};
use spl_token_interface::state::AccountState;
use x402_escrow_interface::error::EscrowError;

use super::store_all;
use crate::world::{Options, World, keypair};

/// Has all of them stored before any is sent, so that they share transactions, and settles them.
async fn settle_together(world: &mut World, bodies: &[Value]) -> Vec<Value> {
    store_all(world, bodies).await;
    world.restart(Options { settle_timeout: Duration::from_secs(3), ..Options::default() }).await;
    join_all(bodies.iter().map(|body| world.settle(body))).await
}

fn bodies(world: &World, count: u64) -> Vec<Value> {
    (1..=count).map(|nonce| world.body(&world.requirements(1000), nonce)).collect()
}

#[tokio::test]
async fn authorizations_that_come_together_share_transactions() {
    let world = World::new().await;
    let bodies = bodies(&world, 20);
    join_all(bodies.iter().map(|body| world.settled(body))).await;
    assert_eq!(world.escrow_account().held, 20 * 1000);
    let sent = world.cluster.distinct_sent();
    assert!((5..=12).contains(&sent), "four of a payer fit a transaction, and {sent} were sent");
}

#[tokio::test]
async fn an_authorization_that_fails_a_shared_simulation_holds_up_no_other() {
    let world = World::new().await;
    {
        // The node does not show yet that a nonce is used.
        let mut state = world.cluster.state();
        let before = (state.slot, state.svm.clone());
        state.facts = Some(before);
    }
    world.relay(&world.body(&world.requirements(999), 6), &keypair(78));
    let bodies = bodies(&world, 12);
    let answers = join_all(bodies.iter().map(|body| world.settle(body))).await;
    for (index, answer) in answers.iter().enumerate() {
        assert_eq!(answer["success"], json!(index != 5), "{index}: {answer}");
    }
    assert_eq!(answers[5]["errorReason"], "invalid_auth_capture_svm_nonce");
    assert_eq!(world.escrow_account().held, 999 + 11 * 1000);
}

#[tokio::test]
async fn an_authorization_that_fails_a_shared_transaction_is_charged_for_it() {
    let world = World::new().await;
    world.fail_next(1, EscrowError::InsufficientFreeBalance);
    let bodies = bodies(&world, 12);
    let answers = join_all(bodies.iter().map(|body| world.settle(body))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer["success"] == false).collect();
    assert_eq!(refused.len(), 1, "{answers:?}");
    assert_eq!(refused[0]["errorReason"], "insufficient_funds", "{refused:?}");
    assert_eq!(world.escrow_account().held, 11 * 1000, "nobody else is told no");
    assert!(world.app.suspects.contains(&world.escrow), "its escrow's go alone");
}

#[tokio::test]
async fn a_charge_that_fails_a_shared_simulation_makes_its_escrow_suspect() {
    let mut world = World::new().await;
    {
        // The node does not show yet that a nonce is used.
        let mut state = world.cluster.state();
        let before = (state.slot, state.svm.clone());
        state.facts = Some(before);
    }
    world.relay(&world.body(&world.requirements(999), 6), &keypair(78));
    let bodies: Vec<_> = (1..=12).map(|nonce| world.charge(1000, nonce)).collect();
    let answers = settle_together(&mut world, &bodies).await;
    for (index, answer) in answers.iter().enumerate() {
        assert_eq!(answer["success"], json!(index != 5), "{index}: {answer}");
    }
    assert_eq!(answers[5]["errorReason"], "settlement_pending", "somebody may have charged it");
    assert!(world.app.suspects.contains(&world.escrow), "its escrow's go alone");
}

#[tokio::test]
async fn a_receiver_that_closes_its_token_account_makes_no_payer_suspect() {
    let mut world = World::new().await;
    let receiver = keypair(79).pubkey();
    let account = world.set_token_account(receiver, AccountState::Initialized, 0);
    let mut requirements = world.requirements(1000);
    requirements.extra.insert("paymentFlow".to_owned(), json!("authorization"));
    requirements.pay_to = receiver.into();
    let mut bodies: Vec<_> = (1..=12).map(|nonce| world.charge(1000, nonce)).collect();
    bodies[5] = world.complete(world.body(&requirements, 6), 1000, 0, true);
    {
        // The node does not show yet that the account is closed.
        let mut state = world.cluster.state();
        let before = (state.slot, state.svm.clone());
        state.facts = Some(before);
        state.svm.set_account(account, Account::default()).unwrap();
    }
    let answers = settle_together(&mut world, &bodies).await;
    for (index, answer) in answers.iter().enumerate() {
        assert_eq!(answer["success"], json!(index != 5), "{index}: {answer}");
    }
    let message = answers[5]["errorMessage"].as_str().unwrap();
    assert!(message.contains("is the receiver's token account there"), "{message}");
    assert!(world.app.suspects.contains(&receiver), "its charges go alone");
    assert!(!world.app.suspects.contains(&world.escrow), "what its payer pays others does not");
}
