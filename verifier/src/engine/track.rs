//! The one task that sends transactions and follows them until they are final. It holds nothing that matters: all it
//! needs is in the store, so it goes on after a crash where it was.

mod record;
mod sending;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::sync::watch;
use x402_escrow_domain::{
    advance::{self, Next, Observation},
    gather::{self, Ready},
    payment::Tracked,
};
use x402_escrow_interface::message::Digest;

use crate::{
    engine::{
        app::App,
        not_accepted::Interrupted,
        observe::{Seen, Sought},
    },
    store::StoreError,
};

use record::Changed;
use sending::Sending;

/// How often the cluster is asked without having been heard, while a node announces its blocks.
const LIVE_POLL_INTERVAL: Duration = Duration::from_secs(2);

/// How often to look although nothing is to be followed: a leader shows so that it is there.
const IDLE_INTERVAL: Duration = Duration::from_secs(2);

/// How long to wait after the node or the store failed.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// Follows all operations until `stop` says so.
pub async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut tracker = Tracker::new(app);
    loop {
        let round = tracker.round().await;
        tracker.app.is_stalled.store(round.is_err(), Ordering::Relaxed);
        let (is_following, pause) = match round {
            Ok(0) => (false, IDLE_INTERVAL),
            Ok(_) if tracker.app.blocks.nodes() > 0 => (true, LIVE_POLL_INTERVAL),
            Ok(_) => (true, tracker.app.settings.status_poll_interval),
            Err(error) => {
                tracing::warn!(%error, "can't follow the transactions");
                (false, FAILURE_PAUSE)
            }
        };
        let app = Arc::clone(&tracker.app);
        // In this order, so that a simulation can repeat what happened.
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            () = tracker.sending.next_done() => {}
            () = app.to_send.notified() => {}
            () = app.blocks.announced.notified(), if is_following => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    tracker.sending.finish().await;
}

struct Tracker {
    app: Arc<App>,
    sending: Sending,
}

impl Tracker {
    fn new(app: Arc<App>) -> Self {
        Self { sending: Sending::new(Arc::clone(&app)), app }
    }

    /// Looks at every open operation once. Returns how many there are.
    async fn round(&mut self) -> Result<usize, Interrupted> {
        let open = self.app.store.open_operations().await?;
        let mut open = self.app.unreadable.note("tracker", open);
        let count = open.len();
        self.sending.forget_all_but(&open);
        // An operation that is being sent is left to the task that does it; it only holds back those after it.
        let in_flight = |tracked: &Tracked| self.sending.is_in_flight(tracked.operation.id);
        let mut waiting: HashSet<_> = open
            .iter()
            .filter(|tracked| in_flight(tracked))
            .map(|tracked| tracked.operation.payment_id)
            .collect();
        open.retain(|tracked| !in_flight(tracked));

        let attempts = open.iter().flat_map(|tracked| &tracked.attempts);
        let sought: Vec<_> = attempts
            .map(|attempt| Sought {
                signature: attempt.signature,
                last_valid_block_height: attempt.last_valid_block_height,
                state: &attempt.state,
            })
            .collect();
        let seen = Seen::read(self.app.chain.as_ref(), &sought, &self.app.heartbeat).await?;
        let mut ready = HashMap::new();
        let mut awaited = HashSet::new();
        let mut changed = Vec::new();
        for mut tracked in open {
            let before = tracked.clone();
            let next = advance(&mut tracked, &seen, &self.app);
            let operation = &tracked.operation;
            let is_first = !waiting.contains(&operation.payment_id);
            match next {
                // Taken before the one that it builds on, it would fail.
                Next::Repeat if is_first => self.sending.repeat(&tracked),
                Next::Send => {
                    if gather::is_awaited(operation) {
                        awaited.insert(operation.payment_id);
                    }
                    if is_first && self.sending.may_try(operation.id) {
                        ready.insert(operation.id, gather::has_failed(&tracked));
                    }
                }
                Next::Repeat | Next::Wait => {}
            }
            if !operation.state.has_landed() && !operation.state.is_negative() {
                waiting.insert(operation.payment_id);
            }
            if tracked != before {
                changed.push(Changed { before: before.operation, tracked });
            }
        }
        record::record(&self.app, &changed).await?;
        self.send_ready(&ready, &awaited).await?;
        self.app.heartbeat.beat();
        Ok(count)
    }

    /// Sends what is to be sent now of the operations in `ready` (with whether they failed before). Somebody waits for the
    /// payments in `awaited`.
    async fn send_ready(
        &mut self,
        ready: &HashMap<i64, bool>,
        awaited: &HashSet<Digest>,
    ) -> Result<(), StoreError> {
        let mut candidates = Vec::new();
        if !ready.is_empty() {
            let unfinished = self.app.store.unfinished().await?.rows;
            candidates.extend(unfinished.into_iter().filter_map(|open| {
                let has_failed = *ready.get(&open.operation.id)?;
                let is_awaited = awaited.contains(&open.operation.payment_id);
                Some(Ready { open, is_awaited, has_failed })
            }));
        }
        let candidate_count = candidates.len();
        let groups = gather::gather(candidates, self.app.now(), &self.app.settings.gather);
        let sent: usize = groups.iter().map(Vec::len).sum();
        self.app.metrics.gathering.set(i64::try_from(candidate_count - sent).unwrap_or(i64::MAX));
        for group in groups {
            self.sending.send(group);
        }
        Ok(())
    }
}

/// Brings `tracked` up to date with what was seen, and says what is to be done next.
fn advance(tracked: &mut Tracked, seen: &Seen, app: &App) -> Next {
    let sightings: Vec<_> =
        tracked.attempts.iter().map(|attempt| seen.sighting(&attempt.signature)).collect();
    // Rounded up: what somebody still waits for is not given up.
    let seconds = i64::try_from(app.settings.settle_timeout.as_millis().div_ceil(1000)).unwrap_or(i64::MAX);
    let observation = Observation {
        block_height: seen.block_height,
        sightings: &sightings,
        now: app.now(),
        settle_timeout_seconds: seconds,
    };
    let next = advance::advance(tracked, &observation);
    for attempt in &mut tracked.attempts {
        seen.add_block_hash(&mut attempt.state);
    }
    next
}
