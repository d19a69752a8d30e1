//! Purchases by chance over a line that loses anything, by agents that start again and again.

use std::collections::BTreeMap;

use x402_escrow_agent::{AgentClient, Request};

use crate::{
    peers::{PRICE, Peers, World, told_of},
    streams::ask,
};

const HOLD_PRICES: u64 = 10;

/// Buys `count` times, half of it under 60 keys that are asked for again, and says how often each told what.
async fn buy(peers: &Peers, agent: impl Fn() -> AgentClient, count: usize) -> BTreeMap<String, u64> {
    let mut told = BTreeMap::new();
    let mut client = agent();
    for step in 0..count {
        let (chance, key) = peers.with_world(|world| {
            world.end_some();
            (world.below(12), world.below(60))
        });
        if chance == 0 {
            // Another process, which has the files only.
            client = agent();
        }
        let keyed = format!("key-{key}");
        let request = match chance % 2 {
            0 => Request::get(&format!("{}/{keyed}", peers.url)).keyed(&keyed),
            _ => Request::get(&format!("{}/any", peers.url)),
        };
        let what = told_of(&client, &request).await;
        assert!(!what.starts_with("error in_doubt") && !what.contains("file"), "step {step}: {what}");
        *told.entry(what.split(' ').take(2).collect::<Vec<_>>().join(" ")).or_insert(0) += 1;
        if what == "served" && request.key.is_some() {
            let again = client.fetch(&request).await;
            assert!(again.is_err_and(|error| error.code() == "already_bought"), "step {step}");
        }
    }
    told
}

/// What holds whatever was lost.
fn check(peers: &Peers, told: &BTreeMap<String, u64>) {
    peers.with_world(|world| {
        for (path, times) in world.bought.iter().filter(|(path, _)| path.starts_with("/key-")) {
            assert_eq!(*times, 1, "{path} was bought {times} times");
        }
        assert_eq!(told["served"], world.answered, "each yes is told, and nothing else: {told:?}");
        for (id, hold) in &world.holds {
            let accepted = hold.accepted.last().copied().unwrap_or(0);
            assert!(hold.sent <= accepted + PRICE, "{id}: {} sent, {accepted} accepted", hold.sent);
            assert!(hold.sent <= HOLD_PRICES * PRICE, "{id}");
        }
    });
}

#[tokio::test]
async fn a_key_buys_once_and_no_hold_is_signed_for_more_than_a_price_ahead() {
    for seed in 1..=3 {
        let peers = Peers::start().await;
        ask(&peers, PRICE);
        peers.live_in(World::new(seed));
        let told = buy(&peers, || peers.agent(PRICE).streaming(HOLD_PRICES * PRICE), 120).await;
        check(&peers, &told);
        assert!(told["served"] > 10 && told["unknown"] > 10, "{told:?}");
        let open = peers.files().streams.read().unwrap();
        assert!(open.len() <= 2, "{open:?}");
    }
}

#[tokio::test]
async fn a_key_buys_once_where_each_purchase_is_a_payment_of_its_own() {
    for seed in 1..=2 {
        let peers = Peers::start().await;
        peers.live_in(World::new(seed));
        let told = buy(&peers, || peers.agent(PRICE), 80).await;
        check(&peers, &told);
        assert!(told["served"] > 10 && told["unknown"] > 10, "{told:?}");
        let agent = peers.agent(PRICE);
        for purchase in peers.files().journal.unfinished().unwrap() {
            let outcome = agent.lookup(&purchase.id).await.unwrap().unwrap();
            let is_bought = peers.with_world(|world| world.holds.contains_key(&purchase.id));
            assert_eq!(outcome.purchase.is_finished(), is_bought, "{outcome:?}");
        }
    }
}
