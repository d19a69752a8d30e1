//! A crash between any two things that the verifier does.

use std::sync::Arc;

use x402_escrow_wire::{auth_capture::Commitment, text::Hex32};

use crate::{
    nodes::{Fault, Node},
    world::{FUNDS, Options, World},
};

/// How much of 1000 is captured.
const CAPTURED: u64 = 400;

/// Has 1000 held, a part captured and the rest released. What was done before is asked for again, as by a merchant that
/// had no answer.
async fn play(world: &World) -> Hex32 {
    let id = world.authorize(1000, 1).await;
    world.settled(&world.capture(id, CAPTURED, false)).await;
    world.settled(&world.void(id, CAPTURED)).await;
    id
}

/// All that lasts is in the store and in the cluster, and only sending changes the cluster: so the crashes are before
/// each request to it, and after each that sends.
#[tokio::test]
async fn a_crash_at_any_step_loses_nothing_and_pays_nothing_twice() {
    let mut crashes = 0;
    loop {
        let mut node = None;
        let mut world = World::through(Options::default(), async |cluster| {
            Arc::clone(node.insert(Node::new(cluster))) as _
        })
        .await;
        let node = node.unwrap();
        world.cluster.state().level = Commitment::Finalized;
        node.break_with(Fault::AnswersThenHangs(crashes));
        let has_crashed = tokio::select! {
            _ = play(&world) => false,
            () = node.hanging() => true,
        };
        world.restart(Options::default()).await;
        let id = play(&world).await;
        world.until(id, |payment| payment["state"] == "ended").await;

        assert_eq!(world.received(), CAPTURED, "after {crashes} requests");
        let escrow = world.escrow_account();
        assert_eq!((escrow.balance, escrow.held), (FUNDS - CAPTURED, 0), "after {crashes} requests");
        assert_eq!(world.rows().await[..2], [1, 3], "payments and operations after {crashes} requests");
        if !has_crashed {
            break;
        }
        crashes += 1;
    }
    // Three operations, each with more requests than these.
    assert!(crashes >= 3 * 5, "{crashes} crashes");
}
