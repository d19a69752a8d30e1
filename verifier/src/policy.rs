//! What the verifier accepts, and how final a payment must be.

use x402_escrow_wire::auth_capture::Commitment;

use crate::exact::instructions::FeeBounds;

/// Bounds that the verifier sets itself; the chain sets the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How final an authorization must be, by amount.
    pub finality: Finality,
    /// How final a capture or a void must be.
    pub capture_commitment: Commitment,
    /// The least time that an intent must leave to be put on chain.
    pub minimum_authorize_seconds: i64,
    /// The most time that `/intents` gives an intent to be put on chain.
    pub maximum_authorize_seconds: i64,
    /// The least time that a payment must leave for its capture.
    pub minimum_capture_seconds: i64,
    /// The most time that a payment may hold its amount, and the verifier's rent.
    pub maximum_capture_seconds: i64,
    /// How long before its capture deadline a streamed hold takes its last voucher, and that is captured.
    pub voucher_margin_seconds: i64,
    /// The most time that a payment may be refunded after its capture deadline, and keep the verifier's rent.
    pub maximum_refund_seconds: i64,
    /// What is paid at most for a client's transaction of the scheme `exact`.
    pub exact_fee_bounds: FeeBounds,
    /// The least that may be held, in base units: each hold costs fees and rent.
    pub minimum_hold_amount: u64,
    /// The most payments of one escrow that are not over: each locks the verifier's rent.
    pub maximum_open_holds_per_escrow: u64,
}

/// How final an authorization must be before the answer is yes: levels by amount, smallest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finality {
    tiers: Vec<Tier>,
    above: Commitment,
}

/// One level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The largest amount, in base units; `None` for any.
    pub up_to: Option<u64>,
    /// How final.
    pub commitment: Commitment,
}

/// Why a list of levels can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FinalityError {
    /// The list's last level doesn't cover all amounts.
    #[error("the last level must have no `up_to`, so that it covers every larger amount")]
    NotCovering,
    /// A level without a bound is followed by others, or a bound is not above the one before it.
    #[error("each level's `up_to` must be above the one before it, and only the last may have none")]
    NotAscending,
    /// A larger amount asks for less than a smaller one.
    #[error("a level for larger amounts must not be weaker than the one before it")]
    Weaker,
}

impl Finality {
    /// Checks `tiers`.
    ///
    /// # Errors
    /// If they don't cover every amount once, in ascending order, with levels that don't get weaker.
    pub fn new(mut tiers: Vec<Tier>) -> Result<Self, FinalityError> {
        let above = match tiers.pop() {
            Some(Tier { up_to: None, commitment }) => commitment,
            _ => return Err(FinalityError::NotCovering),
        };
        let commitments = || tiers.iter().map(|tier| tier.commitment).chain([above]);
        if tiers.iter().any(|tier| tier.up_to.is_none())
            || tiers.windows(2).any(|pair| pair[1].up_to <= pair[0].up_to)
        {
            return Err(FinalityError::NotAscending);
        }
        if commitments().zip(commitments().skip(1)).any(|(smaller, larger)| larger < smaller) {
            return Err(FinalityError::Weaker);
        }
        Ok(Self { tiers, above })
    }

    /// How final a payment of `amount` base units must be; `asked` by the merchant can only make it more.
    pub fn required(&self, amount: u64, asked: Option<Commitment>) -> Commitment {
        let tier = self.tiers.iter().find(|tier| tier.up_to.is_some_and(|up_to| amount <= up_to));
        let required = tier.map_or(self.above, |tier| tier.commitment);
        asked.map_or(required, |asked| asked.max(required))
    }

    /// The levels, as [`Finality::new`] takes them.
    pub fn tiers(&self) -> impl Iterator<Item = Tier> {
        self.tiers.iter().copied().chain([Tier { up_to: None, commitment: self.above }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Commitment::{Confirmed, Finalized, Processed};

    fn tier(up_to: impl Into<Option<u64>>, commitment: Commitment) -> Tier {
        Tier { up_to: up_to.into(), commitment }
    }

    #[test]
    fn a_level_covers_its_bound_and_the_next_one_starts_above_it() {
        let tiers = vec![tier(10, Processed), tier(20, Confirmed), tier(None, Finalized)];
        let finality = Finality::new(tiers).unwrap();
        for (amount, expected) in [
            (0, Processed),
            (10, Processed),
            (11, Confirmed),
            (20, Confirmed),
            (21, Finalized),
            (u64::MAX, Finalized),
        ] {
            assert_eq!(finality.required(amount, None), expected, "{amount}");
        }
    }

    #[test]
    fn a_merchant_can_ask_for_more_but_not_for_less() {
        let finality = Finality::new(vec![tier(None, Confirmed)]).unwrap();
        assert_eq!(finality.required(1, Some(Processed)), Confirmed);
        assert_eq!(finality.required(1, Some(Finalized)), Finalized);
    }

    #[test]
    fn lists_that_leave_a_doubt_are_refused() {
        use FinalityError::{NotAscending, NotCovering, Weaker};
        for (tiers, error) in [
            (vec![], NotCovering),
            (vec![tier(5, Processed)], NotCovering),
            (vec![tier(5, Processed), tier(5, Processed), tier(None, Processed)], NotAscending),
            (vec![tier(None, Processed), tier(None, Processed)], NotAscending),
            (vec![tier(5, Finalized), tier(None, Confirmed)], Weaker),
            (vec![tier(5, Finalized), tier(6, Processed), tier(None, Finalized)], Weaker),
        ] {
            assert_eq!(Finality::new(tiers.clone()), Err(error), "{tiers:?}");
        }
    }
}
