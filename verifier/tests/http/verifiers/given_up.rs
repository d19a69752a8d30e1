//! What is begun on PostgreSQL and given up at once, as when a client hangs up.

use std::{pin::pin, thread, time::Duration};

use futures_util::poll;
use tokio::{task::yield_now, time::timeout};

use crate::{wait, world::World};

/// At how many moments something is given up: by the last of them it has begun.
const MOMENTS: u32 = 10;
const TIMES: usize = 200;

/// PostgreSQL ends what is idle in a transaction for five seconds.
const BEFORE_THE_DATABASE_ENDS_IT: Duration = Duration::from_secs(4);

#[tokio::test]
#[ignore = "needs X402_TEST_POSTGRES"]
async fn what_is_given_up_while_it_begins_leaves_no_connection_in_a_transaction() {
    let mut world = World::new().await;
    world.crash().await;
    let store = &world.app.store;
    for moment in (0..MOMENTS).cycle().take(TIMES) {
        give_up(store.set_paused(false), moment).await;
        // Before another write ends what this one may have left.
        let is_over = wait::until("no transaction to be open", async || world.transactions().await == 0);
        let in_time = timeout(BEFORE_THE_DATABASE_ENDS_IT, is_over).await;
        assert!(in_time.is_ok(), "given up after {moment} moments, it left a transaction");
    }
}

/// Begins that, and drops it after so many moments.
async fn give_up(work: impl Future, moments: u32) {
    let mut work = pin!(work);
    for _ in 0..moments {
        if poll!(&mut work).is_ready() {
            break;
        }
        // The runtime's clock knows only milliseconds.
        thread::sleep(Duration::from_micros(20));
        yield_now().await;
    }
}
