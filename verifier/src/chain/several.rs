//! [`Chain`] over several nodes, none of which is trusted alone: each is asked, and what more than half of them say is
//! [believed]. One that lags, contradicts the others or stops answering is left out until it is well again; a request or two
//! that it misses are no reason.

mod believed;

use std::{
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::{
    Chain, ChainError, SendError, agreement,
    node::{self, Node},
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
