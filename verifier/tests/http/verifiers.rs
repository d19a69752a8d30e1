//! Several verifiers over one store. What needs PostgreSQL is ignored unless asked for: `cargo xtask test` does, with
//! `X402_TEST_POSTGRES`.

mod broken;
mod crash;
mod durable;
mod given_up;
mod password;
mod server;

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use futures_util::{StreamExt, future::join_all, stream};
use serde_json::{Value, json};
use solana_sdk::signer::Signer;
use x402_escrow_domain::{
    budget::{self, Budgets, Limit, Limits},
    facts::{Facts, Subject, receiver_token_accounts},
    payment::{Action, HoldTerms, Payment},
    policy::Policy,
    promises::Promises,
    verify::intent::{self, Proposal},
};
use x402_escrow_verifier::{
    chain::{self, Chain},
    engine::budget::charge_transfer,
    store::{Accepted, Database, NewIntent, StoreError},
};
use x402_escrow_wire::{
    auth_capture::{Commitment, Extra, Level},
    clock::unix_now,
    error_code::ErrorCode,
    payment::PaymentRequirements,
};

use crate::{
    nodes::{Fault, Node},
    wait,
    world::{FUNDS, Options, PAYER, World, keypair, program},
};

/// What a busy machine may add.
const BUSY: Duration = Duration::from_secs(15);

/// Two verifiers over one PostgreSQL, the leader first.
async fn two(options: Options) -> (World, World) {
    let leader = World::with(options).await;
    leads(&leader).await;
    let standby = leader.another(options).await;
    assert!(matches!(leader.place.database, Database::Postgres(_)), "set X402_TEST_POSTGRES");
    (leader, standby)
}

/// Waits until the verifier leads.
async fn leads(world: &World) {
    wait::until("the verifier to lead", async || world.app.is_leading.load(Ordering::Relaxed)).await;
}

/// A payment as `/settle` makes it.
fn payment(world: &World, requirements: &PaymentRequirements, nonce: u64) -> Payment {
    let payload = world.payload(requirements, nonce);
    let intent = payload.intent(requirements, &Extra::read(requirements).unwrap());
    let signature = payload.signature.unwrap().0;
    let hold = HoldTerms { intent, signature, receiver_proof: Vec::new() };
    Payment::signed(hold, keypair(PAYER).pubkey(), world.mint, unix_now())
}

/// What the chain says of the session and the receiver.
async fn facts(world: &World, requirements: &PaymentRequirements) -> Facts {
    let receivers = BTreeSet::from(receiver_token_accounts(&requirements.pay_to.into(), &world.mint));
    let subject =
        Subject { program: program(), escrow: world.escrow, session_key: world.session_key(), nonce: None };
    chain::facts::read(&world.app.together, &subject, &receivers).await.unwrap()
}

#[tokio::test]
async fn a_second_verifier_does_not_work_beside_the_first() {
    let first = World::new().await;
    leads(&first).await;
    let mut second = first.another(Options::default()).await;
    match &first.place.database {
        Database::Sqlite(path) => {
            let error = second.ended().await.unwrap_err();
            assert!(matches!(error, StoreError::InUse { .. }), "{error}");
            let path = path.display();
            let told = format!("another verifier has the database {path}: only PostgreSQL takes several");
            assert_eq!(error.to_string(), told);
        }
        Database::Postgres(_) => {
            assert_eq!(first.get("/health").await.1["role"], "leader");
            assert_eq!(second.get("/health").await.1["role"], "standby");
        }
    }
    first.authorize(1000, 1).await;
    assert_eq!(first.cluster.distinct_sent(), 1);
}

#[tokio::test]
#[ignore = "needs X402_TEST_POSTGRES"]
async fn thousands_of_payments_at_once_at_two_verifiers_are_never_promised_more_than_the_escrow_has() {
    const AMOUNT: u64 = 50_000;
    const PAYMENTS: u64 = 1000;
    let (mut first, mut second) = two(Options::default()).await;
    // What is accepted stays a promise: nobody sends it.
    first.crash().await;
    second.crash().await;
    let requirements = first.requirements(AMOUNT);
    let facts = facts(&first, &requirements).await;
    let payments: Vec<_> = (1..=PAYMENTS).map(|nonce| payment(&first, &requirements, nonce)).collect();
    let accept = |world: &World, payment: &Payment| {
        let (store, payment, facts) = (world.app.store.clone(), payment.clone(), facts.clone());
        let policy = Policy { maximum_open_holds_per_escrow: u64::MAX, ..world.app.rules.policy.clone() };
        async move {
            let hold = payment.hold().unwrap();
            let (intent, asset, known) = (hold.intent, payment.mint, facts.clone());
            let check = move |promises: &Promises| {
                let proposal = Proposal { intent: &intent, receiver_proof: &[], asset: &asset };
                intent::check(&proposal, &known, promises, &policy).map(drop)
            };
            let new = NewIntent {
                payment: &payment,
                signed: hold,
                action: &Action::Authorize,
                commitment: Level::Processed,
                rent_lamports: 0,
            };
            store.accept_intent(new, &facts, None, check).await.unwrap()
        }
    };
    let pairs = stream::iter(&payments)
        .map(|payment| futures_util::future::join(accept(&first, payment), accept(&second, payment)))
        .buffered(200);
    let pairs: Vec<_> = pairs.collect().await;
    let mut promised = 0;
    for pair in pairs {
        match pair {
            (Accepted::New(one), Accepted::Before(other)) | (Accepted::Before(one), Accepted::New(other)) => {
                assert_eq!(one, other);
                promised += AMOUNT;
            }
            (Accepted::Refused(one), Accepted::Refused(other)) => {
                assert_eq!(
                    (one.code, other.code),
                    (ErrorCode::InsufficientFunds, ErrorCode::InsufficientFunds)
                );
            }
            other => panic!("equal payments were answered differently: {other:?}"),
        }
    }
    assert_eq!(promised, FUNDS);
    let count = i64::try_from(FUNDS / AMOUNT).unwrap();
    assert_eq!(first.rows().await, [count, count, 0]);
}

#[tokio::test]
#[ignore = "needs X402_TEST_POSTGRES"]
async fn equal_requests_to_two_verifiers_have_one_outcome() {
    let (first, second) =
        two(Options { settle_timeout: Duration::from_secs(20), ..Options::default() }).await;
    let bodies: Vec<_> = (1..=40).map(|nonce| first.body(&first.requirements(1_000_000), nonce)).collect();
    let pairs = bodies.iter().map(|body| futures_util::future::join(first.settle(body), second.settle(body)));
    let pairs = join_all(pairs).await;
    let mut held = 0;
    for (mut one, mut other) in pairs {
        if one["success"] == true {
            held += 1;
            let take = |answer: &mut Value| answer["extra"]["alreadySettled"].take().as_bool().unwrap();
            assert_ne!(take(&mut one), take(&mut other), "one of them was the first");
        } else {
            assert_eq!(one["errorReason"], "insufficient_funds", "{one}");
        }
        assert_eq!(one["success"], other["success"], "{one} {other}");
        assert_eq!(one["errorReason"], other["errorReason"]);
        assert_eq!(one["transaction"], other["transaction"]);
    }
    assert_eq!(held, 10, "ten of 1 USDC fit into 10");
    assert_eq!(first.escrow_account().held, FUNDS);
    assert_eq!(first.rows().await, [10, 10, 10], "what was refused was never sent");
}

#[tokio::test]
#[ignore = "needs X402_TEST_POSTGRES"]
async fn what_the_standby_accepts_the_leader_settles() {
    let (leader, standby) = two(Options::default()).await;
    let id = standby.authorize(1000, 1).await;
    assert_eq!(leader.payment(id).await["state"], "authorized");
    standby.settled(&standby.capture(id, 600, true)).await;
    assert_eq!(leader.received(), 600);
    assert!(!standby.app.is_leading.load(Ordering::Relaxed));
    assert_eq!(leader.cluster.distinct_sent(), 2);
}

#[tokio::test]
#[ignore = "needs X402_TEST_POSTGRES"]
async fn a_leader_that_makes_no_progress_is_replaced_within_15_seconds() {
    let options = Options { commitment: Commitment::Confirmed, ..Options::default() };
    let mut node = None;
    let leader = World::through(options, async |cluster| {
        node = Some(Node::new(cluster));
        node.clone().unwrap() as Arc<dyn Chain>
    })
    .await;
    leads(&leader).await;
    let standby = leader.another(options).await;
    let id = leader.authorize(1000, 1).await;
    assert_eq!(standby.get("/health").await.1["hasLeader"], true);
    node.unwrap().break_with(Fault::Hangs);
    let since = Instant::now();
    leads(&standby).await;
    assert!(since.elapsed() < Duration::from_secs(15) + BUSY, "{:?}", since.elapsed());
    let (status, health) = leader.get("/health").await;
    assert_eq!((status, &health["role"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("standby")), "{health}");
    assert_eq!(health["reasons"], json!(["the Solana node did not answer within 5 seconds"]));
    assert_eq!(standby.get("/health").await.0, StatusCode::OK);
    standby.settled(&standby.capture(id, 600, true)).await;
    let error = leader.app.store.end_reviews(&[id.0]).await.unwrap_err();
    assert!(matches!(error, StoreError::NotLeading), "{error}");
}

#[tokio::test]
#[ignore = "needs X402_TEST_POSTGRES"]
async fn a_leader_that_stops_hands_over_at_once_and_a_standby_says_if_nobody_leads() {
    let (mut leader, mut standby) = two(Options::default()).await;
    let since = Instant::now();
    leader.stop().await;
    leads(&standby).await;
    // By itself its lease would end after ten.
    assert!(since.elapsed() < Duration::from_secs(8), "{:?}", since.elapsed());
    standby.crash().await;
    let not_led = async || leader.get("/health").await.1["hasLeader"] == false;
    wait::until("the lease to end", not_led).await;
    let (status, health) = leader.get("/health").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{health}");
    assert_eq!(health["reasons"], json!(["no verifier leads: nothing is sent or followed"]));
}

#[tokio::test]
#[ignore = "needs X402_TEST_POSTGRES"]
async fn the_standby_takes_over_when_the_leader_dies() {
    let options = Options { settle_timeout: Duration::from_secs(5), ..Options::default() };
    let (mut leader, standby) = two(options).await;
    let id = leader.authorize(1000, 1).await;
    // Accepted, and not sent yet, when the leader dies.
    leader.cluster.state().loses_transactions = true;
    let body = leader.body(&leader.requirements(500), 2);
    let (answer, ()) = tokio::join!(standby.settle(&body), leader.crash());
    leader.cluster.state().loses_transactions = false;
    assert_eq!(answer["success"], false, "{answer}");
    leads(&standby).await;
    standby.settled(&standby.capture(id, 600, true)).await;
    standby.settled(&body).await;
    assert_eq!((standby.received(), standby.escrow_account().held), (600, 500));
    // The one before may be frozen and not know it: nothing that it would write as the leader is taken.
    let error = leader.app.store.end_reviews(&[id.0]).await.unwrap_err();
    assert!(matches!(error, StoreError::NotLeading), "{error}");
}

#[tokio::test]
#[ignore = "needs X402_TEST_POSTGRES"]
async fn two_verifiers_have_one_budget_and_spend_no_more_than_it() {
    let overall = Limit { hour: 100 * budget::transfer(0).fees, day: 0 };
    let fees = Limits { overall, ..Limits::default() };
    let budgets = Budgets { fees, rent: Limits::default() };
    let (first, second) = two(Options { budgets, ..Options::default() }).await;
    let charges = (0..200_u8).map(|index| {
        let app = if index % 2 == 0 { &first.app } else { &second.app };
        charge_transfer(app, [index; 32].into(), first.merchant(), 0)
    });
    let charged = join_all(charges).await.iter().filter(|charge| charge.is_ok()).count();
    assert!((96..=100).contains(&charged), "{charged}");
}
