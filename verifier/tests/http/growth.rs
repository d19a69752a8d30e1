//! What is done all the time reads as little with many payments in the store as with few, and what is over keeps little.

use futures_util::future::join_all;
use solana_sdk::signer::Signer;
use x402_escrow_domain::{
    books::{Filter, Place},
    payment::Outcome,
};
use x402_escrow_verifier::{
    operator::scrape::scrape,
    store::{Database, Look, Store},
};
use x402_escrow_wire::{auth_capture::Commitment, text::Hex32};

use crate::{
    stream,
    subscriber::{Statement, statements_of},
    wait,
    world::{World, keypair},
};

/// How many payments of each kind are many.
const MANY: u32 = 300;

/// SQLite's words for reading whole indexes and tables that stay small, however many payments there are.
const SMALL: [&str; 11] = [
    "SCAN operations USING INDEX operations_awaited",
    "SCAN operations USING INDEX operations_open",
    "SCAN operations USING INDEX operations_queued",
    "SCAN payments_to_book",
    // The result of a part of the statement.
    "SCAN counted",
    "SCAN longest_due",
    "SCAN new",
    "SCAN pause",
    "SCAN CONSTANT ROW",
    "SCAN budgets",
    // At most 90.
    "SCAN lookup_tables",
];

/// The same for a range of an index: what is due, or came to nothing lately.
const SMALL_RANGES: [&str; 5] = [
    "payments_to_review (review_at<?)",
    "payments_to_capture (review_at<?)",
    "payments_to_capture (review_at>? AND review_at<?)",
    "operations_fruitless (accepted_at>?)",
    "budgets_by_end (ends_at<?)",
];

/// What is done all the time.
struct Work {
    name: &'static str,
    /// The index that finds what it needs; empty if it needs no certain one.
    index: &'static str,
    statements: Vec<Statement>,
}

/// Records how far a payment's operations are, as they were.
async fn record(store: &Store, id: Hex32) {
    let known = store.history(&id.0).await.unwrap().unwrap();
    store.record(&known.operations.iter().collect::<Vec<_>>()).await.unwrap();
}

async fn work(world: &World, channel: &stream::Channel) -> Vec<Work> {
    let store = &world.app.store;
    let now = world.app.now();
    let (receiver, stranger) = (world.merchant(), keypair(77).pubkey());
    let of_outcome = Filter { outcome: Some(Outcome::Refunded), ..Filter::default() };
    let of_authorizer = Filter { receiver_authorizer: Some(stranger), ..Filter::default() };
    let entries =
        async |filter: &Filter| store.entries(Some(&receiver), filter, &Place::END, 25).await.unwrap();
    let intent = world.body(&world.requirements(1000), 3);
    let done = |name, index, statements| Work { name, index, statements };
    vec![
        done("accepting a payment", "payments_promised", statements_of(world.post("/verify", &intent)).await),
        done("accepting a voucher", "", statements_of(world.post("/verify", &channel.voucher(200))).await),
        done("reading a payment", "", statements_of(world.payment(channel.id)).await),
        done(
            "a look at what is open",
            "operations_open",
            statements_of(store.open_operations(Look::All)).await,
        ),
        done(
            "a look at what is awaited",
            "operations_awaited",
            statements_of(store.open_operations(Look::Awaited)).await,
        ),
        done(
            "a look at what may be final",
            "operations_open",
            statements_of(store.open_operations(Look::UpTo(0))).await,
        ),
        done("recording what a look found", "", statements_of(record(store, channel.id)).await),
        done("a look at what is to be sent", "operations_queued", statements_of(store.unsent()).await),
        done("numbers", "operations_open", statements_of(scrape(&world.app)).await),
        done(
            "overdue vouchers",
            "payments_to_capture",
            statements_of(store.overdue_vouchers(now, now)).await,
        ),
        done("a review", "payments_to_capture", statements_of(store.due_for_review(now, now)).await),
        done("booking", "", statements_of(store.book(100)).await),
        done(
            "what came to nothing",
            "operations_fruitless",
            statements_of(store.fruitless(Some(&receiver), 0, 50)).await,
        ),
        done("payments of an outcome", "payments_by_outcome", statements_of(entries(&of_outcome)).await),
        done(
            "payments of an authorizer",
            "payments_by_authorizer",
            statements_of(entries(&of_authorizer)).await,
        ),
    ]
}

/// How SQLite finds what a statement needs, with what of it reads more the more payments there are.
async fn plan(world: &World, statement: &Statement) -> (Vec<String>, Vec<String>) {
    let plan = world.plan(&statement.text).await;
    let is_large = |step: &&String| {
        // Whether the index alone is enough makes no difference.
        let read = step.replace(" COVERING ", " ");
        let is_small = SMALL.iter().any(|small| read.starts_with(small));
        let is_range = SMALL_RANGES.iter().any(|range| step.ends_with(range));
        (step.starts_with("SCAN") && !is_small)
            || (step.starts_with("SEARCH") && !step.contains("=?") && !is_range)
    };
    let large = plan.iter().filter(is_large).cloned().collect();
    (plan, large)
}

/// A world with a stream and a payment that is over, both final and booked.
async fn two_payments() -> (stream::Channel, Hex32) {
    let channel = stream::Channel::open().await;
    let world = &channel.world;
    world.cluster.state().level = Commitment::Finalized;
    let paid = world.authorize(1000, 2).await;
    world.settled(&world.capture(paid, 1000, true)).await;
    for (id, outcome) in [(channel.id, "held"), (paid, "paid")] {
        world
            .until(id, |payment| {
                payment["operations"].as_array().unwrap().iter().all(|one| one["status"] == "finalized")
            })
            .await;
        world.until_booked(id, outcome).await;
    }
    (channel, paid)
}

#[tokio::test]
async fn what_is_done_all_the_time_reads_as_few_rows_with_many_payments() {
    let (channel, paid) = two_payments().await;
    let world = &channel.world;
    // What is read once and kept in memory is read now.
    work(world, &channel).await;
    let few = work(world, &channel).await;
    for id in [channel.id, paid] {
        world.crowd(id, MANY).await;
    }
    let many = work(world, &channel).await;
    for (few, many) in few.iter().zip(&many) {
        let rows = |work: &Work| work.statements.iter().map(|statement| statement.rows).sum::<u64>();
        assert_eq!(rows(few), rows(many), "{}: {:#?}", few.name, many.statements);
    }
}

/// PostgreSQL plans by how many rows there are, SQLite by the schema alone.
#[tokio::test]
async fn what_is_done_all_the_time_goes_through_no_table() {
    let (channel, _) = two_payments().await;
    let world = &channel.world;
    if let Database::Postgres(_) = world.place.database {
        return;
    }
    for Work { name, index, statements } in work(world, &channel).await {
        let mut plans = Vec::new();
        for statement in &statements {
            let (plan, large) = plan(world, statement).await;
            assert!(large.is_empty(), "{name}: {large:#?} of\n{}", statement.text);
            plans.extend(plan);
        }
        let uses_it = index.is_empty() || plans.iter().any(|step| step.contains(index));
        assert!(uses_it, "{name} does not use {index}: {plans:#?}");
    }
}

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
