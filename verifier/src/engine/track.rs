//! The one task that sends transactions and follows them until they are final. It holds nothing that matters: all it
//! needs is in the store, so it goes on after a crash where it was.

mod record;
mod sending;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};
use x402_escrow_domain::{
    advance::{self, Next, Observation},
    gather::{self, Ready},
    payment::Tracked,
};
use x402_escrow_interface::message::Digest;

use crate::{
    chain::facts,
    engine::{
        app::App,
        not_accepted::Interrupted,
        observe::{Seen, Sought},
    },
    store::{Look, StoreError},
};

use record::Changed;
use sending::Sending;

/// How often the cluster is asked without having been heard, while a node announces its blocks.
const LIVE_POLL_INTERVAL: Duration = Duration::from_secs(2);

/// How often to look although nothing is to be followed: a leader shows so that it is there.
const IDLE_INTERVAL: Duration = Duration::from_secs(2);

/// How often operations that may be final are looked at where nobody waits for that: in polls, and at least.
const FINAL_POLLS: u32 = 10;
const FINAL_INTERVAL: Duration = Duration::from_secs(2);

/// All are looked at once in so many of these times (a block is hardly ever dropped), and where no final slot is known.
const LOOK_AT_ALL_TIMES: u32 = 5;

/// How long to wait after the node or the store failed.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// How long what is to go with others waits for those before it, at most.
const PACKING_PAUSE: Duration = Duration::from_millis(50);

/// Follows all operations until `stop` says so.
pub async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut tracker = Tracker::new(app);
    let (mut is_following, mut look_at) = (false, Instant::now());
    loop {
        // However much there is to send, what was sent is followed.
        let looked = Instant::now() >= look_at;
        let round = if looked { tracker.round().await } else { tracker.send_unsent().await };
        if looked || round.is_err() {
            tracker.app.is_stalled.store(round.is_err(), Ordering::Relaxed);
        }
        let pause = match round {
            Ok(0) if looked => {
                is_following = false;
                IDLE_INTERVAL
            }
            Ok(count) => {
                is_following |= count > 0;
                let is_live = tracker.app.blocks.nodes() > 0;
                if is_live { LIVE_POLL_INTERVAL } else { tracker.app.settings.status_poll_interval }
            }
            Err(error) => {
                tracing::warn!(%error, "can't follow the transactions");
                is_following = false;
                FAILURE_PAUSE
            }
        };
        look_at = if looked { Instant::now() + pause } else { look_at.min(Instant::now() + pause) };
        let app = Arc::clone(&tracker.app);
        let packed_at = Instant::now() + PACKING_PAUSE;
        // In this order, so that a simulation can repeat what happened.
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            falls_short = tracker.sending.next_done() => {
                if falls_short {
                    look_at = Instant::now();
                }
            }
            () = app.blocks.announced.notified(), if is_following => look_at = Instant::now(),
            () = app.to_follow.notified() => look_at = Instant::now(),
            () = app.sent.notified(), if !is_following => {
                is_following = true;
                look_at = look_at.min(Instant::now() + app.settings.status_poll_interval);
            }
            () = app.to_send.notified() => {}
            () = tokio::time::sleep_until(packed_at), if tracker.holds_back_since.is_some() => {}
            () = tokio::time::sleep_until(look_at) => {}
        }
    }
    tracker.sending.finish().await;
}

struct Tracker {
    app: Arc<App>,
    sending: Sending,
    /// Since when something waits for what is being sent, to go together after it.
    holds_back_since: Option<Instant>,
    /// When all operations were looked at, and the most that were open since.
    looked_at_all: Option<(Instant, usize)>,
    looked_at_final: Instant,
}

impl Tracker {
    fn new(app: Arc<App>) -> Self {
        let sending = Sending::new(Arc::clone(&app));
        Self { sending, app, holds_back_since: None, looked_at_all: None, looked_at_final: Instant::now() }
    }

    /// Looks once at what somebody waits for, from time to time also at what may be final, or at all. Returns how many are open.
    async fn round(&mut self) -> Result<usize, Interrupted> {
        let started = Instant::now();
        let between = FINAL_INTERVAL.min(self.app.settings.status_poll_interval * FINAL_POLLS);
        let all_before = self.looked_at_all.filter(|(at, _)| at.elapsed() < between * LOOK_AT_ALL_TIMES);
        let look = match all_before {
            None => Look::All,
            Some((_, 1..)) if self.looked_at_final.elapsed() >= between => {
                let slot = facts::final_slot(self.app.chain.as_ref()).await;
                slot.inspect(|_| self.app.heartbeat.beat()).map_or(Look::All, Look::UpTo)
            }
            Some(_) => Look::Awaited,
        };
        let open = self.app.store.open_operations(look).await?;
        let mut open = match look {
            Look::All => self.app.unreadable.note("tracker", open),
            // What of it can't be read is noted with all.
            Look::Awaited | Look::UpTo(_) => open.rows,
        };
        let count = all_before.map_or(0, |(_, count)| count).max(open.len());
        if look == Look::All {
            self.sending.forget_all_but(&open);
        }
        // An operation that is being sent is left to the task that does it; it only holds back those after it.
        let in_flight = |tracked: &Tracked| self.sending.is_in_flight(tracked.operation.id);
        let mut waiting: HashSet<_> = open
            .iter()
            .filter(|tracked| in_flight(tracked))
            .map(|tracked| tracked.operation.payment_id)
            .collect();
        open.retain(|tracked| !in_flight(tracked));

        // A transaction that carries several operations is asked about once.
        let mut asked = HashSet::new();
        let attempts = open.iter().flat_map(|tracked| &tracked.attempts);
        let sought: Vec<_> = attempts
            .filter(|attempt| asked.insert(attempt.signature))
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
                    let is_unsent = tracked.attempts.is_empty();
                    if is_first && !is_unsent && self.sending.may_try(operation.id) {
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
        self.send_again(&ready, &awaited).await?;
        self.send_unsent().await?;
        self.looked_at_all = Some((all_before.map_or_else(Instant::now, |(at, _)| at), count));
        self.looked_at_final = if look == Look::Awaited { self.looked_at_final } else { Instant::now() };
        self.app.heartbeat.beat();
        self.app.metrics.count_look(started.elapsed());
        Ok(count)
    }

    /// Sends again what is to be sent now of the operations in `ready` (with whether they failed before). Somebody waits for
    /// the payments in `awaited`.
    async fn send_again(
        &mut self,
        ready: &HashMap<i64, bool>,
        awaited: &HashSet<Digest>,
    ) -> Result<(), StoreError> {
        if ready.is_empty() {
            return Ok(());
        }
        let unfinished = self.app.store.unfinished().await?.rows;
        let candidates = unfinished.into_iter().filter_map(|open| {
            let has_failed = *ready.get(&open.operation.id)? || self.app.suspects.concern(&open);
            let is_awaited = awaited.contains(&open.operation.payment_id);
            Some(Ready { open, is_awaited, has_failed })
        });
        let candidates = candidates.collect();
        self.send_gathered(candidates);
        Ok(())
    }

    /// Sends what is to be sent now of all of which no transaction was made. Returns how many operations those are.
    async fn send_unsent(&mut self) -> Result<usize, Interrupted> {
        let unsent = self.app.store.unsent().await?.rows;
        let count = unsent.len();
        let (mut awaited, mut ready) = (HashSet::new(), Vec::new());
        let in_flight = self.sending.payments();
        for (open, is_behind) in unsent {
            let mut tracked = Tracked { operation: open.operation.clone(), attempts: Vec::new() };
            // What is given up is recorded by the next look.
            if advance(&mut tracked, &Seen::default(), &self.app) != Next::Send {
                continue;
            }
            if gather::is_awaited(&open.operation) {
                awaited.insert(open.operation.payment_id);
            }
            let id = open.operation.id;
            let is_busy = in_flight.contains(&open.operation.payment_id);
            if !is_behind && !is_busy && self.sending.may_try(id) {
                let has_failed = gather::has_failed(&tracked) || self.app.suspects.concern(&open);
                ready.push(Ready { open, is_awaited: false, has_failed });
            }
        }
        for ready in &mut ready {
            ready.is_awaited = awaited.contains(&ready.open.operation.payment_id);
        }
        // What settles an intent goes with what came while those before it were being sent, and does not wait for long.
        let goes_together = |ready: &Ready| ready.open.operation.action.begins_payment() && !ready.has_failed;
        let together = ready.iter().filter(|ready| goes_together(ready)).count();
        let may_wait = together > 0 && together < gather::MAXIMUM_TOGETHER && self.sending.is_packing();
        let since = may_wait.then(|| self.holds_back_since.unwrap_or_else(Instant::now));
        self.holds_back_since = since.filter(|since| since.elapsed() < sending::PACKING);
        if self.holds_back_since.is_some() {
            ready.retain(|ready| !goes_together(ready));
        }
        let waiting = self.send_gathered(ready);
        self.app.metrics.gathering.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        Ok(count)
    }

    /// Sends what is to be sent now. Returns how many wait for others.
    fn send_gathered(&mut self, candidates: Vec<Ready>) -> usize {
        let count = candidates.len();
        let groups = gather::gather(candidates, self.app.now(), &self.app.settings.gather);
        let sent: usize = groups.iter().map(Vec::len).sum();
        for group in groups {
            self.sending.send(group);
        }
        count - sent
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
