//! Payments of several payers on a cluster without transactions of version 1: in version 0, with lookup tables that the
//! verifier makes, extends and closes.

mod closing;

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::future::join_all;
use serde_json::Value;
use solana_sdk::{account::Account, message::VersionedMessage};
use tokio::{select, task::JoinHandle, time::sleep};
use x402_escrow_domain::{
    cluster,
    lookup_tables::{PROGRAM_ID, TableState},
};
use x402_escrow_interface::Address;
use x402_escrow_wire::auth_capture::Commitment;

use super::market::{Ending, MINTS, Market};
use crate::{wait, world::Options};

const BUYERS: u8 = 20;

/// Each has an escrow, its vault and a session.
const ADDRESSES_OF_BUYERS: usize = 3 * BUYERS as usize;

/// What the verifier offers unless it is configured.
const OPTIONS: fn() -> Options =
    || Options { mints: &MINTS, lookup_tables: 2, compute_unit_price: 1_000, ..Options::default() };

struct Bazaar {
    market: Market,
    /// Lets time pass.
    _slots: JoinHandle<()>,
}

impl Bazaar {
    async fn open() -> Self {
        let mut market = Market::with(OPTIONS(), BUYERS, 1, 1).await;
        market.world.crash().await;
        let cluster = Arc::clone(&market.world.cluster);
        let slots = tokio::spawn(async move {
            loop {
                cluster.pass_slots(1);
                sleep(Duration::from_millis(20)).await;
            }
        });
        Self { market, _slots: slots }
    }

    /// Runs the verifier until `holds`.
    async fn run_until(&self, what: &str, holds: impl AsyncFnMut() -> bool) {
        let running = self.market.world.go_on().await;
        wait::until(what, holds).await;
        running.abort();
        _ = running.await;
    }

    /// Asks for all of that at once, and runs the verifier once all of it is stored.
    async fn settle_together(&self, bodies: &[Value]) {
        let world = &self.market.world;
        let [_, before, _] = world.rows().await;
        let stored = before + i64::try_from(bodies.len()).unwrap();
        let mut settled = pin!(join_all(bodies.iter().map(|body| world.settle(body))));
        select! {
            answers = &mut settled => panic!("answered before anything was sent: {answers:?}"),
            () = wait::until("all are stored", async || world.rows().await[1] == stored) => {}
        }
        let running = world.go_on().await;
        for answer in settled.await {
            assert_eq!(answer["success"], true, "{answer}");
        }
        running.abort();
        _ = running.await;
    }

    /// Each buyer pays once: all are held together, then all are captured together. Returns what each cost in lamports,
    /// and how many transactions there were.
    async fn pay(&mut self) -> (u64, usize) {
        let before = self.paid();
        let first = self.market.sales.len();
        let orders = self.orders(Ending::Captured { amount: 400 });
        self.settle_together(&orders).await;
        self.capture_since(first).await;
        let after = self.paid();
        ((after.0 - before.0).div_ceil(BUYERS.into()), after.1 - before.1)
    }

    /// The fees of all payments in lamports, and how many transactions there were of them.
    fn paid(&self) -> (u64, usize) {
        let fees = self.fees(|message| !message.static_account_keys().contains(&PROGRAM_ID));
        (fees.iter().sum(), fees.len())
    }

    /// The fee of each transaction in a block that is `counted`, in lamports.
    fn fees(&self, counted: impl Fn(&VersionedMessage) -> bool) -> Vec<u64> {
        let state = self.market.world.cluster.state();
        let messages =
            state.executed.values().map(|executed| bincode::deserialize(&executed.message).unwrap());
        messages.filter(counted).map(|message| fee(&message)).collect()
    }

    /// What each buyer asks for.
    fn orders(&mut self, ending: Ending) -> Vec<Value> {
        (0..usize::from(BUYERS)).map(|buyer| self.market.order(buyer, 0, ending)).collect()
    }

    /// Captures all payments but the `first` ones.
    async fn capture_since(&self, first: usize) {
        let sales = self.market.sales[first..].iter();
        let endings: Vec<_> = sales.map(|sale| self.market.ending(sale)).collect();
        self.settle_together(&endings).await;
    }

    /// The addresses in the tables that can be used.
    fn usable(&self) -> Vec<Address> {
        let tables = self.market.world.app.tables.get();
        tables.iter().flat_map(|table| &table.addresses).copied().collect()
    }

    /// Pays until the accounts of all buyers are in tables: vaults come last, which holds don't name. Returns what each
    /// payment cost before.
    async fn learn(&mut self) -> u64 {
        let (lamports, _) = self.pay().await;
        for _ in 0..3 {
            self.pay().await;
        }
        // One that was never sent, since the verifier was stopped before, is given up.
        self.market.world.cluster.outlive_blockhash();
        self.run_until("tables", async || self.usable().len() > ADDRESSES_OF_BUYERS).await;
        lamports
    }

    /// The tables of the store, and whether the chain has each.
    async fn tables(&self) -> Vec<(Address, Option<TableState>)> {
        let known = self.market.world.app.store.lookup_tables().await.unwrap();
        let state = self.market.world.cluster.state();
        let read = |address: &Address| {
            let Account { owner, data, lamports, .. } = state.svm.get_account(address)?;
            TableState::read(&cluster::Account { owner, data, lamports })
        };
        known.iter().map(|table| (table.address, read(&table.address))).collect()
    }
}

#[tokio::test]
async fn payments_of_several_payers_cost_less_once_their_accounts_are_in_a_table() {
    let mut bazaar = Bazaar::open().await;
    let before = bazaar.learn().await;
    let tables = bazaar.tables().await;
    assert_eq!(tables.len(), 1);
    assert_eq!(tables[0].1.as_ref().unwrap().addresses, bazaar.usable());
    let usable = bazaar.usable();
    assert!(usable.len() < ADDRESSES_OF_BUYERS + 10, "each hold is named by one payment alone: {usable:?}");

    let (lamports, sent) = bazaar.pay().await;
    println!("lamports a payment, held and captured: {before} without lookup tables, {lamports} with");
    assert!(lamports <= 2_100, "{lamports}");
    assert!(lamports * 4 <= before * 3, "{lamports} of {before}");
    assert_eq!(sent, 7, "four of five holds, and three of at most seven captures");
    bazaar.market.assert_books();
    let world = &bazaar.market.world;
    world.cluster.state().level = Commitment::Finalized;
    let last = &bazaar.market.sales[bazaar.market.sales.len() - 1];
    let is_final = async || {
        let (_, payment) = world.get(&format!("/payments/{}", last.id)).await;
        let operations = payment["operations"].as_array().unwrap();
        operations.iter().all(|operation| operation["status"] == "finalized")
    };
    bazaar.run_until("it is final", is_final).await;
    let (_, _, page) = world.page("/metrics").await;
    assert!(page.lines().any(|line| line == "x402_lookup_tables 1.0"), "{page}");
}

#[tokio::test]
async fn charges_of_several_payers_cost_less_too() {
    let mut bazaar = Bazaar::open().await;
    bazaar.learn().await;
    let (before, _) = bazaar.paid();
    let bodies = bazaar.orders(Ending::Charged { amount: 400 });
    bazaar.settle_together(&bodies).await;
    let lamports = (bazaar.paid().0 - before).div_ceil(BUYERS.into());
    println!("lamports a charge: {lamports}");
    assert!(lamports <= 1_600, "{lamports}");
    bazaar.market.assert_books();
}

/// The fee of a transaction, in lamports.
fn fee(message: &VersionedMessage) -> u64 {
    let budget = message.instructions();
    let units = u64::from(u32::from_le_bytes(budget[0].data[1..].try_into().unwrap()));
    let price = u64::from_le_bytes(budget[1].data[1..].try_into().unwrap());
    5000 * u64::from(message.header().num_required_signatures) + (price * units).div_ceil(1_000_000)
}

#[tokio::test]
async fn a_process_that_is_killed_between_loses_no_table() {
    let mut bazaar = Bazaar::open().await;
    // It is killed after it has sent what makes a table, which no block takes.
    bazaar.market.world.cluster.state().loses_tables = true;
    bazaar.pay().await;
    bazaar.run_until("one is being made", async || bazaar.tables().await.len() == 1).await;
    bazaar.market.world.cluster.state().loses_tables = false;
    let (lost, _) = bazaar.tables().await[0].clone();
    bazaar.market.world.restart(OPTIONS()).await;
    bazaar.market.world.crash().await;
    bazaar.pay().await;
    assert_eq!(bazaar.tables().await, [(lost, None)], "it may still be made");
    bazaar.market.world.cluster.outlive_blockhash();
    bazaar.learn().await;
    let tables = bazaar.tables().await;
    assert!(tables.len() == 1 && tables[0].0 != lost, "{tables:?}");

    // The next process finds what is in the table on chain.
    let usable = bazaar.usable();
    bazaar.market.world.restart(OPTIONS()).await;
    bazaar.market.world.crash().await;
    assert!(bazaar.usable().is_empty());
    bazaar.run_until("the table is known", async || bazaar.usable() == usable).await;
    assert!(bazaar.pay().await.0 <= 2_100);
}

#[tokio::test]
async fn payments_go_on_without_a_table_that_is_gone() {
    let mut bazaar = Bazaar::open().await;
    bazaar.learn().await;
    let (table, _) = bazaar.tables().await[0].clone();
    {
        // Whoever has the fee payer's key can close it. Final blocks still have it.
        let state = &mut *bazaar.market.world.cluster.state();
        state.confirmed = Some(state.svm.clone());
        state.svm.set_account(table, Account::default()).unwrap();
    }
    assert!(bazaar.usable().len() > ADDRESSES_OF_BUYERS);
    let first = bazaar.market.sales.len();
    let orders = bazaar.orders(Ending::Captured { amount: 400 });
    bazaar.settle_together(&orders).await;
    bazaar.market.world.cluster.state().confirmed = None;
    bazaar.capture_since(first).await;
    bazaar.market.assert_books();
}
