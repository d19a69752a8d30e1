//! What `verifier reconcile` does where not everything can be read.

use x402_escrow_verifier::operator::reconcile::reconcile;
use x402_escrow_wire::auth_capture::Commitment;

use crate::world::World;

#[tokio::test]
async fn a_payment_that_can_not_be_read_is_told_and_stops_no_other() {
    let world = World::new().await;
    world.cluster.state().level = Commitment::Finalized;
    let (spoilt, sound) = (world.authorize(1000, 1).await, world.authorize(500, 2).await);
    for id in [spoilt, sound] {
        world.until(id, |payment| payment["operations"][0]["status"] == "finalized").await;
    }
    world.spoil(spoilt, "state", "lost").await;
    let found = reconcile(&world.app, false, false).await.unwrap();
    assert_eq!((found.holds, found.differences.len(), found.is_equal()), (1, 0, false), "{found}");
    assert_eq!(found.unreadable.keys().collect::<Vec<_>>(), [&spoilt.to_string()]);
    assert!(found.to_string().contains(&format!("payment {spoilt}: can't be read")), "{found}");
}
