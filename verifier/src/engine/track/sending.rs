//! What is being sent now, and when it may be sent again. Lost in a crash, it only costs a repetition.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::{
    task::{JoinError, JoinSet},
    time::Instant,
};
use x402_escrow_domain::payment::{Attempt, AttemptState, Operation, Tracked};
use x402_escrow_interface::{instruction::Signature, message::Digest};
use x402_escrow_wire::text::Hex32;

use crate::engine::{
    app::App,
    submit::{self, MissingHold},
};

/// How often a transaction that is not seen is sent again. A leader that drops it has its turn for four slots: 0.8 or
/// 1.6 seconds.
const REPEAT_INTERVAL: Duration = Duration::from_secs(2);

/// How long an operation that could not be sent waits.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// How long others wait at most for those that are being sent: about a slot.
pub(super) const PACKING: Duration = Duration::from_millis(200);

/// What a task has done.
#[derive(Default)]
struct Done {
    /// The operations that it is done with.
    ids: Vec<i64>,
    /// Those of them that could not be sent since their holds are missing.
    missing: Vec<MissingHold>,
    /// Whether not all was sent that was to be.
    falls_short: bool,
}

pub(super) struct Sending {
    app: Arc<App>,
    /// Since when this verifier leads, unix seconds.
    began_at: i64,
    /// Operations that a task is sending now, with their payments.
    in_flight: HashMap<i64, Digest>,
    /// The first of each group that settles intents and is being sent, with since when.
    packing: HashMap<i64, Instant>,
    /// Those tasks, and those that repeat a transaction.
    tasks: JoinSet<Done>,
    /// When an operation that could not be sent may be tried again.
    retry_at: HashMap<i64, Instant>,
    /// When an unseen transaction was last sent.
    sent_at: HashMap<Signature, Instant>,
}

impl Sending {
    pub(super) fn new(app: Arc<App>) -> Self {
        Self {
            began_at: app.now(),
            app,
            in_flight: HashMap::new(),
            packing: HashMap::new(),
            tasks: JoinSet::new(),
            retry_at: HashMap::new(),
            sent_at: HashMap::new(),
        }
    }

    pub(super) fn is_in_flight(&self, operation_id: i64) -> bool {
        self.in_flight.contains_key(&operation_id)
    }

    /// The payments of which an operation is being sent.
    pub(super) fn payments(&self) -> HashSet<Digest> {
        self.in_flight.values().copied().collect()
    }

    pub(super) fn may_try(&self, operation_id: i64) -> bool {
        self.retry_at.get(&operation_id).is_none_or(|at| Instant::now() >= *at)
    }

    /// Sends operations, together where they fit.
    pub(super) fn send(&mut self, operations: Vec<Operation>) {
        if let Some(first) = operations.first().filter(|first| first.action.begins_payment()) {
            self.packing.insert(first.id, Instant::now());
        }
        let retry_at = Instant::now() + RETRY_INTERVAL;
        let ids: Vec<_> = operations.iter().map(|operation| operation.id).collect();
        self.retry_at.extend(ids.iter().map(|id| (*id, retry_at)));
        self.in_flight.extend(operations.iter().map(|operation| (operation.id, operation.payment_id)));
        let app = Arc::clone(&self.app);
        self.tasks.spawn(async move {
            let (missing, sent) = submit::submit(&app, &operations).await;
            let falls_short = !matches!(sent, Ok(true));
            if let Err(error) = sent {
                for operation in &operations {
                    let payment = Hex32(operation.payment_id);
                    tracing::warn!(%payment, kind = operation.action.kind(), %error, "not sent");
                }
            }
            Done { ids, missing, falls_short }
        });
    }

    /// Whether operations that settle intents are being sent together, not for too long: others that come meanwhile go
    /// together after them.
    pub(super) fn is_packing(&self) -> bool {
        self.packing.values().any(|since| since.elapsed() < PACKING)
    }

    /// Finds out what became of operations whose holds are missing, one after the other: those that were to be sent with
    /// them do not wait for it.
    fn report(&mut self, missing: Vec<MissingHold>) {
        let ids: Vec<_> = missing.iter().map(|missing| missing.operation.id).collect();
        let in_flight = missing.iter().map(|missing| (missing.operation.id, missing.operation.payment_id));
        self.in_flight.extend(in_flight);
        let app = Arc::clone(&self.app);
        self.tasks.spawn(async move {
            for missing in &missing {
                let operation = &missing.operation;
                if let Err(error) = submit::report_missing(&app, missing).await {
                    let payment = Hex32(operation.payment_id);
                    tracing::warn!(%payment, kind = operation.action.kind(), %error, "its hold is missing");
                }
                app.changes.tell(&operation.payment_id);
            }
            Done { ids, missing: Vec::new(), falls_short: true }
        });
    }

    /// Sends what is not seen again, without simulation: it may have landed in the meantime.
    pub(super) fn repeat(&mut self, tracked: &Tracked) {
        let now = Instant::now();
        // One that was stored before this verifier led may never have reached the node. Whoever stores one now sends it too,
        // or hung up: then it is repeated.
        let is_inherited = tracked.operation.accepted_at < self.began_at
            && !self.retry_at.contains_key(&tracked.operation.id);
        // What was in a block until now has all its bytes at the next look.
        let is_unseen =
            |attempt: &&Attempt| attempt.state == AttemptState::Sent && attempt.transaction.len() > 1;
        for attempt in tracked.attempts.iter().filter(is_unseen) {
            let due = match self.sent_at.get(&attempt.signature) {
                Some(sent_at) => now.duration_since(*sent_at) >= REPEAT_INTERVAL,
                None => is_inherited,
            };
            if !due {
                self.sent_at.entry(attempt.signature).or_insert(now);
                continue;
            }
            self.sent_at.insert(attempt.signature, now);
            let (app, bytes) = (Arc::clone(&self.app), attempt.transaction.clone());
            self.tasks.spawn(async move {
                if let Err(error) = app.chain.send(&bytes, false).await {
                    tracing::debug!(%error, "repetition not sent");
                }
                Done::default()
            });
        }
    }

    /// Waits until something was sent, and takes up all that was by then; waits for ever if nothing is being sent. Returns
    /// whether something was not sent: only a look tells what became of it.
    pub(super) async fn next_done(&mut self) -> bool {
        let Some(first) = self.tasks.join_next().await else { return std::future::pending().await };
        let mut falls_short = self.take_up(first);
        while let Some(next) = self.tasks.try_join_next() {
            falls_short |= self.take_up(next);
        }
        falls_short
    }

    fn take_up(&mut self, done: Result<Done, JoinError>) -> bool {
        match done {
            Ok(Done { ids, missing, falls_short }) => {
                for id in ids {
                    self.in_flight.remove(&id);
                    self.packing.remove(&id);
                }
                if !missing.is_empty() {
                    self.report(missing);
                }
                falls_short
            }
            // Which one it was is not told; all are looked at again, and what the store has keeps each from being
            // sent twice.
            Err(error) => {
                tracing::error!(%error, "a task that sends transactions died");
                self.in_flight.clear();
                self.packing.clear();
                true
            }
        }
    }

    /// Waits until all is sent. What is being sent is in the store; this only spares the next start some questions.
    pub(super) async fn finish(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    pub(super) fn forget_all_but(&mut self, open: &[Tracked]) {
        let operations: HashSet<_> = open.iter().map(|tracked| tracked.operation.id).collect();
        let signatures: HashSet<_> =
            open.iter().flat_map(|tracked| &tracked.attempts).map(|attempt| attempt.signature).collect();
        self.retry_at.retain(|id, _| operations.contains(id));
        self.sent_at.retain(|signature, _| signatures.contains(signature));
    }
}
