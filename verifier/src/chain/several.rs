//! [`Chain`] over several nodes, none of which is trusted alone: each is asked, and what more than half of them say is
//! believed. One that lags, contradicts the others or stops answering is left out until it is well again; a request or two
//! that it misses are no reason.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};
use x402_escrow_interface::{Address, instruction::Signature};
use x402_escrow_wire::auth_capture::Commitment;

use super::{
    Blockhash, Chain, ChainError, Consensus, Executed, Logged, SendError, Sighting, Snapshot, Tip,
    agreement::{self, disagree},
    node::{self, Node, NodeReport},
};

/// How often each node is asked how it is.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);

/// How long the others are waited for when enough have answered.
const GRACE: Duration = Duration::from_millis(500);

/// Several nodes of one cluster.
pub struct Several {
    nodes: Arc<Vec<Node>>,
    needed: usize,
    /// Whose blockhash is taken next.
    turn: AtomicUsize,
    /// Told whenever a node is left out or well again.
    changed: Arc<Notify>,
}

impl Several {
    /// Asks each of the nodes how it is, and goes on asking in the background. Names are for reports.
    ///
    /// # Errors
    /// If not more than half of them are well.
    pub async fn connect(nodes: Vec<(String, Arc<dyn Chain>)>) -> Result<Self, ChainError> {
        let changed = Arc::new(Notify::new());
        let nodes = nodes.into_iter().map(|(name, chain)| Node::new(name, chain, Arc::clone(&changed)));
        let nodes: Arc<Vec<Node>> = Arc::new(nodes.collect());
        let several = Self {
            needed: agreement::majority(nodes.len()),
            nodes: Arc::clone(&nodes),
            turn: AtomicUsize::new(0),
            changed,
        };
        node::probe(&nodes).await;
        several.well()?;
        let watched = Arc::downgrade(&nodes);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(PROBE_INTERVAL).await;
                let Some(nodes) = watched.upgrade() else { return };
                node::probe(&nodes).await;
            }
        });
        Ok(several)
    }

    /// The nodes that are asked.
    fn well(&self) -> Result<Vec<&Node>, ChainError> {
        let well: Vec<&Node> = self.nodes.iter().filter(|node| node.wrong().is_none()).collect();
        if well.len() < self.needed {
            let wrong = self.nodes.iter().filter_map(|node| Some(format!("{} {}", node.name, node.wrong()?)));
            let wrong: Vec<_> = wrong.collect();
            let message = format!(
                "{} of {} nodes can be relied on, {} are needed: {}",
                well.len(),
                self.nodes.len(),
                self.needed,
                wrong.join("; ")
            );
            return Err(ChainError::silence("any request", message));
        }
        Ok(well)
    }

    /// Asks every node that is well. One that is silent, or answers long after enough others did, is not waited for
    /// again until it has answered. That a node can't say what it is asked is an answer, if no help.
    async fn ask<'a, T: Send + 'a>(
        &'a self,
        request: impl Fn(&'a dyn Chain) -> BoxFuture<'a, Result<T, ChainError>>,
    ) -> Result<Vec<(&'a Node, T)>, ChainError> {
        let well = self.well()?;
        let mut waiting: FuturesUnordered<_> = well
            .iter()
            .enumerate()
            .map(|(index, node)| request(node.chain.as_ref()).map(move |answer| (index, answer)))
            .collect();
        let mut waited_for: Vec<bool> = well.iter().map(|node| node.is_waited_for()).collect();
        let (mut answers, mut failure, mut until) = (Vec::new(), None, None);
        loop {
            let next = if answers.len() < self.needed {
                waiting.next().await
            } else if waited_for.contains(&true) {
                let until = *until.get_or_insert_with(|| Instant::now() + GRACE);
                timeout_at(until, waiting.next()).await.unwrap_or(None)
            } else {
                waiting.next().now_or_never().flatten()
            };
            let Some((index, answer)) = next else { break };
            waited_for[index] = false;
            match answer {
                Ok(answer) => {
                    well[index].answered();
                    answers.push((well[index], answer));
                }
                Err(error) => {
                    well[index].failed(&error);
                    failure = Some(error);
                }
            }
        }
        for (node, _) in well.iter().zip(waited_for).filter(|(_, waited_for)| *waited_for) {
            node.missed("it answers later than the others");
        }
        match failure {
            Some(error) if answers.len() < self.needed => Err(error),
            _ => Ok(answers),
        }
    }

    /// What became of handing a transaction to every node. A node that can't be reached is not one that refuses.
    async fn try_out<'a>(
        &'a self,
        request: impl Fn(&'a dyn Chain) -> BoxFuture<'a, Result<(), SendError>>,
    ) -> Result<Vec<Result<(), SendError>>, ChainError> {
        let answers = self.ask(|chain| request(chain).map(Ok).boxed()).await?;
        for (node, answer) in &answers {
            if let Err(SendError::Unknown(error)) = answer {
                node.failed(error);
            }
        }
        Ok(values(answers))
    }
}

fn values<T>(answers: Vec<(&Node, T)>) -> Vec<T> {
    answers.into_iter().map(|(_, answer)| answer).collect()
}

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
        let answers = values(self.ask(|chain| chain.blockhash()).await?);
        // How long it lives is no single node's word: with too long a life a lost transaction would not be made anew
        // before its deadline, and with too short a one while it can still land.
        let lives = answers.iter().map(|answer| answer.last_valid_block_height).collect();
        let last_valid_block_height = agreement::reached(lives, self.needed);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(answers.len());
        match (turn, last_valid_block_height) {
            (Some(turn), Some(last_valid_block_height)) => {
                Ok(Blockhash { last_valid_block_height, ..answers[turn] })
            }
            _ => Err(disagree("getLatestBlockhash")),
        }
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

    /// What most nodes say; where they don't agree, nothing.
    async fn consensus(&self) -> Result<Consensus, ChainError> {
        let answers = values(self.ask(|chain| chain.consensus()).await?);
        Ok(agreement::agreed(&answers, self.needed).copied().unwrap_or_default())
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
