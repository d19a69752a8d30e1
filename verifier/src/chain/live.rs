//! Hears of new blocks as they come, over WebSockets. What is heard is a hint to look at once, never a fact: what is
//! looked at, and from how many nodes, is the same with it as without. Behind it runs a poll.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{Stream, StreamExt};
use solana_pubsub_client::{nonblocking::pubsub_client::PubsubClient, pubsub_client::PubsubClientError};
use solana_rpc_client_api::response::SlotUpdate;
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

/// A node that announces nothing for so long is not live: several slots.
const SILENCE: Duration = Duration::from_secs(3);

/// How long a node may take to let us in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// After a hint, how long others are not taken: a node can't make the verifier ask more often.
const REST: Duration = Duration::from_millis(40);

/// Pauses between attempts to connect: the first, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// Why a subscription ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("can't be reached")]
    Unreachable,
    #[error("refuses to announce its blocks: {0}")]
    Refused(String),
    #[error("did not answer in time")]
    Late,
    #[error("announced nothing for {} seconds", SILENCE.as_secs())]
    Silent,
    #[error("closed the connection")]
    Closed,
}

/// What is heard of blocks.
#[derive(Debug, Default)]
pub struct Blocks {
    /// Wakes one that waits whenever a node announces a block.
    pub announced: Notify,
    /// Wakes one that waits whenever a node announces its first block: it may be another than before, or started again.
    pub connected: Notify,
    nodes: AtomicUsize,
}

impl Blocks {
    /// How many nodes announce their blocks now.
    pub fn nodes(&self) -> usize {
        self.nodes.load(Ordering::Relaxed)
    }
}

/// Listens to the node at `url`, connecting again whenever it must.
pub async fn run(blocks: Arc<Blocks>, url: String) {
    let (mut pause, mut is_told) = (PAUSES[0], false);
    loop {
        let (ended, was_live) = listen(&blocks, &url).await;
        if was_live {
            pause = PAUSES[0];
        }
        if was_live || !is_told {
            tracing::warn!("not live: a node {ended}; polling, and connecting again");
            is_told = true;
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES[1]);
    }
}

/// Listens until that ends, and says whether anything was heard.
async fn listen(blocks: &Blocks, url: &str) -> (Ended, bool) {
    let client = match timeout(CONNECT_TIMEOUT, PubsubClient::new(url)).await {
        Ok(Ok(client)) => client,
        Ok(Err(error)) => return (refused(&error), false),
        Err(_) => return (Ended::Late, false),
    };
    // It tells when a block is there, confirmed and final; not every node offers it.
    if let Ok(Ok((updates, _))) = timeout(CONNECT_TIMEOUT, client.slot_updates_subscribe()).await {
        return follow(blocks, updates.filter(|update| std::future::ready(is_new_block(update)))).await;
    }
    match timeout(CONNECT_TIMEOUT, client.slot_subscribe()).await {
        Ok(Ok((slots, _))) => follow(blocks, slots).await,
        Ok(Err(error)) => (refused(&error), false),
        Err(_) => (Ended::Late, false),
    }
}

/// An URL can hold an API key, and errors of connecting have it.
fn refused(error: &PubsubClientError) -> Ended {
    match error {
        PubsubClientError::SubscribeFailed { reason, .. } => Ended::Refused(reason.clone()),
        _ => Ended::Unreachable,
    }
}

fn is_new_block(update: &SlotUpdate) -> bool {
    use SlotUpdate::{Dead, Frozen, OptimisticConfirmation, Root};
    matches!(update, Frozen { .. } | OptimisticConfirmation { .. } | Root { .. } | Dead { .. })
}

async fn follow(blocks: &Blocks, mut announcements: impl Stream + Unpin) -> (Ended, bool) {
    let mut live = None;
    loop {
        match timeout(SILENCE, announcements.next()).await {
            Ok(Some(_)) => {}
            Ok(None) => return (Ended::Closed, live.is_some()),
            Err(_) => return (Ended::Silent, live.is_some()),
        }
        live.get_or_insert_with(|| Live::new(blocks));
        blocks.announced.notify_one();
        sleep(REST).await;
    }
}

/// Counts one node that is heard, until dropped.
struct Live<'a>(&'a Blocks);

impl<'a> Live<'a> {
    fn new(blocks: &'a Blocks) -> Self {
        blocks.nodes.fetch_add(1, Ordering::Relaxed);
        blocks.connected.notify_one();
        tracing::info!("live: hearing of blocks as they come");
        Self(blocks)
    }
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        self.0.nodes.fetch_sub(1, Ordering::Relaxed);
    }
}
