//! The price offered for a compute unit.

use crate::{wait, world::World};

#[tokio::test]
async fn what_is_offered_follows_the_cluster_and_the_deadline_within_bounds() {
    let world = World::new().await;
    let offered = || world.cluster.state().offered.last().copied().unwrap();
    let id = world.authorize(1000, 1).await;
    assert_eq!(offered(), (10, 30_000), "a quiet cluster");
    world.cluster.state().prices = [vec![0; 100], vec![70; 50]].concat();
    assert_eq!(world.settle(&world.capture(id, 100, false)).await["success"], true);
    assert_eq!(offered(), (70, 45_000), "a third of the blocks took no less than 70");
    world.cluster.state().prices = vec![5_000; 150];
    assert_eq!(world.settle(&world.capture(id, 200, false)).await["success"], true);
    assert_eq!(offered().0, 1_000, "no more than is configured");

    world.cluster.state().prices = vec![0; 150];
    let mut requirements = world.requirements(1000);
    let soon = world.cluster.now() + 100;
    requirements.extra.insert("captureDeadline".to_owned(), serde_json::json!(soon));
    let body = world.body(&requirements, 2);
    assert_eq!(world.settle(&body).await["success"], true);
    assert_eq!(offered().0, 10, "a hold can be asked for again");
    let id = world.payment_id(&body);
    world.cluster.state().prices = [vec![0; 140], vec![90; 10]].concat();
    assert_eq!(world.settle(&world.capture(id, 100, false)).await["success"], true);
    assert_eq!(offered().0, 90, "a capture can not be late: what nearly every block takes");

    // Its first transaction is in no block.
    world.cluster.state().loses_transactions = true;
    let capture = world.capture(id, 200, true);
    let sent = world.cluster.distinct_sent();
    let settling = world.settled(&capture);
    let meanwhile = async {
        wait::until("the first transaction", async || world.cluster.distinct_sent() > sent).await;
        assert_eq!(offered().0, 90);
        world.cluster.outlive_blockhash();
        world.cluster.state().loses_transactions = false;
    };
    tokio::join!(settling, meanwhile);
    assert_eq!(offered().0, 1_000, "the first one did not do");
}
