//! Sends the transactions of payments and follows them until they are final. It holds nothing that matters: all it needs
//! is in the store, so it goes on after a crash where it was.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::{task::JoinSet, time::Instant};
use x402_escrow_interface::instruction::Signature;
use x402_escrow_wire::{
    auth_capture::Commitment,
    text::{Base58, Hex32},
};

use super::{lifecycle, payment::Payment};
use crate::{
    app::App,
    chain::{ChainError, STATUSES_PER_REQUEST, Status},
    payment::AttemptState,
    track::RoundError,
};

/// How often a transaction that is not seen is sent again. A leader that drops it has its turn for 1.6 seconds.
const REPEAT_INTERVAL: Duration = Duration::from_secs(2);

/// Sends and follows.
pub struct Follower {
    app: Arc<App>,
    /// When an unseen transaction was last sent.
    sent_at: HashMap<Signature, Instant>,
    sending: JoinSet<()>,
}

impl Follower {
    /// One that goes on with what the store has.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, sent_at: HashMap::new(), sending: JoinSet::new() }
    }

    /// Looks at every open payment once. Returns how many there are.
    ///
    /// # Errors
    /// If the node or the store fails.
    pub async fn round(&mut self) -> Result<usize, RoundError> {
        while self.sending.try_join_next().is_some() {}
        let open = self.app.store.open_exact_payments().await?;
        let signatures: HashSet<_> = open.iter().map(|payment| payment.signature).collect();
        self.sent_at.retain(|signature, _| signatures.contains(signature));
        if open.is_empty() {
            return Ok(0);
        }
        let count = open.len();
        // Before the statuses: a transaction that is in no block when they are read is in none up to this height.
        let block_height = self.app.chain.block_height().await?;
        let statuses = self.statuses(&open, block_height).await?;
        let mut changed = false;
        for mut payment in open {
            let before = payment.clone();
            let status = statuses.get(&payment.signature).and_then(Option::as_ref);
            if lifecycle::advance(&mut payment, status, block_height) {
                self.send(&payment);
            }
            self.add_block_hash(&mut payment).await;
            if payment != before {
                self.app.store.record_exact(&payment).await?;
                log_change(&before, &payment);
                changed = true;
            }
        }
        if changed {
            self.app.progress.send_replace(());
        }
        Ok(count)
    }

    /// Waits for what is being sent.
    pub async fn finish(mut self) {
        while self.sending.join_next().await.is_some() {}
    }

    async fn statuses(
        &self,
        open: &[Payment],
        block_height: u64,
    ) -> Result<HashMap<Signature, Option<Status>>, ChainError> {
        let (old, recent): (Vec<&Payment>, Vec<&Payment>) =
            open.iter().partition(|payment| payment.last_valid_block_height < block_height);
        let mut statuses = HashMap::new();
        for (payments, search_history) in [(recent, false), (old, true)] {
            for chunk in payments.chunks(STATUSES_PER_REQUEST) {
                let signatures: Vec<_> = chunk.iter().map(|payment| payment.signature).collect();
                let told = self.app.chain.statuses(&signatures, search_history).await?;
                statuses.extend(signatures.into_iter().zip(told));
            }
        }
        Ok(statuses)
    }

    /// Sends a transaction that is in no block, without simulation: it may have landed in the meantime.
    fn send(&mut self, payment: &Payment) {
        let now = Instant::now();
        let sent_at = self.sent_at.get(&payment.signature);
        if sent_at.is_some_and(|sent_at| now.duration_since(*sent_at) < REPEAT_INTERVAL) {
            return;
        }
        self.sent_at.insert(payment.signature, now);
        let (app, id, bytes) = (Arc::clone(&self.app), Hex32(payment.id), payment.transaction.clone());
        self.sending.spawn(async move {
            if let Err(error) = app.chain.send(&bytes, false).await {
                tracing::warn!(payment = %id, %error, "not known whether the transaction was sent; it will be repeated");
            }
        });
    }

    /// A node may not have the block yet, or never; the payment is as final without its hash.
    async fn add_block_hash(&self, payment: &mut Payment) {
        if let AttemptState::Landed(landing) = &mut payment.state
            && landing.block_hash.is_none()
            && landing.commitment >= Commitment::Confirmed
        {
            match self.app.chain.block_hash(landing.slot).await {
                Ok(hash) => landing.block_hash = Some(hash),
                Err(error) => tracing::debug!(slot = landing.slot, %error, "block hash not known yet"),
            }
        }
    }
}

fn log_change(before: &Payment, after: &Payment) {
    let (was, is) = (before.state.as_str(), after.state.as_str());
    if was == is {
        return;
    }
    let (payment, signature) = (Hex32(after.id), Base58(after.signature));
    let slot = after.state.landing().map(|landing| landing.slot);
    if before.state.landing().is_some() && slot.is_none() {
        tracing::warn!(%payment, %signature, "the transaction's block was dropped: unsettled again");
    } else {
        tracing::info!(%payment, scheme = "exact", %signature, slot, "payment is {is}");
    }
}
