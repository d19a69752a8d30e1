//! Blocks that were processed and lose: another bank of their slot stays, or their slot is skipped.

use std::time::Duration;

use serde_json::{Value, json};
use x402_escrow_domain::{cluster::Consensus, payment::Attempt};
use x402_escrow_interface::error::EscrowError;
use x402_escrow_wire::{auth_capture::Commitment, text::Hex32};

use crate::{
    cluster::State,
    wait,
    world::{FUNDS, Options, World},
};

const BOTH: [Consensus; 2] = [Consensus::TowerBft, Consensus::Alpenglow];

/// A verifier of a cluster whose blocks are only processed.
async fn world(consensus: Consensus, settle_timeout: Duration) -> World {
    let world = World::with(Options { consensus, settle_timeout, ..Options::default() }).await;
    world.cluster.state().level = Commitment::Processed;
    world
}

async fn hasty(consensus: Consensus) -> World {
    world(consensus, Duration::from_millis(300)).await
}

async fn status_is(world: &World, id: Hex32, operation: usize, status: &str) -> Value {
    world.until(id, |payment| payment["operations"][operation]["status"] == status).await
}

/// Settles a hold whose block is processed. Only TowerBFT's verifier says yes to that.
async fn hold(world: &World, body: &Value) -> Hex32 {
    if world.app.cluster.consensus() == Consensus::TowerBft {
        world.settled(body).await;
    } else {
        let answer = world.settle(body).await;
        assert_eq!(answer["success"], false, "{answer}");
    }
    let id = world.payment_id(body);
    let payment = status_is(world, id, 0, "processed").await;
    let transaction = &payment["transactions"][0];
    assert_eq!((&transaction["slot"], &transaction["blockHash"]), (&json!(101), &Value::Null), "{payment}");
    id
}

/// The newest transaction of an operation.
async fn sent(world: &World, id: Hex32, operation: usize) -> Attempt {
    let history = world.app.store.history(&id.0).await.unwrap().unwrap();
    history.operations[operation].attempts.last().unwrap().clone()
}

#[tokio::test]
async fn a_hold_that_the_winning_bank_of_its_slot_has_too_is_held_once() {
    for consensus in BOTH {
        let world = hasty(consensus).await;
        let earlier = world.cluster.state().clone();
        let body = world.body(&world.requirements(1000), 1);
        let id = hold(&world, &body).await;
        let attempt = sent(&world, id, 0).await;
        let losing_hash = world.cluster.state().block_hashes[&101];

        world.cluster.race_since(earlier);
        world.take(&attempt).await;
        world.cluster.state().level = Commitment::Finalized;
        status_is(&world, id, 0, "finalized").await;
        let payment = world.until(id, |payment| payment["transactions"][0]["blockHash"].is_string()).await;
        let winning_hash = world.cluster.state().block_hashes[&101];
        assert_ne!(winning_hash, losing_hash);
        let transactions = payment["transactions"].as_array().unwrap();
        assert_eq!((transactions.len(), &transactions[0]["slot"]), (1, &json!(101)), "{payment}");
        assert_eq!(transactions[0]["blockHash"], bs58::encode(winning_hash).into_string(), "{payment}");
        assert_eq!(world.settle(&body).await["success"], true, "{consensus:?}");
        assert_eq!((world.escrow_account().held, world.cluster.distinct_sent()), (1000, 1));
    }
}

#[tokio::test]
async fn a_hold_that_the_winning_bank_of_its_slot_lacks_is_unsettled_and_sent_again() {
    for consensus in BOTH {
        let world = hasty(consensus).await;
        let earlier = world.cluster.state().clone();
        let body = world.body(&world.requirements(1000), 1);
        let id = hold(&world, &body).await;

        // The other bank of slot 101 is empty.
        world.cluster.race_since(State { loses_transactions: true, slot: 101, ..earlier });
        let payment = status_is(&world, id, 0, "unsettled").await;
        let transaction = &payment["transactions"][0];
        assert_eq!((&transaction["slot"], &transaction["blockHash"]), (&Value::Null, &Value::Null));
        assert_eq!(world.settle(&body).await["success"], false, "{consensus:?}");
        assert_eq!(world.escrow_account().held, 0);

        world.cluster.state().loses_transactions = false;
        world.cluster.state().level = Commitment::Finalized;
        let payment = status_is(&world, id, 0, "finalized").await;
        let transactions = payment["transactions"].as_array().unwrap();
        assert_eq!((transactions.len(), &transactions[0]["slot"]), (1, &json!(102)), "{payment}");
        assert_eq!(world.settle(&body).await["success"], true, "{consensus:?}");
        assert_eq!((world.escrow_account().held, world.cluster.distinct_sent()), (1000, 1));
    }
}

#[tokio::test]
async fn a_capture_that_failed_in_the_losing_bank_only_is_paid_once() {
    for consensus in BOTH {
        let world = hasty(consensus).await;
        world.cluster.state().level = Commitment::Finalized;
        let id = world.authorize(1000, 1).await;
        status_is(&world, id, 0, "finalized").await;
        world.cluster.state().level = Commitment::Processed;
        let earlier = world.cluster.state().clone();
        world.fail_next(0, EscrowError::CaptureDeadlinePassed);
        world.settle(&world.capture(id, 700, true)).await;
        status_is(&world, id, 1, "failed").await;
        let attempt = sent(&world, id, 1).await;

        world.cluster.race_since(earlier);
        world.take(&attempt).await;
        world.cluster.state().level = Commitment::Finalized;
        let payment = status_is(&world, id, 1, "finalized").await;
        assert_eq!((&payment["state"], &payment["captured"]), (&json!("ended"), &json!("700")), "{payment}");
        let escrow = world.escrow_account();
        assert_eq!((escrow.balance, escrow.held, world.received()), (FUNDS - 700, 0, 700));
    }
}

#[tokio::test]
async fn hold_and_capture_in_skipped_slots_are_made_again_in_order() {
    for consensus in BOTH {
        let world = hasty(consensus).await;
        let earlier = world.cluster.state().clone();
        let id = hold(&world, &world.body(&world.requirements(1000), 1)).await;
        let capture = world.capture(id, 700, true);
        assert_eq!(world.settle(&capture).await["success"], false, "{consensus:?}: it can be skipped");
        status_is(&world, id, 1, "processed").await;
        assert_eq!(world.received(), 700);

        world.cluster.drop_blocks_since(State { loses_transactions: true, ..earlier });
        for operation in [0, 1] {
            status_is(&world, id, operation, "unsettled").await;
        }
        assert_eq!((world.escrow_account().held, world.received()), (0, 0));

        world.cluster.state().loses_transactions = false;
        world.cluster.state().level = Commitment::Finalized;
        let payment = status_is(&world, id, 1, "finalized").await;
        assert_eq!((&payment["state"], &payment["captured"]), (&json!("ended"), &json!("700")), "{payment}");
        assert_eq!(world.settle(&capture).await["success"], true, "{consensus:?}");
        let escrow = world.escrow_account();
        assert_eq!((escrow.balance, escrow.held, world.received()), (FUNDS - 700, 0, 700));
    }
}

#[tokio::test]
async fn under_alpenglow_who_waits_while_the_slot_is_skipped_is_told_yes_by_a_final_block() {
    let world = world(Consensus::Alpenglow, Duration::from_secs(30)).await;
    let earlier = world.cluster.state().clone();
    let body = world.body(&world.requirements(1000), 1);
    let id = world.payment_id(&body);
    let skipped = async {
        let is_processed = async || {
            let (_, payment) = world.get(&format!("/payments/{id}")).await;
            payment["operations"][0]["status"] == "processed"
        };
        wait::until("a processed block", is_processed).await;
        world.cluster.drop_blocks_since(State { loses_transactions: true, ..earlier });
        status_is(&world, id, 0, "unsettled").await;
        world.cluster.state().loses_transactions = false;
        status_is(&world, id, 0, "processed").await;
        world.cluster.state().level = Commitment::Finalized;
    };
    let (answer, ()) = tokio::join!(world.settle(&body), skipped);
    let extra = &answer["extra"];
    assert_eq!((&answer["success"], &extra["commitmentObserved"]), (&json!(true), &json!("finalized")));
    assert_eq!((&extra["slot"], world.escrow_account().held), (&json!(102), 1000), "{answer}");
}
