//! How sure an operation must be where nobody configured it. `docs/http-api.md` has the same as tables, and a test
//! compares them.

use x402_escrow_wire::auth_capture::{Commitment, Level};

use super::{Finality, Tier};
use crate::cluster::Consensus;

/// The levels for one consensus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// What rests on a balance.
    pub on_balance: Finality<Commitment>,
    /// What rests on a confirmed hold.
    pub on_confirmed_hold: Finality<Level>,
    /// What rests on a finalized hold.
    pub on_finalized_hold: Finality<Level>,
    /// The least level at which no block is skipped any more.
    pub lasting: Commitment,
}

impl Defaults {
    /// The defaults for `consensus`. Under Alpenglow a block is skipped or final: `processed` would save some 150 ms, and
    /// several blocks of a slot may be processed by different nodes.
    pub fn of(consensus: Consensus) -> Self {
        match consensus {
            Consensus::Alpenglow => Self {
                on_balance: Finality::always(Commitment::Finalized),
                on_confirmed_hold: Finality::always(Level::Finalized),
                on_finalized_hold: Finality::always(Level::Reserved),
                lasting: Commitment::Finalized,
            },
            Consensus::TowerBft | Consensus::Unknown => Self {
                on_balance: Finality {
                    tiers: vec![
                        up_to(1_000_000, Commitment::Processed),
                        up_to(100_000_000, Commitment::Confirmed),
                    ],
                    above: Commitment::Finalized,
                },
                on_confirmed_hold: Finality {
                    tiers: vec![up_to(1_000_000, Level::Reserved)],
                    above: Level::Confirmed,
                },
                on_finalized_hold: Finality::always(Level::Reserved),
                lasting: Commitment::Confirmed,
            },
        }
    }
}

fn up_to<L>(amount: u64, commitment: L) -> Tier<L> {
    Tier { up_to: Some(amount), commitment }
}
