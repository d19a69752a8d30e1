//! [`Chain`] over several nodes, none of which is trusted alone: each is asked, and what more than half of them say is
//! believed. One that lags, contradicts the others or stops answering is left out until it is well again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::timeout;
use x402_escrow_interface::{Address, instruction::Signature};
use x402_escrow_wire::auth_capture::Commitment;

use super::{
    Blockhash, Chain, ChainError, Executed, Logged, SendError, Snapshot, Status,
    agreement::{self, Sighting, disagree},
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
}

impl Several {
    /// Asks each of the nodes how it is, and goes on asking in the background. Names are for reports.
    ///
    /// # Errors
    /// If not more than half of them are well.
    pub async fn connect(nodes: Vec<(String, Arc<dyn Chain>)>) -> Result<Self, ChainError> {
        let nodes = nodes.into_iter().map(|(name, chain)| Node::new(name, chain));
        let nodes: Arc<Vec<Node>> = Arc::new(nodes.collect());
        let several = Self {
            needed: agreement::majority(nodes.len()),
            nodes: Arc::clone(&nodes),
            turn: AtomicUsize::new(0),
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
            return Err(ChainError {
                request: "any request",
                message: format!(
                    "{} of {} nodes can be relied on, {} are needed: {}",
                    well.len(),
                    self.nodes.len(),
                    self.needed,
                    wrong.join("; ")
                ),
            });
        }
        Ok(well)
    }

    /// Asks every node that is well. Who answers long after enough others did is left out.
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
        let mut late: Vec<bool> = vec![true; well.len()];
        let (mut answers, mut failure) = (Vec::new(), None);
        loop {
            let next = if answers.len() < self.needed {
                waiting.next().await
            } else {
                timeout(GRACE, waiting.next()).await.unwrap_or(None)
            };
            let Some((index, answer)) = next else { break };
            late[index] = false;
            match answer {
                Ok(answer) => answers.push((well[index], answer)),
                Err(error) => {
                    well[index].leave_out(format!("does not answer: {}", error.message));
                    failure = Some(error);
                }
            }
        }
        for (node, _) in well.iter().zip(late).filter(|(_, late)| *late) {
            node.leave_out("answers later than the others".to_owned());
        }
        match failure {
            Some(error) if answers.len() < self.needed => Err(error),
            _ => Ok(answers),
        }
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
        let well = self.well()?;
        let node = well[self.turn.fetch_add(1, Ordering::Relaxed) % well.len()];
        node.chain
            .blockhash()
            .await
            .inspect_err(|error| node.leave_out(format!("does not answer: {}", error.message)))
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

    async fn block_height(&self) -> Result<u64, ChainError> {
        let answers = values(self.ask(|chain| chain.block_height()).await?);
        agreement::reached(answers, self.needed).ok_or_else(|| disagree("getBlockHeight"))
    }

    async fn send(&self, transaction: &[u8], preflight: bool) -> Result<(), SendError> {
        let bytes: Arc<[u8]> = transaction.into();
        let answers = self
            .ask(|chain| {
                let bytes = Arc::clone(&bytes);
                async move { Ok(chain.send(&bytes, preflight).await) }.boxed()
            })
            .await?;
        agreement::sent(values(answers), self.needed)
    }

    async fn simulate(&self, transaction: &[u8]) -> Result<(), SendError> {
        let bytes: Arc<[u8]> = transaction.into();
        let answers = self
            .ask(|chain| {
                let bytes = Arc::clone(&bytes);
                async move { Ok(chain.simulate(&bytes).await) }.boxed()
            })
            .await?;
        agreement::simulated(values(answers), self.needed)
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

    async fn logged(&self, address: &Address) -> Result<Vec<Logged>, ChainError> {
        let address = *address;
        let answers = values(self.ask(|chain| async move { chain.logged(&address).await }.boxed()).await?);
        agreement::agreed(&answers, self.needed).cloned().ok_or_else(|| disagree("getSignaturesForAddress"))
    }

    async fn statuses(
        &self,
        signatures: &[Signature],
        search_history: bool,
    ) -> Result<Vec<Option<Status>>, ChainError> {
        let asked: Arc<[Signature]> = signatures.into();
        let answers = self
            .ask(|chain| {
                let asked = Arc::clone(&asked);
                async move { chain.statuses(&asked, search_history).await }.boxed()
            })
            .await?;
        let mut statuses = Vec::with_capacity(signatures.len());
        for index in 0..signatures.len() {
            let each: Vec<_> =
                answers.iter().map(|(_, answer)| answer.get(index).cloned().flatten()).collect();
            let sighting = agreement::sighting(&each, self.needed);
            statuses.push(match sighting {
                Sighting::Seen(status) => {
                    for ((node, _), own) in answers.iter().zip(&each) {
                        if agreement::contradicts(own.as_ref(), &status) {
                            node.quarantine("getSignatureStatuses");
                        }
                    }
                    Some(status)
                }
                Sighting::Unseen => None,
                // Not seen yet; but whoever asks whether it can still land must not be told that it can't.
                Sighting::Disputed if search_history => return Err(disagree("getSignatureStatuses")),
                Sighting::Disputed => None,
            });
        }
        Ok(statuses)
    }

    async fn block_hash(&self, slot: u64) -> Result<[u8; 32], ChainError> {
        let answers = values(self.ask(|chain| chain.block_hash(slot)).await?);
        agreement::agreed(&answers, self.needed).copied().ok_or_else(|| disagree("getBlock"))
    }

    fn nodes(&self) -> Vec<NodeReport> {
        let report = |node: &Node| NodeReport { node: node.name.clone(), wrong: node.wrong() };
        self.nodes.iter().map(report).collect()
    }
}
