//! How sure an operation must be before it is answered yes: levels by amount.

/// Levels by amount, smallest first: of [`Commitment`](x402_escrow_wire::auth_capture::Commitment) where the chain must
/// have it, of [`Level`](x402_escrow_wire::auth_capture::Level) where the store may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finality<L> {
    pub(super) tiers: Vec<Tier<L>>,
    pub(super) above: L,
}

/// One level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier<L> {
    /// The largest amount, in base units; `None` for any.
    pub up_to: Option<u64>,
    /// How sure.
    pub commitment: L,
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

impl<L> Finality<L> {
    /// One level for any amount.
    pub fn always(commitment: L) -> Self {
        Self { tiers: Vec::new(), above: commitment }
    }
}

impl<L: Copy + Ord> Finality<L> {
    /// Checks `tiers`.
    ///
    /// # Errors
    /// If they don't cover every amount once, in ascending order, with levels that don't get weaker.
    pub fn new(mut tiers: Vec<Tier<L>>) -> Result<Self, FinalityError> {
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

    /// How sure an operation of `amount` base units must be.
    pub fn required(&self, amount: u64) -> L {
        let tier = self.tiers.iter().find(|tier| tier.up_to.is_some_and(|up_to| amount <= up_to));
        tier.map_or(self.above, |tier| tier.commitment)
    }

    /// The levels, as [`Finality::new`] takes them.
    pub fn tiers(&self) -> impl Iterator<Item = Tier<L>> {
        self.tiers.iter().copied().chain([Tier { up_to: None, commitment: self.above }])
    }
}

#[cfg(test)]
mod tests {
    use x402_escrow_wire::auth_capture::Level;

    use super::*;
    use Level::{Confirmed, Finalized, Processed, Reserved};

    fn tier(up_to: impl Into<Option<u64>>, commitment: Level) -> Tier<Level> {
        Tier { up_to: up_to.into(), commitment }
    }

    #[test]
    fn a_level_covers_its_bound_and_the_next_one_starts_above_it() {
        let tiers = vec![tier(5, Reserved), tier(10, Processed), tier(20, Confirmed), tier(None, Finalized)];
        let finality = Finality::new(tiers).unwrap();
        for (amount, expected) in [
            (0, Reserved),
            (5, Reserved),
            (6, Processed),
            (10, Processed),
            (11, Confirmed),
            (20, Confirmed),
            (21, Finalized),
            (u64::MAX, Finalized),
        ] {
            assert_eq!(finality.required(amount), expected, "{amount}");
        }
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
