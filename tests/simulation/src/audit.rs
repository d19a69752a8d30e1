//! What must be true at the end of a run: the promises, and that the books equal the chain.

mod costs;
mod transfers;

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use x402_escrow_domain::{books::Booked, payment::History};
use x402_escrow_interface::{
    account::Escrow,
    address,
    event::{Event, data_lines},
    message::Digest,
};
use x402_escrow_verifier::{engine::app::App, store::Recheck};
use x402_escrow_wire::text::Hex32;

use crate::{
    cluster::Landed,
    ledger::Deal,
    people::World,
    setup::{FUNDS, Wallet, program},
};

pub use costs::Budgets;

/// How many payments are booked in one step.
const BOOKED_TOGETHER: u32 = 256;

/// What the chain says of a payment.
#[derive(Clone, Copy, Debug, Default)]
struct OnChain {
    /// Or was charged.
    is_held: bool,
    captured: u64,
    refunded: u64,
}

/// All that is wrong, where payments may cost the verifier so much.
pub async fn audit(world: &World, app: &App, budgets: Budgets) -> Vec<String> {
    let mut wrong = world.ledger.faults();
    let history = world.cluster.history(|landed| landed.cloned().collect::<Vec<_>>());
    let (payments, balances) = read_chain(world, &history);
    wrong.extend(costs::check(&history, budgets));
    wrong.extend(costs::check_tables(world, app, &history).await);
    wrong.extend(transfers::check(world, app, &history).await);
    while app.store.book(BOOKED_TOGETHER).await.is_ok_and(|booked| booked > 0) {}
    for (id, deal) in &world.ledger.deals() {
        let chain = payments.get(id).copied().unwrap_or_default();
        wrong.extend(check(world, id, deal, chain).into_iter().map(|what| about(id, deal, &what)));
        match app.store.history(id).await {
            Ok(history) => {
                let books = check_books(deal, history.as_ref(), chain);
                wrong.extend(books.into_iter().map(|what| about(id, deal, &what)));
                if let (Some(history), Ok(Some(entry))) = (history, app.store.entry(id).await)
                    && entry.booked != Booked::of(&history)
                {
                    wrong.push(about(id, deal, &format!("is booked as {:?}", entry.booked)));
                }
            }
            Err(error) => wrong.push(about(id, deal, &format!("the store can't be read: {error}"))),
        }
    }
    match app.store.wrong_promises().await {
        Ok(ids) => wrong.extend(ids.iter().map(|id| format!("{id}: is kept as promised for another time"))),
        Err(error) => wrong.push(format!("the store can't be read: {error}")),
    }
    match app.store.recheck_held(false).await {
        Ok(Recheck { payments, sums, unreadable }) => {
            wrong.extend(
                payments.iter().map(|id| format!("{id}: its books say that it holds something else")),
            );
            wrong.extend(sums.iter().map(|sum| format!("a sum of what is held is wrong: {sum:?}")));
            wrong.extend(unreadable.iter().map(|row| format!("{}: can't be read: {}", row.name, row.cause)));
        }
        Err(error) => wrong.push(format!("the store can't be read: {error}")),
    }
    for (id, _) in payments.iter().filter(|(id, _)| !world.ledger.deals().contains_key(*id)) {
        wrong.push(format!("{}: is on chain and nobody signed it", Hex32(*id)));
    }
    for wallet in world.wallets.iter() {
        wrong.extend(check_escrow(world, wallet, balances.get(&wallet.payer).copied().unwrap_or_default()));
    }
    wrong
}

fn about(id: &Digest, deal: &Deal, what: &str) -> String {
    format!("{} ({}, nonce {}): {what}", Hex32(*id), deal.story, deal.intent.nonce)
}

/// What moved out of an escrow, and back, by its payer's name.
type Balances = BTreeMap<String, i128>;

/// Reads what the program logged about every payment.
fn read_chain(world: &World, history: &[Landed]) -> (BTreeMap<Digest, OnChain>, Balances) {
    let mut payments: BTreeMap<Digest, OnChain> = BTreeMap::new();
    let mut balances = Balances::new();
    for landed in history.iter().filter(|landed| landed.error.is_none()) {
        let logs = landed.logs.iter().map(String::as_str);
        for line in data_lines(&program(), logs) {
            let Some(event) = BASE64_STANDARD.decode(line).ok().and_then(|data| Event::decode(&data)) else {
                continue;
            };
            let mut moved = |escrow, amount: i128| {
                if let Some(wallet) = world.wallets.iter().find(|wallet| wallet.escrow == escrow) {
                    *balances.entry(wallet.payer.clone()).or_default() += amount;
                }
            };
            match event {
                Event::Authorized(event) => {
                    payments.entry(event.intent_digest).or_default().is_held = true;
                }
                Event::Charged(event) => {
                    let payment = payments.entry(event.intent_digest).or_default();
                    payment.is_held = true;
                    payment.captured += event.amount;
                    moved(event.escrow, -i128::from(event.amount));
                }
                Event::Captured(event) => {
                    payments.entry(event.intent_digest).or_default().captured = event.captured;
                    moved(event.escrow, -i128::from(event.amount));
                }
                Event::Deposited(event) => {
                    if event.refunded_payment != [0; 32] {
                        payments.entry(event.refunded_payment).or_default().refunded += event.amount;
                    }
                    moved(event.escrow, i128::from(event.amount));
                }
                Event::Withdrawn(event) => moved(event.escrow, -i128::from(event.amount)),
                _ => {}
            }
        }
    }
    (payments, balances)
}

/// What was promised, against the chain.
fn check(world: &World, id: &Digest, deal: &Deal, chain: OnChain) -> Vec<String> {
    let mut wrong = Vec::new();
    let due = deal.released.map_or(deal.promised, |end| deal.promised.min(end));
    if chain.captured < due {
        wrong.push(format!("{due} was answered yes, and only {} is captured", chain.captured));
    }
    if chain.captured < deal.served {
        wrong.push(format!("{} was served, and only {} is captured", deal.served, chain.captured));
    }
    if chain.captured > deal.intent.amount {
        wrong.push(format!("{} is captured out of {}", chain.captured, deal.intent.amount));
    }
    if chain.captured > deal.signed {
        wrong.push(format!("{} is captured, and only {} was signed for", chain.captured, deal.signed));
    }
    if chain.refunded > deal.refunded {
        wrong.push(format!("{} is refunded, and only {} was asked for", chain.refunded, deal.refunded));
    }
    if deal.is_held && !chain.is_held {
        wrong.push("the hold was answered yes and is not on chain".to_owned());
    }
    let session = address::session(&program(), &deal.intent.escrow, &deal.intent.session_key);
    let hold = address::hold(&program(), &session, deal.intent.nonce);
    let is_there = world
        .cluster
        .account(&hold)
        .and_then(|account| x402_escrow_interface::account::Hold::decode(&account.data).ok())
        .is_some_and(|hold| hold.intent_digest == *id);
    if is_there {
        wrong.push("its hold is still there: the payer's money and the relayer's rent are locked".to_owned());
    }
    wrong
}

/// The store against the chain.
fn check_books(deal: &Deal, history: Option<&History>, chain: OnChain) -> Vec<String> {
    // What a relayer has held that the verifier said no to is the relayer's affair.
    if deal.is_relayed && !deal.is_held {
        return Vec::new();
    }
    let Some(history) = history else {
        return if chain.is_held {
            vec!["is on chain and the store doesn't know it".to_owned()]
        } else {
            vec![]
        };
    };
    let mut wrong = Vec::new();
    let sums = history.settled_sums();
    if history.authorization().has_landed() != chain.is_held {
        let state = history.authorization().as_str();
        wrong.push(format!("the books say that its hold is {state}; on chain: {}", chain.is_held));
    }
    if sums.captured != chain.captured {
        wrong.push(format!("the books say that {} is captured, the chain {}", sums.captured, chain.captured));
    }
    if sums.refunded != chain.refunded {
        wrong.push(format!("the books say that {} is refunded, the chain {}", sums.refunded, chain.refunded));
    }
    if !history.is_over() {
        let operations = history.operations.iter().map(|tracked| {
            let operation = &tracked.operation;
            let problem = operation.problem.as_ref().map(|problem| problem.message.as_str());
            format!("{} {} {problem:?}", operation.action.kind(), operation.state.as_str())
        });
        let operations = operations.collect::<Vec<_>>().join(", ");
        wrong.push(format!("the books say that it is not over: {operations}"));
    }
    wrong
}

/// An escrow has what its payer put in, less what moved out, and holds nothing.
fn check_escrow(world: &World, wallet: &Wallet, moved: i128) -> Vec<String> {
    let account = world.cluster.account(&wallet.escrow);
    let Some(escrow) = account.and_then(|account| Escrow::decode(&account.data).ok()) else {
        return vec![format!("{}: the escrow is gone", wallet.payer)];
    };
    let mut wrong = Vec::new();
    if i128::from(escrow.balance) != i128::from(FUNDS) + moved {
        wrong.push(format!("{}: the escrow has {}, not {FUNDS}{moved:+}", wallet.payer, escrow.balance));
    }
    if escrow.held != 0 {
        wrong.push(format!("{}: {} is still held", wallet.payer, escrow.held));
    }
    wrong
}
