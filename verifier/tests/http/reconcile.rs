//! What `verifier reconcile` does where not everything can be read, and where stored sums are wrong.

use std::time::Duration;

use tokio::time::timeout;
use x402_escrow_verifier::{operator::reconcile::reconcile, store::Recheck};
use x402_escrow_wire::{auth_capture::Commitment, text::Hex32};

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

/// A process that ended once its hold of 1,000 base units was booked, and the hold.
async fn ended_with_a_booked_hold() -> (World, Hex32) {
    let mut world = World::new().await;
    world.cluster.state().level = Commitment::Finalized;
    let id = world.authorize(1000, 1).await;
    world.until(id, |payment| payment["operations"][0]["status"] == "finalized").await;
    world.until_booked(id, "held").await;
    world.crash().await;
    (world, id)
}

#[tokio::test]
async fn wrong_sums_of_what_is_held_are_reported_and_corrected() {
    let (world, id) = ended_with_a_booked_hold().await;
    assert!(reconcile(&world.app, false, false).await.unwrap().is_equal());
    let held =
        async |world: &World| world.app.store.held(None).await.unwrap().into_values().collect::<Vec<_>>();
    assert_eq!(held(&world).await, [1000]);

    world.write("UPDATE payments SET held = '1'").await;
    world.write("UPDATE held_sums SET held = '7' WHERE minute = -1").await;
    world.write("DELETE FROM held_sums WHERE minute <> -1").await;
    let found = reconcile(&world.app, false, false).await.unwrap();
    assert_eq!((&found.held, found.sums.len(), found.is_equal()), (&vec![id], 3, false), "{found}");
    assert!(
        found.to_string().contains("the sum of what is held is stored as 7, and the payments hold 1"),
        "{found}"
    );

    let repaired = reconcile(&world.app, false, true).await.unwrap();
    assert_eq!((&repaired.repaired, repaired.repaired_sums), (&vec![id], 3), "{repaired}");
    assert!(reconcile(&world.app, true, false).await.unwrap().is_equal());
    assert_eq!(held(&world).await, [1000]);
}

#[tokio::test]
async fn what_is_held_is_compared_without_the_lock_also_where_it_is_to_be_corrected() {
    let (world, _) = ended_with_a_booked_hold().await;
    let locked = world.locked().await;
    let rechecked = timeout(Duration::from_secs(2), world.app.store.recheck_held(true)).await;
    locked.release().await;
    assert_eq!(rechecked.expect("it waits for no writer").unwrap(), Recheck::default());
}
