//! Operations whose holds are missing: the others do not wait until it is known why.

use x402_escrow_wire::auth_capture::Commitment;

use super::{accept_all, amount, holds, short, until_all_ended};
use crate::world::World;

#[tokio::test]
async fn a_hold_that_is_not_there_holds_up_no_other() {
    let mut world = World::new().await;
    let ids = holds(&world, 4).await;
    accept_all(&mut world, &ids).await;
    world.remove_hold(2);
    world.restart(short()).await;
    until_all_ended(&world, &[ids[0], ids[2], ids[3]]).await;
    assert_eq!(world.received(), amount(0) + amount(2) + amount(3));
    let missing = world.until(ids[1], |payment| !payment["operations"][1]["error"].is_null()).await;
    assert_eq!(missing["operations"][1]["error"]["code"], "settlement_pending", "{missing}");
}

#[tokio::test]
async fn captures_beside_one_whose_hold_is_gone_do_not_wait_for_a_node_that_tells_no_logs() {
    let mut world = World::new().await;
    world.cluster.state().level = Commitment::Finalized;
    let ids = holds(&world, 3).await;
    for id in &ids {
        world.until(*id, |payment| payment["operations"][0]["status"] == "finalized").await;
    }
    world.relay_operation(1, &world.capture(ids[0], 400, true));
    world.cluster.state().slot += 1;
    world.cluster.state().hides_logs = true;
    accept_all(&mut world, &ids).await;
    world.restart(short()).await;
    for id in &ids[1..] {
        world.until(*id, |payment| payment["state"] == "ended").await;
    }
    assert_eq!(world.payment(ids[0]).await["state"], "authorized", "it is not known yet");

    world.cluster.state().hides_logs = false;
    world.restart(short()).await;
    let ended = world.until(ids[0], |payment| payment["state"] == "ended").await;
    assert_eq!(ended["captured"], "400");
}
