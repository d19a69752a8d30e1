//! Accounts as each node has them, and what enough nodes agree on.

use x402_escrow_domain::cluster::{Account, Snapshot};
use x402_escrow_interface::Address;
use x402_escrow_wire::auth_capture::Commitment;

use super::{
    Chain, ChainError,
    agreement::{self, MAXIMUM_SECONDS_APART, disagree},
};

/// Accounts as each of the nodes that were asked has them.
#[derive(Clone, Debug)]
pub struct Views {
    snapshots: Vec<Snapshot>,
    needed: usize,
}

impl Views {
    /// Asks for the accounts at `addresses`, at most 100.
    ///
    /// # Errors
    /// If too few nodes answer.
    pub async fn read(
        chain: &dyn Chain,
        addresses: &[Address],
        commitment: Commitment,
    ) -> Result<Self, ChainError> {
        let snapshots = chain.accounts_of_each(addresses, commitment).await?;
        Ok(Self { snapshots, needed: chain.needed() })
    }

    /// What `read` makes of the accounts of enough nodes alike, and the slot that so many of these have reached. Nodes that
    /// are some slots apart agree as long as what `read` looks at is the same.
    ///
    /// # Errors
    /// If too few agree.
    pub fn agreed<T: PartialEq>(
        &self,
        read: impl Fn(&[Option<Account>]) -> T,
    ) -> Result<(u64, T), ChainError> {
        let answers = self.snapshots.iter().map(|snapshot| (snapshot.slot, read(&snapshot.accounts)));
        let agreed = agreement::agreed_as_of(answers.collect(), self.needed);
        agreed.ok_or_else(|| disagree("getMultipleAccounts"))
    }

    /// The time, in unix seconds, that enough nodes near each other have reached.
    pub fn time(&self, read: impl Fn(&[Option<Account>]) -> Option<i64>) -> Option<i64> {
        let times = self.snapshots.iter().filter_map(|snapshot| read(&snapshot.accounts)?.try_into().ok());
        let near = agreement::near(times.collect(), self.needed, MAXIMUM_SECONDS_APART)?;
        (*near.start()).try_into().ok()
    }

    /// The highest number that enough nodes reach.
    pub fn reached(&self, read: impl Fn(&[Option<Account>]) -> Option<i64>) -> Option<i64> {
        let numbers = self.snapshots.iter().filter_map(|snapshot| read(&snapshot.accounts));
        agreement::reached(numbers.collect(), self.needed)
    }
}
