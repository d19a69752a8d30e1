//! Reads what the chain says about a payer: at two commitments, from every node that is asked.

use std::collections::BTreeSet;

use x402_escrow_domain::{
    cluster::Snapshot,
    facts::{self, CLOCK_ID, Facts, RENT_ID, Subject, unix_timestamp},
};
use x402_escrow_interface::Address;
use x402_escrow_wire::auth_capture::Commitment;

use super::{Chain, ChainError};

/// Reads the facts about a session, and which of `token_accounts` can be paid.
///
/// # Errors
/// If the node doesn't answer, or its answer makes no sense.
pub async fn read(
    chain: &dyn Chain,
    subject: &Subject,
    token_accounts: &BTreeSet<Address>,
) -> Result<Facts, ChainError> {
    let addresses = subject.addresses(token_accounts);
    let (processed, confirmed) = tokio::try_join!(
        chain.accounts_of_each(&addresses, Commitment::Processed),
        chain.accounts_of_each(&addresses, Commitment::Confirmed),
    )?;
    let view = |snapshot: Snapshot| subject.view(snapshot, token_accounts);
    let views: Option<Vec<_>> = processed.into_iter().chain(confirmed).map(view).collect();
    views.and_then(Facts::of).ok_or_else(no_clock)
}

/// The cluster's time as the node has it, unix seconds.
///
/// # Errors
/// If the node doesn't answer.
pub async fn cluster_time(chain: &dyn Chain) -> Result<i64, ChainError> {
    let clock =
        chain.accounts(&[CLOCK_ID], Commitment::Processed).await?.accounts.into_iter().next().flatten();
    clock.as_ref().and_then(unix_timestamp).ok_or_else(no_clock)
}

/// The rent of a hold, in lamports.
///
/// # Errors
/// If the node doesn't answer, or its answer makes no sense.
pub async fn hold_rent(chain: &dyn Chain) -> Result<u64, ChainError> {
    let snapshot = chain.accounts(&[RENT_ID], Commitment::Confirmed).await?;
    let rent = snapshot.accounts.into_iter().next().flatten();
    rent.as_ref().and_then(facts::hold_rent).ok_or_else(|| ChainError {
        request: "getMultipleAccounts",
        message: "the rent sysvar is missing".to_owned(),
    })
}

fn no_clock() -> ChainError {
    ChainError::answer("getMultipleAccounts", "the clock sysvar is missing")
}
