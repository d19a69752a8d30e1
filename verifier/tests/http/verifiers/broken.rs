//! A connection to PostgreSQL that breaks in the middle of what is written together.

use std::{
    sync::mpsc::{self, Receiver, Sender},
    time::Duration,
};

use tokio::{runtime::Handle, task::block_in_place, time::sleep};
use x402_escrow_domain::{
    facts::Facts,
    payment::{Action, Payment},
    promises::Promises,
    verify::Rejection,
};
use x402_escrow_verifier::store::{Accepted, NewIntent, Store, StoreError};
use x402_escrow_wire::auth_capture::Level;

use super::{facts, payment};
use crate::world::World;

async fn accept(
    store: &Store,
    payment: &Payment,
    facts: &Facts,
    check: impl FnOnce() + Send + 'static,
) -> Result<Accepted, StoreError> {
    let new = NewIntent {
        payment,
        signed: payment.hold().unwrap(),
        action: &Action::Authorize,
        commitment: Level::Processed,
        rent_lamports: 0,
    };
    let check = |_: &Promises| -> Result<(), Rejection> {
        check();
        Ok(())
    };
    store.accept_intent(new, facts, None, check).await
}

/// Says that it has begun, and waits until it may go on.
fn wait_between(begun: Sender<()>, goes_on: Receiver<()>) -> impl FnOnce() + Send + 'static {
    move || {
        block_in_place(|| {
            begun.send(()).unwrap();
            goes_on.recv().unwrap();
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs X402_TEST_POSTGRES"]
async fn what_a_broken_connection_loses_nobody_is_told_is_written() {
    let mut world = World::new().await;
    world.crash().await;
    let requirements = world.requirements(1000);
    let (facts, store) = (facts(&world, &requirements).await, world.app.store.clone());
    let payments: Vec<_> = (1..=4).map(|nonce| payment(&world, &requirements, nonce)).collect();
    let [before, first, second, third] = &payments[..] else { panic!("four were made") };

    // While the one before is being written, three come, and are written together.
    let ((begun, has_begun), (go_on, goes_on)) = (mpsc::channel(), mpsc::channel());
    let earlier = tokio::spawn({
        let (store, before, facts) = (store.clone(), before.clone(), facts.clone());
        async move { accept(&store, &before, &facts, wait_between(begun, goes_on)).await }
    });
    block_in_place(|| has_begun.recv().unwrap());
    let others = world.place.database.connect().await.unwrap();
    let break_all = move || {
        let ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()";
        block_in_place(|| Handle::current().block_on(sqlx::query(ended).execute(&others))).unwrap();
    };
    let together = async {
        let first = accept(&store, first, &facts, || {});
        let second = accept(&store, second, &facts, break_all);
        let third = accept(&store, third, &facts, || {});
        tokio::join!(first, second, third)
    };
    let let_go = async {
        sleep(Duration::from_millis(200)).await;
        go_on.send(()).unwrap();
    };
    let ((first_told, second_told, third_told), ()) = tokio::join!(together, let_go);
    assert!(matches!(earlier.await.unwrap(), Ok(Accepted::New(_))));
    for (told, payment) in [(first_told, first), (second_told, second), (third_told, third)] {
        let written = store.history(&payment.id).await.unwrap();
        assert_eq!(told.is_ok(), written.is_some(), "{told:?}");
        assert!(told.is_err(), "the connection is gone: {told:?}");
    }
}
