//! Payments that came to nothing lock no part of a budget.

use serde_json::json;
use x402_escrow_domain::budget::{Budgets, Limit, Limits};

use crate::world::{FUNDS, Options, World};

/// More than a hold's rent, and less than that of two.
const RENT_OF_ONE: u64 = 4_000_000;

#[tokio::test]
async fn rent_that_a_refused_authorization_did_not_lock_is_there_for_the_next() {
    let payer = Limit { hour: 0, day: RENT_OF_ONE };
    let budgets = Budgets { rent: Limits { payer, ..Limits::default() }, ..Budgets::default() };
    let world = World::with(Options { budgets, ..Options::default() }).await;
    // The node that is asked first has not seen the withdrawal, the one that simulates has.
    let before = world.cluster.state().svm.clone();
    world.withdraw(FUNDS - 500);
    {
        let mut state = world.cluster.state();
        state.facts = Some((state.slot, before));
    }
    let refused = world.settle(&world.body(&world.requirements(1000), 1)).await;
    assert_eq!((&refused["success"], &refused["extra"]["status"]), (&json!(false), &json!("refused")));
    world.cluster.state().facts = None;

    world.settled(&world.body(&world.requirements(400), 2)).await;
    // What is held locks its rent.
    let (_, other) = world.post("/settle", &world.body(&world.requirements(100), 3)).await;
    assert_eq!(other["error"]["code"], "budget_used_up", "{other}");
}
