//! How sure an answer is.

use serde::{Deserialize, Serialize};

/// How final a transaction must be, by Solana's commitment levels, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Commitment {
    /// In a block that the node has seen.
    Processed,
    /// In a block that two thirds of the stake voted for.
    Confirmed,
    /// In a block with 31 confirmed ones above it.
    Finalized,
}

impl Commitment {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Processed => "processed",
            Self::Confirmed => "confirmed",
            Self::Finalized => "finalized",
        }
    }
}

/// How sure an operation is when it is answered, weakest first: Solana's commitment levels, and one below them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Accepted, and on the facilitator's disk; not on chain yet.
    Reserved,
    /// [`Commitment::Processed`].
    Processed,
    /// [`Commitment::Confirmed`].
    Confirmed,
    /// [`Commitment::Finalized`].
    Finalized,
}

impl Level {
    /// Every level, weakest first.
    pub const ALL: [Self; 4] = [Self::Reserved, Self::Processed, Self::Confirmed, Self::Finalized];

    /// The commitment that it asks of the chain; `None` if it asks nothing.
    pub fn on_chain(self) -> Option<Commitment> {
        match self {
            Self::Reserved => None,
            Self::Processed => Some(Commitment::Processed),
            Self::Confirmed => Some(Commitment::Confirmed),
            Self::Finalized => Some(Commitment::Finalized),
        }
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        self.on_chain().map_or("reserved", Commitment::as_str)
    }
}

impl From<Commitment> for Level {
    fn from(commitment: Commitment) -> Self {
        match commitment {
            Commitment::Processed => Self::Processed,
            Commitment::Confirmed => Self::Confirmed,
            Commitment::Finalized => Self::Finalized,
        }
    }
}
