//! One policy for each consensus that a cluster may run.

use super::Policy;
use crate::cluster::Consensus;

/// What holds while the cluster runs Alpenglow, and what holds otherwise. They differ in levels of finality only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    /// Under Alpenglow.
    pub alpenglow: Policy,
    /// Under TowerBFT, and where the nodes don't tell.
    pub otherwise: Policy,
}

impl Policies {
    /// The one that holds.
    pub fn of(&self, consensus: Consensus) -> &Policy {
        match consensus {
            Consensus::Alpenglow => &self.alpenglow,
            Consensus::TowerBft | Consensus::Unknown => &self.otherwise,
        }
    }
}

/// The same under each.
impl From<Policy> for Policies {
    fn from(policy: Policy) -> Self {
        Self { alpenglow: policy.clone(), otherwise: policy }
    }
}
