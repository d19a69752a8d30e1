//! Recomputes what is held from the rows and from the chain, says where they differ, and repairs the books where the chain
//! tells what happened. Uses `engine`, `store` and `chain`.

mod report;

use std::collections::{BTreeMap, BTreeSet};

use x402_escrow_domain::{
    cluster::Account,
    payment::History,
    reconcile::{Comparison, compare},
};
use x402_escrow_interface::{
    Address,
    account::{Escrow, Hold},
    message::Digest,
};
use x402_escrow_wire::{
    auth_capture::Commitment,
    text::{Decimal, Hex32},
};

use crate::{
    chain::{ChainError, views::Views},
    engine::{app::App, found, not_accepted::Interrupted},
    store::Recheck,
};

pub use report::{Difference, Reconciliation, Short, Sum};

/// As many accounts as a node tells at once.
const AT_ONCE: u32 = 100;

/// Looks at every hold that is not over by the books, and at all of them with `all`. With `repair` what final transactions
/// did and the books lack is recorded, and sums are corrected: then no other verifier may lead.
///
/// # Errors
/// If the nodes don't agree, or the store fails.
pub async fn reconcile(app: &App, all: bool, repair: bool) -> Result<Reconciliation, Interrupted> {
    let mut result = look(app, all, repair).await?;
    if !result.short.is_empty() {
        // A hold that ended between the two looks is missing in the second: what is short is so twice.
        let again = look(app, all, false).await?.short;
        result.short.retain(|short| again.iter().any(|again| again.escrow == short.escrow));
    }
    // Last, since what was found on chain changes it.
    let Recheck { payments, sums, unreadable } = app.store.recheck_held(repair).await?;
    result.unreadable.extend(unreadable.into_iter().map(|row| (row.name, row.cause)));
    if repair {
        result.repaired.extend(payments);
        result.repaired_sums = sums.len();
    } else {
        result.held = payments;
        result.sums = sums.into_iter().map(Sum::from).collect();
    }
    Ok(result)
}

async fn look(app: &App, all: bool, repair: bool) -> Result<Reconciliation, Interrupted> {
    let mut result = Reconciliation::default();
    let mut by_escrow: BTreeMap<Address, u64> = BTreeMap::new();
    let mut receivers = BTreeSet::new();
    let mut after = None;
    loop {
        let (page, last) = app.store.holds_after(after.as_deref(), all, AT_ONCE).await?;
        if last.is_none() {
            break;
        }
        after = last;
        result.unreadable.extend(page.unreadable.into_iter().map(|row| (row.name, row.cause)));
        for (history, hold) in with_holds(app, page.rows).await? {
            result.holds += 1;
            receivers.insert(history.payment.receiver);
            let compared = compare(&history, hold.as_ref());
            let (history, compared) = match compared {
                Comparison::Differs { .. } => look_again(app, &mut result, history, repair).await?,
                compared => (history, compared),
            };
            count(&mut result, &history, compared, &mut by_escrow);
        }
    }
    for receiver in &receivers {
        look_for_refunds(app, &mut result, receiver, repair).await?;
    }
    result.short = short(app, &by_escrow).await?;
    result.promised = app.store.wrong_promises().await?;
    Ok(result)
}

/// Looks again at a payment that may have got further between the two looks, and records what the books lack.
async fn look_again(
    app: &App,
    result: &mut Reconciliation,
    before: History,
    repair: bool,
) -> Result<(History, Comparison), Interrupted> {
    let id: Digest = before.payment.id;
    let history = app.store.history(&id).await?.unwrap_or(before);
    let mut looked = with_holds(app, vec![history]).await?;
    let Some((history, hold)) = looked.pop() else {
        return Err(ChainError::answer("getMultipleAccounts", "no account was told").into());
    };
    let compared = compare(&history, hold.as_ref());
    if !repair || !matches!(compared, Comparison::Differs { .. }) {
        return Ok((history, compared));
    }
    let Some(known) = found::record(app, &history).await? else { return Ok((history, compared)) };
    let compared = compare(&known, hold.as_ref());
    if matches!(compared, Comparison::Equal(_)) {
        result.repaired.push(Hex32(id));
    }
    Ok((known, compared))
}

/// Looks for refunds among the newest transactions of a receiver of the payments that were looked at.
async fn look_for_refunds(
    app: &App,
    result: &mut Reconciliation,
    receiver: &Address,
    repair: bool,
) -> Result<(), Interrupted> {
    for (history, found) in found::unknown_refunds(app, receiver, None).await?.payments {
        let id = Hex32(history.payment.id);
        if repair {
            found::store(app, &history, &found).await?;
            result.repaired.push(id);
        } else {
            result.refunded.push(id);
        }
    }
    Ok(())
}

/// Adds up what a payment's comparison comes to.
fn count(
    result: &mut Reconciliation,
    history: &History,
    compared: Comparison,
    by_escrow: &mut BTreeMap<Address, u64>,
) {
    let Some(terms) = history.intent() else { return };
    match compared {
        Comparison::Equal(books) => {
            let held = by_escrow.entry(terms.intent.escrow).or_default();
            *held = held.saturating_add(books.map_or(0, |books| books.left.0));
        }
        Comparison::UnderWay => result.under_way += 1,
        Comparison::Differs { books, chain } => result.differences.push(Difference {
            payment_id: Hex32(history.payment.id),
            hold: terms.address().into(),
            books,
            chain,
        }),
    }
}

/// The escrows that hold less than their holds come to by the books.
async fn short(app: &App, by_escrow: &BTreeMap<Address, u64>) -> Result<Vec<Short>, Interrupted> {
    let mut short = Vec::new();
    let escrows: Vec<(&Address, &u64)> = by_escrow.iter().collect();
    for chunk in escrows.chunks(AT_ONCE as usize) {
        let addresses: Vec<Address> = chunk.iter().map(|(escrow, _)| **escrow).collect();
        let views = Views::read(app.chain.as_ref(), &addresses, Commitment::Finalized).await?;
        let (_, held) = views.agreed(|accounts| decoded(accounts, Escrow::decode))?;
        for ((escrow, books), chain) in chunk.iter().zip(held) {
            let chain = chain.map_or(0, |escrow| escrow.held);
            if **books > chain {
                let (books, chain) = (Decimal(**books), Decimal(chain));
                short.push(Short { escrow: (**escrow).into(), books, chain });
            }
        }
    }
    Ok(short)
}

/// Each payment with its hold, as a final block has it. What is charged never has one.
async fn with_holds(app: &App, page: Vec<History>) -> Result<Vec<(History, Option<Hold>)>, Interrupted> {
    if page.is_empty() {
        return Ok(Vec::new());
    }
    let addresses: Vec<Address> =
        page.iter().filter_map(|history| Some(history.intent()?.address())).collect();
    let views = Views::read(app.chain.as_ref(), &addresses, Commitment::Finalized).await?;
    let (_, holds) = views.agreed(|accounts| decoded(accounts, Hold::decode))?;
    Ok(page.into_iter().zip(holds).collect())
}

fn decoded<T, E>(accounts: &[Option<Account>], decode: impl Fn(&[u8]) -> Result<T, E>) -> Vec<Option<T>> {
    accounts.iter().map(|account| account.as_ref().and_then(|account| decode(&account.data).ok())).collect()
}
