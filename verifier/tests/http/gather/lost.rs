//! Transactions of several captures that are lost, or dropped with their block.

use x402_escrow_interface::error::EscrowError;
use x402_escrow_wire::{auth_capture::Commitment, text::Hex32};

use super::{accept_all, all_paid_once, holds, short, until_all_ended};
use crate::world::World;

/// Five holds, and one transaction of their captures that reached no block.
async fn sent_and_lost() -> (World, Vec<Hex32>) {
    let mut world = World::new().await;
    let ids = holds(&world, 5).await;
    let sent = world.cluster.distinct_sent();
    accept_all(&mut world, &ids).await;
    world.cluster.state().loses_transactions = true;
    world.restart(short()).await;
    for id in &ids {
        world.until(*id, |payment| payment["transactions"].as_array().unwrap().len() == 2).await;
    }
    assert_eq!(world.cluster.distinct_sent(), sent + 1);
    (world, ids)
}

#[tokio::test]
async fn captures_in_a_dropped_block_are_all_unsettled_and_all_settle_again() {
    let mut world = World::new().await;
    let ids = holds(&world, 8).await;
    accept_all(&mut world, &ids).await;
    let fork = world.cluster.state().clone();
    world.restart(short()).await;
    until_all_ended(&world, &ids).await;

    world.cluster.drop_blocks_since(fork);
    world.cluster.state().loses_transactions = true;
    for id in &ids {
        let payment = world.until(*id, |payment| payment["operations"][1]["status"] == "unsettled").await;
        assert_eq!(payment["state"], "authorized", "{payment}");
    }
    assert_eq!(world.received(), 0);
    let sent = world.cluster.distinct_sent();
    world.cluster.state().loses_transactions = false;
    until_all_ended(&world, &ids).await;
    all_paid_once(&world, 8);
    assert_eq!(world.cluster.distinct_sent(), sent, "the same transactions");
}

#[tokio::test]
async fn a_transaction_that_failed_on_a_dropped_fork_may_land_beside_those_that_replaced_it() {
    let mut world = World::new().await;
    let ids = holds(&world, 4).await;
    accept_all(&mut world, &ids).await;
    let fork = world.cluster.state().clone();
    world.fail_next(0, EscrowError::CaptureDeadlinePassed);
    world.restart(short()).await;
    until_all_ended(&world, &ids[1..]).await;

    // All of them can land again: the one that carries all, and the one that replaced it.
    world.cluster.drop_blocks_since(fork);
    until_all_ended(&world, &ids).await;
    all_paid_once(&world, 4);
    world.cluster.state().level = Commitment::Finalized;
    for id in &ids {
        world.until(*id, |payment| payment["operations"][1]["status"] == "finalized").await;
    }
    all_paid_once(&world, 4);
}

#[tokio::test]
async fn a_crash_between_sending_and_landing_repeats_the_same_transaction() {
    let (mut world, ids) = sent_and_lost().await;
    let sent = world.cluster.distinct_sent();
    world.crash().await;
    world.cluster.state().loses_transactions = false;
    world.restart(short()).await;
    until_all_ended(&world, &ids).await;
    all_paid_once(&world, 5);
    assert_eq!(world.cluster.distinct_sent(), sent);
}

#[tokio::test]
async fn a_dead_blockhash_has_all_of_them_gathered_anew() {
    let (world, ids) = sent_and_lost().await;
    let sent = world.cluster.distinct_sent();
    world.cluster.state().loses_transactions = false;
    world.cluster.outlive_blockhash();
    until_all_ended(&world, &ids).await;
    all_paid_once(&world, 5);
    assert_eq!(world.cluster.distinct_sent(), sent + 1);
}
