//! What the cluster says about transactions at one moment.

use std::collections::{BTreeSet, HashMap};

use x402_escrow_domain::{
    cluster::{Sighting, Tip},
    payment::AttemptState,
};
use x402_escrow_interface::instruction::Signature;
use x402_escrow_wire::auth_capture::Commitment;

use crate::{
    chain::{Chain, ChainError, STATUSES_PER_REQUEST},
    engine::heartbeat::Heartbeat,
};

/// A transaction that is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    /// Its id.
    pub signature: Signature,
    /// Height of the last block that it can be in.
    pub last_valid_block_height: u64,
    /// How far it was when it was last asked about.
    pub state: &'a AttemptState,
}

/// What the cluster said.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Height of the newest confirmed block.
    pub block_height: u64,
    sightings: HashMap<Signature, Sighting>,
    block_hashes: HashMap<u64, [u8; 32]>,
}

impl Seen {
    /// Asks about the transactions.
    ///
    /// # Errors
    /// If the node doesn't answer.
    pub async fn read(
        chain: &dyn Chain,
        sought: &[Sought<'_>],
        heartbeat: &Heartbeat,
    ) -> Result<Self, ChainError> {
        if sought.is_empty() {
            return Ok(Self::default());
        }
        // Before the statuses: a transaction that is in no block when they are read is in none up to this height.
        let Tip { slot, block_height } = chain.tip().await?;
        let mut seen = Self { block_height, ..Self::default() };
        let (old, recent): (Vec<&Sought<'_>>, Vec<&Sought<'_>>) =
            sought.iter().partition(|sought| sought.last_valid_block_height < seen.block_height);
        for (sought, search_history) in [(recent, false), (old, true)] {
            for chunk in sought.chunks(STATUSES_PER_REQUEST) {
                let signatures: Vec<_> = chunk.iter().map(|sought| sought.signature).collect();
                let statuses = chain.statuses(&signatures, search_history, slot).await?;
                heartbeat.beat();
                seen.sightings.extend(signatures.into_iter().zip(statuses));
            }
        }
        seen.forget_denials_from_below(sought, slot);
        let slots: BTreeSet<u64> =
            sought.iter().filter_map(|sought| seen.slot_without_hash(sought)).collect();
        for slot in slots {
            // A node may not have the block yet, or never; the payment is as final without its hash.
            match chain.block_hash(slot).await {
                Ok(hash) => _ = seen.block_hashes.insert(slot, hash),
                Err(error) => tracing::debug!(slot, %error, "block hash not known yet"),
            }
        }
        Ok(seen)
    }

    /// Who says that no block has a transaction is at the newest confirmed `slot` or above. Where that is below the block
    /// that had the transaction, it need not have come to that block yet, as another node of a load balancer.
    fn forget_denials_from_below(&mut self, sought: &[Sought<'_>], slot: u64) {
        for Sought { signature, state, .. } in sought {
            let was_above = state.landing().is_some_and(|landing| landing.slot > slot);
            if let Some(sighting) = self.sightings.get_mut(signature).filter(|_| was_above)
                && *sighting == Sighting::Unseen
            {
                *sighting = Sighting::Disputed;
            }
        }
    }

    /// What is known of a transaction.
    pub fn sighting(&self, signature: &Signature) -> Sighting {
        self.sightings.get(signature).cloned().unwrap_or(Sighting::Unseen)
    }

    /// Completes where a transaction landed, if its block's hash was told.
    pub fn add_block_hash(&self, state: &mut AttemptState) {
        if let AttemptState::Landed(landing) = state {
            landing.block_hash = landing.block_hash.or_else(|| self.block_hashes.get(&landing.slot).copied());
        }
    }

    /// The slot of the transaction's block, where that is confirmed and its hash not known.
    fn slot_without_hash(&self, sought: &Sought<'_>) -> Option<u64> {
        let status = self.sightings.get(&sought.signature)?.status()?;
        let known = sought
            .state
            .landing()
            .is_some_and(|landing| landing.slot == status.slot && landing.block_hash.is_some());
        (status.commitment >= Commitment::Confirmed && !known).then_some(status.slot)
    }
}
