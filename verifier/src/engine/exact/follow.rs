//! Sends the transactions of payments and follows them until they are final. It holds nothing that matters: all it needs
//! is in the store, so it goes on after a crash where it was.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tokio::{task::JoinSet, time::Instant};
use x402_escrow_interface::instruction::Signature;
use x402_escrow_wire::{
    auth_capture::Commitment,
    exact::SCHEME,
    text::{Base58, Hex32},
};

use crate::engine::{
    app::App,
    observe::{Seen, Sought},
    track::{REPEAT_INTERVAL, RoundError},
};
use x402_escrow_domain::exact::{lifecycle, payment::Payment};

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
        let sought: Vec<_> = open
            .iter()
            .map(|payment| Sought {
                signature: payment.signature,
                last_valid_block_height: payment.last_valid_block_height,
                state: &payment.state,
            })
            .collect();
        let seen = Seen::read(self.app.chain.as_ref(), &sought).await?;
        let mut changed = false;
        for mut payment in open {
            let before = payment.clone();
            let status = seen.status(&payment.signature);
            if lifecycle::advance(&mut payment, status, seen.block_height) {
                self.send(&payment);
            }
            seen.add_block_hash(&mut payment.state);
            if payment != before {
                self.app.store.record_exact(&payment).await?;
                log_change(&before, &payment);
                if payment.closed && payment.has_reached(Commitment::Finalized) {
                    self.app.metrics.count_transferred(payment.mint.to_string(), payment.amount);
                }
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
}

fn log_change(before: &Payment, after: &Payment) {
    let (was, is) = (before.state.as_str(), after.state.as_str());
    if was == is {
        return;
    }
    let (payment, signature) = (Hex32(after.id), Base58(after.signature));
    let slot = after.state.landing().map(|landing| landing.slot);
    if before.state.landing().is_some() && slot.is_none() {
        tracing::warn!(%payment, scheme = SCHEME, %signature, "the transaction's block was dropped: unsettled again");
    } else {
        tracing::info!(%payment, scheme = SCHEME, %signature, slot, "payment is {is}");
    }
}
