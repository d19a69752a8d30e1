//! Deadlines are by the cluster's clock, which each leader sets within bounds: they hold while it is ahead of this
//! machine's clock and behind it.

use std::time::Duration;

use serde_json::json;
use x402_escrow_domain::cluster::Consensus::{self, Alpenglow, TowerBft};
use x402_escrow_wire::auth_capture::Commitment;

use crate::{
    stream::{Channel, PRICE},
    world::{FUNDS, Options, World, envelope, sign},
};

/// How far the cluster's clock is ahead, in seconds. Under Alpenglow a block's is above its parent's by at most 0.8 seconds
/// a slot, and the worst hour that SIMD-0363 expects of hostile leaders is 10 seconds off. Under TowerBFT it is the
/// median of votes; a node that is 30 seconds off counts as wrong.
const AHEAD: [(Consensus, i64); 4] = [(TowerBft, 30), (TowerBft, -30), (Alpenglow, 10), (Alpenglow, -10)];

/// A verifier whose machine's clock is that far from the cluster's, which has only final blocks.
async fn world(consensus: Consensus, ahead: i64) -> World {
    // The least that can be configured.
    let voucher_margin_seconds = 120;
    let cluster_ahead_seconds = Some(ahead);
    let options = Options { consensus, cluster_ahead_seconds, voucher_margin_seconds, ..Options::default() };
    let world = World::with(options).await;
    world.cluster.state().level = Commitment::Finalized;
    world
}

#[tokio::test]
async fn a_capture_is_taken_until_the_deadline_by_the_clusters_clock_and_then_the_rest_goes_back() {
    for (consensus, ahead) in AHEAD {
        let world = world(consensus, ahead).await;
        let id = world.authorize(1000, 1).await;
        world.cluster.pass_seconds(600);
        world.settled(&world.capture(id, 400, false)).await;
        world.cluster.pass_seconds(1);
        let late = world.settle(&world.capture(id, 500, false)).await;
        assert_eq!(late["errorReason"], "invalid_auth_capture_svm_capture", "{consensus:?} {ahead}: {late}");
        // A review that found the capture under way looks again a minute later.
        world.cluster.pass_seconds(60);
        let payment = world.until(id, |payment| payment["state"] == "ended").await;
        assert_eq!((&payment["captured"], &payment["released"]), (&json!("400"), &json!("600")), "{payment}");
        let escrow = world.escrow_account();
        assert_eq!((escrow.balance, escrow.held, world.received()), (FUNDS - 400, 0, 400));
    }
}

#[tokio::test]
async fn an_intent_is_taken_while_it_leaves_the_least_time_by_the_clusters_clock() {
    for (consensus, ahead) in AHEAD {
        let world = world(consensus, ahead).await;
        for (nonce, seconds, code) in [(1, 4, "invalid_auth_capture_svm_intent_expired"), (2, 5, "")] {
            let requirements = world.requirements(1000);
            let mut payload = world.payload(&requirements, nonce);
            payload.authorize_by = world.cluster.now() + seconds;
            sign(&mut payload, &requirements);
            let answer = world.settle(&envelope(&requirements, json!(payload))).await;
            let told = answer["errorReason"].as_str().unwrap_or_default();
            assert_eq!(told, code, "{consensus:?} {ahead}: {answer}");
        }
        assert_eq!(world.escrow_account().held, 1000);
    }
}

#[tokio::test]
async fn every_voucher_that_is_taken_is_captured() {
    for (consensus, ahead) in AHEAD {
        let channel = Channel::open_in(world(consensus, ahead).await).await;
        let world = &channel.world;
        let opened_at = world.cluster.now();
        let pass_until = |second: i64| world.cluster.pass_seconds(opened_at + second - world.cluster.now());
        let captured = async |amount: &str| {
            let payment = world.until(channel.id, |payment| payment["captured"] == amount).await;
            assert_eq!(world.received().to_string(), amount, "{consensus:?} {ahead}: {payment}");
        };
        // The deadline is 600 seconds after the opening, the margin of 120. By a clock that is ahead it is time to
        // capture while this machine still takes vouchers.
        if ahead > 0 {
            pass_until(481);
            captured("100").await;
        }
        pass_until(480 + ahead);
        channel.accept(2 * PRICE, PRICE).await;
        pass_until(481 + ahead);
        let late = world.settle(&channel.voucher(3 * PRICE)).await;
        assert_eq!(late["success"], false, "{consensus:?} {ahead}: {late}");
        // A minute after the first look at the latest.
        pass_until(542);
        captured("200").await;
        pass_until(700);
        world.until(channel.id, |payment| payment["state"] == "ended").await;
        assert_eq!((world.received(), world.escrow_account().held), (2 * PRICE, 0));
    }
}

#[tokio::test]
async fn a_clock_within_its_bounds_does_not_make_the_verifier_unready() {
    for (consensus, ahead) in AHEAD {
        let world = world(consensus, ahead).await;
        world.led().await;
        let (status, health) = world.get("/health").await;
        assert_eq!(status.as_u16(), 200, "{health}");
        // The cluster's time stands still.
        let age = health["slotAgeSeconds"].as_i64().unwrap();
        assert!((-ahead..10 - ahead).contains(&age), "{health}");
    }
}

/// What is begun to give a hold back keeps captures out: a leader whose clock is ahead must not cause it alone.
#[tokio::test]
async fn a_skipped_block_whose_clock_is_ahead_ends_no_hold() {
    for consensus in [TowerBft, Alpenglow] {
        let world = world(consensus, 0).await;
        let id = world.authorize(1000, 1).await;
        world.until(id, |payment| payment["operations"][0]["status"] == "finalized").await;
        world.cluster.pass_seconds(599);
        let earlier = world.cluster.state().clone();
        {
            let mut state = world.cluster.state();
            state.confirmed = Some(state.svm.clone());
            state.level = Commitment::Processed;
        }
        world.cluster.pass_seconds(2);
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.cluster.drop_blocks_since(earlier);
        let answer = world.settled(&world.capture(id, 700, true)).await;
        assert_eq!(world.received(), 700, "{consensus:?}: {answer}");
    }
}
