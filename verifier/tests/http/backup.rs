use x402_escrow_wire::auth_capture::Commitment;

use crate::world::{Options, World};

#[tokio::test]
async fn a_backup_taken_while_payments_run_restores_and_pays_nothing_twice() {
    let options = Options::default();
    let mut world = World::with(options).await;
    let first = world.authorize(1000, 1).await;
    let second = world.body(&world.requirements(500), 2);
    let backup = world.path("backup.sqlite");
    let (settled, ()) = tokio::join!(world.settle(&second), world.place.back_up(&backup));
    assert_eq!(settled["success"], true, "{settled}");
    // What comes after the backup is not in it.
    let capture = world.capture(first, 700, true);
    let paid = world.settled(&capture).await;
    assert_eq!(world.received(), 700);

    world.crash().await;
    world.app.store.close().await;
    world.place.restore(&backup).await;
    world.restart(options).await;

    let payment = world.payment(first).await;
    assert_eq!((&payment["state"], &payment["captured"]), (&"authorized".into(), &"0".into()));
    world.cluster.state().level = Commitment::Finalized;
    // The merchant repeats what it has no answer to: it is found on chain, and nothing is paid twice.
    let answer = world.settled(&capture).await;
    assert_eq!(answer["transaction"], paid["transaction"], "{answer}");
    let before = world.escrow_account();
    world.settle(&second).await;
    let after = world.escrow_account();
    assert_eq!(world.received(), 700);
    assert_eq!((before.balance, before.held), (after.balance, after.held));
    assert_eq!(after.held, 500);
}
