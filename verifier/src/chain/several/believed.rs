//! What is believed of what several nodes answer.

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use x402_escrow_interface::{Address, instruction::Signature};
use x402_escrow_wire::auth_capture::Commitment;

use super::{Several, values};
use crate::chain::{
    Blockhash, Chain, ChainError, Consensus, Executed, Logged, SendError, Sighting, Snapshot, Tip,
    agreement::{self, MAXIMUM_SLOTS_APART, disagree},
    node::{Node, NodeReport},
};

#[async_trait]
impl Chain for Several {
    async fn genesis_hash(&self) -> Result<String, ChainError> {
        let answers = values(self.ask(|chain| chain.genesis_hash()).await?);
        agreement::agreed(&answers, self.needed).cloned().ok_or_else(|| disagree("getGenesisHash"))
    }

    async fn accounts(&self, addresses: &[Address], commitment: Commitment) -> Result<Snapshot, ChainError> {
        let answers = self.accounts_of_each(addresses, commitment).await?;
        agreement::snapshot(&answers, self.needed).cloned().ok_or_else(|| disagree("getMultipleAccounts"))
    }

    async fn accounts_of_each(
        &self,
        addresses: &[Address],
        commitment: Commitment,
    ) -> Result<Vec<Snapshot>, ChainError> {
        let addresses: Arc<[Address]> = addresses.into();
        let answers = self
            .ask(|chain| {
                let addresses = Arc::clone(&addresses);
                async move { chain.accounts(&addresses, commitment).await }.boxed()
            })
            .await?;
        let (nodes, snapshots): (Vec<_>, Vec<_>) = answers.into_iter().unzip();
        // Of a block that is only processed, nodes on different forks say different things and are right.
        if commitment >= Commitment::Confirmed {
            for index in agreement::contradicting(&snapshots, self.needed) {
                nodes[index].quarantine("getMultipleAccounts");
            }
        }
        Ok(snapshots)
    }

    async fn blockhash(&self) -> Result<Blockhash, ChainError> {
        let mut answers = values(self.ask(|chain| chain.blockhash()).await?);
        // How long it lives is no single node's word: with too long a life a lost transaction would not be made anew
        // before its deadline, and with too short a one while it can still land.
        let lives = answers.iter().map(|answer| answer.last_valid_block_height).collect();
        let lives = agreement::near(lives, self.needed, MAXIMUM_SLOTS_APART)
            .ok_or_else(|| disagree("getLatestBlockhash"))?;
        answers.retain(|answer| lives.contains(&answer.last_valid_block_height));
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % answers.len();
        Ok(Blockhash { last_valid_block_height: *lives.end(), ..answers.swap_remove(turn) })
    }

    async fn recent_prices(&self, writable: &[Address]) -> Result<Vec<u64>, ChainError> {
        let writable: Arc<[Address]> = writable.into();
        let answers = self
            .ask(|chain| {
                let writable = Arc::clone(&writable);
                async move { chain.recent_prices(&writable).await }.boxed()
            })
            .await?;
        // Each node takes its own blocks; the middle opinion is none of an extreme.
        let mut answers = values(answers);
        answers.sort_unstable_by_key(|prices| prices.iter().copied().fold(0, u64::saturating_add));
        Ok(answers.swap_remove((answers.len() - 1) / 2))
    }

    async fn tip(&self) -> Result<Tip, ChainError> {
        let answers = values(self.ask(|chain| chain.tip()).await?);
        agreement::tip(&answers, self.needed).ok_or_else(|| disagree("getEpochInfo"))
    }

    async fn send(&self, transaction: &[u8], preflight: bool) -> Result<(), SendError> {
        let bytes: Arc<[u8]> = transaction.into();
        let answers = self
            .try_out(|chain| {
                let bytes = Arc::clone(&bytes);
                async move { chain.send(&bytes, preflight).await }.boxed()
            })
            .await?;
        agreement::sent(answers, self.needed)
    }

    async fn simulate(&self, transaction: &[u8]) -> Result<(), SendError> {
        let bytes: Arc<[u8]> = transaction.into();
        let answers = self
            .try_out(|chain| {
                let bytes = Arc::clone(&bytes);
                async move { chain.simulate(&bytes).await }.boxed()
            })
            .await?;
        agreement::simulated(answers, self.needed)
    }

    async fn executed(
        &self,
        signature: &Signature,
        commitment: Commitment,
    ) -> Result<Option<Executed>, ChainError> {
        let signature = *signature;
        let answers =
            self.ask(|chain| async move { chain.executed(&signature, commitment).await }.boxed()).await?;
        // Where they don't agree, some don't have it yet; the caller asks again.
        Ok(agreement::agreed(&values(answers), self.needed).cloned().flatten())
    }

    async fn logged(&self, address: &Address, since: Option<&Signature>) -> Result<Vec<Logged>, ChainError> {
        let (address, since) = (*address, since.copied());
        let answers = self.ask(|chain| async move { chain.logged(&address, since.as_ref()).await }.boxed());
        let answers = values(answers.await?);
        agreement::logged(&answers, self.needed).ok_or_else(|| disagree("getSignaturesForAddress"))
    }

    async fn logged_by(&self, signature: &Signature) -> Result<Option<Logged>, ChainError> {
        let signature = *signature;
        let answers = self.ask(|chain| async move { chain.logged_by(&signature).await }.boxed()).await?;
        agreement::agreed(&values(answers), self.needed).cloned().ok_or_else(|| disagree("getTransaction"))
    }

    async fn statuses(
        &self,
        signatures: &[Signature],
        search_history: bool,
        since_slot: u64,
    ) -> Result<Vec<Sighting>, ChainError> {
        let asked: Arc<[Signature]> = signatures.into();
        let answers = self
            .ask(|chain| {
                let asked = Arc::clone(&asked);
                async move { chain.statuses(&asked, search_history, since_slot).await }.boxed()
            })
            .await?;
        let mut sightings = Vec::with_capacity(signatures.len());
        for index in 0..signatures.len() {
            let of_this = |(_, answer): &(_, Vec<Sighting>)| answer.get(index).cloned();
            let each: Vec<Sighting> = answers.iter().filter_map(of_this).collect();
            let sighting = agreement::sighting(&each, self.needed);
            if let Sighting::Seen(status) = &sighting {
                for ((node, _), own) in answers.iter().zip(&each) {
                    if agreement::contradicts(own, status, since_slot) {
                        node.quarantine("getSignatureStatuses");
                    }
                }
            }
            sightings.push(sighting);
        }
        Ok(sightings)
    }

    async fn consensus(&self) -> Result<Consensus, ChainError> {
        let answers = values(self.ask(|chain| chain.consensus()).await?);
        // Not that it is unknown: what was told before holds.
        agreement::agreed(&answers, self.needed).copied().ok_or_else(|| disagree("getAgGenesisCert"))
    }

    async fn changed(&self) {
        let mut each: FuturesUnordered<_> = self.nodes.iter().map(|node| node.chain.changed()).collect();
        tokio::select! {
            biased;
            () = self.changed.notified() => {}
            _ = each.next() => {}
        }
    }

    async fn block_hash(&self, slot: u64) -> Result<[u8; 32], ChainError> {
        let answers = values(self.ask(|chain| chain.block_hash(slot)).await?);
        agreement::agreed(&answers, self.needed).copied().ok_or_else(|| disagree("getBlock"))
    }

    fn needed(&self) -> usize {
        self.needed
    }

    fn nodes(&self) -> Vec<NodeReport> {
        let report = |node: &Node| NodeReport { node: node.name.clone(), wrong: node.wrong() };
        self.nodes.iter().map(report).collect()
    }
}
