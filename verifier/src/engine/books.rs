//! Keeps the books, and answers what is asked of them.

use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};
use x402_escrow_domain::{
    books::{Entry, Filter, Place, Search},
    payment::History,
};
use x402_escrow_interface::Address;

use crate::{
    engine::app::App,
    store::{Entries, StoreError},
};

/// How many payments are booked in one step.
const BOOKED_TOGETHER: u32 = 256;

/// How long to wait between two steps, so that what changes several times soon is written once.
const PAUSE: Duration = Duration::from_millis(100);

/// How often to look, if nothing wakes the task.
const INTERVAL: Duration = Duration::from_secs(5);

/// Books what changed, for ever.
pub async fn run(app: Arc<App>) -> Infallible {
    let mut progress = app.changes.of_any();
    loop {
        progress.borrow_and_update();
        match app.store.book(BOOKED_TOGETHER).await {
            Ok(0) => _ = timeout(INTERVAL, progress.changed()).await,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "can't keep the books");
                sleep(INTERVAL).await;
            }
        }
        sleep(PAUSE).await;
    }
}

/// Entries with all that is known of their payments. One that can't be read is left out.
///
/// # Errors
/// If the store fails.
pub async fn with_histories(app: &App, entries: Vec<Entry>) -> Result<Vec<(Entry, History)>, StoreError> {
    let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
    let read = app.store.histories(&ids).await?.rows;
    let mut histories: HashMap<_, _> =
        read.into_iter().map(|history| (history.payment.id, history)).collect();
    let with_history = |entry: Entry| {
        let history = histories.remove(&entry.id)?;
        Some((entry, history))
    };
    Ok(entries.into_iter().filter_map(with_history).collect())
}

/// The entries that `search` and `filter` want, at most `count` before `place`: those of `receiver`, or of all.
///
/// # Errors
/// If the store fails.
pub async fn find(
    app: &App,
    receiver: Option<&Address>,
    search: Option<&Search>,
    filter: Filter,
    place: &Place,
    count: u32,
) -> Result<Entries, StoreError> {
    let is_wanted =
        |entry: &Entry| receiver.is_none_or(|receiver| *receiver == entry.receiver) && filter.matches(entry);
    let at_once = match search {
        Some(Search::Hash(id)) => app.store.entry(id).await?.into_iter().collect(),
        Some(Search::Transaction(signature)) => app.store.entries_of_transaction(signature).await?,
        _ => Vec::new(),
    };
    let found: Vec<Entry> = at_once.into_iter().filter(is_wanted).collect();
    let filter = match search {
        Some(Search::Transaction(_)) => return Ok(Entries { entries: found, next: None }),
        Some(Search::Hash(_)) if !found.is_empty() => return Ok(Entries { entries: found, next: None }),
        Some(Search::Hash(hash)) => Filter { resource_hash: Some(*hash), ..filter },
        Some(Search::Payer(payer)) => Filter { payer: Some(*payer), ..filter },
        Some(Search::Text(text)) => Filter { text: Some(text.clone()), ..filter },
        None => filter,
    };
    app.store.entries(receiver, &filter, place, count).await
}
