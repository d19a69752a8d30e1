use std::{fmt, iter::Sum};

/// How often what was tested.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) steps: u64,
    pub(crate) succeeded: u64,
    /// Payments of which the best capture was collected.
    pub(crate) collected: u64,
    /// Those that the receiver authorizer ended below.
    pub(crate) released: u64,
    /// Other captures that were submitted before it.
    pub(crate) spoilers: u64,
    /// What somebody tried who may not.
    pub(crate) attacks: u64,
    /// Payments that were captured although the fee recipient could not receive its fee.
    pub(crate) without_fee_account: u64,
    /// Times that a payer took free balance.
    pub(crate) withdrawn: u64,
    /// Payments that came back by a stranger's transaction.
    pub(crate) reclaimed: u64,
    /// Sessions that authorized as they may.
    pub(crate) authorized: u64,
    /// Sessions that were revoked and authorized nothing.
    pub(crate) revoked: u64,
    /// Sessions that were closed and opened again after they had paid.
    pub(crate) reopened: u64,
    /// Escrows that were closed, with all rents back.
    pub(crate) closed: u64,
    /// Relays that came second and had nothing to do.
    pub(crate) second: u64,
}

impl Tally {
    fn counts(&self) -> [(&'static str, u64); 12] {
        [
            ("best captures collected", self.collected),
            ("of them ended below their bound", self.released),
            ("captures submitted before them", self.spoilers),
            ("attacks on payments", self.attacks),
            ("captures without the fee recipient", self.without_fee_account),
            ("withdrawals of all that is free", self.withdrawn),
            ("payments reclaimed by a stranger", self.reclaimed),
            ("sessions that authorized", self.authorized),
            ("revoked sessions that did not", self.revoked),
            ("sessions opened again", self.reopened),
            ("escrows closed, with all rents back", self.closed),
            ("relays that came second", self.second),
        ]
    }

    /// The test would prove little if one of the promises was hardly ever at stake.
    pub(crate) fn assert_every_promise_was_tested(&self) {
        const LEAST: u64 = 100;
        for (what, count) in self.counts() {
            assert!(count >= LEAST, "{what}: only {count}");
        }
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |sum, tally| Self {
            steps: sum.steps + tally.steps,
            succeeded: sum.succeeded + tally.succeeded,
            collected: sum.collected + tally.collected,
            attacks: sum.attacks + tally.attacks,
            released: sum.released + tally.released,
            spoilers: sum.spoilers + tally.spoilers,
            without_fee_account: sum.without_fee_account + tally.without_fee_account,
            withdrawn: sum.withdrawn + tally.withdrawn,
            reclaimed: sum.reclaimed + tally.reclaimed,
            authorized: sum.authorized + tally.authorized,
            revoked: sum.revoked + tally.revoked,
            reopened: sum.reopened + tally.reopened,
            closed: sum.closed + tally.closed,
            second: sum.second + tally.second,
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{} instructions, of which {} succeeded", self.steps, self.succeeded)?;
        for (what, count) in self.counts() {
            writeln!(formatter, "  {what:36} {count:7}")?;
        }
        Ok(())
    }
}
