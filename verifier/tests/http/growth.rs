//! What is over keeps little.

use futures_util::future::join_all;
use x402_escrow_wire::auth_capture::Commitment;

use crate::{wait, world::World};

#[tokio::test]
async fn the_bytes_of_a_transaction_are_kept_until_all_that_it_carries_is_final() {
    let world = World::new().await;
    let bodies: Vec<_> = (1..=6).map(|nonce| world.body(&world.requirements(1000), nonce)).collect();
    join_all(bodies.iter().map(|body| world.settled(body))).await;
    let kept = async || world.kept_transactions().await;
    assert_eq!(kept().await, i64::try_from(world.cluster.distinct_sent()).unwrap());
    world.cluster.state().level = Commitment::Finalized;
    wait::until("nothing to be kept", async || kept().await == 0).await;
    for body in &bodies {
        let payment = world.payment(world.payment_id(body)).await;
        assert_eq!(payment["operations"][0]["status"], "finalized", "{payment}");
    }
}
