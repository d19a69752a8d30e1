//! How the verifier reaches the nodes: through a load balancer, or each by itself.

use std::sync::Arc;

use async_trait::async_trait;
use rand::Rng;
use x402_escrow_domain::cluster::{Blockhash, Consensus, Executed, Logged, Sighting, Snapshot, Tip};
use x402_escrow_interface::{Address, instruction::Signature};
use x402_escrow_verifier::chain::{Chain, ChainError, SendError, Several};
use x402_escrow_wire::auth_capture::Commitment;

use super::{Cluster, liar::Liar, node::Node};

/// How the verifier is configured to reach the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// One URL, behind which each call goes to any node.
    Balanced,
    /// A URL for each node, of which the first so many lie: fewer than half.
    Each {
        /// How many lie.
        liars: usize,
    },
}

impl Access {
    /// Connects as the verifier does at its start.
    ///
    /// # Errors
    /// If too few nodes are well.
    pub async fn connect(self, cluster: &Arc<Cluster>) -> Result<Arc<dyn Chain>, ChainError> {
        let Self::Each { liars } = self else { return Ok(Arc::new(Balanced(Arc::clone(cluster)))) };
        let count = cluster.lock().views.len();
        let node = |index: usize| -> (String, Arc<dyn Chain>) {
            let node = Node::new(Arc::clone(cluster), index);
            let name = format!("node {index}");
            if index < liars { (name, Arc::new(Liar(node))) } else { (name, Arc::new(node)) }
        };
        Ok(Arc::new(Several::connect((0..count).map(node).collect()).await?))
    }
}

/// A load balancer: each call goes to any node.
struct Balanced(Arc<Cluster>);

impl Balanced {
    fn any(&self) -> Node {
        let mut state = self.0.lock();
        let nodes = state.views.len();
        let index = state.dice.random_range(0..nodes);
        Node::new(Arc::clone(&self.0), index)
    }
}

/// Each call to any node.
macro_rules! to_any {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {
        #[async_trait]
        impl Chain for Balanced {
            $(async fn $name(&self, $($argument: $type),*) -> $answer {
                self.any().$name($($argument),*).await
            })+
        }
    };
}

to_any! {
    genesis_hash() -> Result<String, ChainError>;
    consensus() -> Result<Consensus, ChainError>;
    accounts(addresses: &[Address], commitment: Commitment) -> Result<Snapshot, ChainError>;
    blockhash() -> Result<Blockhash, ChainError>;
    recent_prices(writable: &[Address]) -> Result<Vec<u64>, ChainError>;
    tip() -> Result<Tip, ChainError>;
    send(transaction: &[u8], preflight: bool) -> Result<(), SendError>;
    simulate(transaction: &[u8]) -> Result<(), SendError>;
    executed(signature: &Signature, commitment: Commitment) -> Result<Option<Executed>, ChainError>;
    logged(address: &Address, since: Option<&Signature>) -> Result<Vec<Logged>, ChainError>;
    logged_by(signature: &Signature) -> Result<Option<Logged>, ChainError>;
    statuses(signatures: &[Signature], search_history: bool, since_slot: u64) -> Result<Vec<Sighting>, ChainError>;
    block_hash(slot: u64) -> Result<[u8; 32], ChainError>;
}
