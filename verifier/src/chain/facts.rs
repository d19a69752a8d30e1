//! Reads what the chain says about a payer: at two commitments, from every node that is asked.

use std::collections::BTreeSet;

use x402_escrow_domain::{
    cluster::Snapshot,
    facts::{self, CLOCK_ID, Facts, RENT_ID, Subject, unix_timestamp},
};
use x402_escrow_interface::Address;
use x402_escrow_wire::auth_capture::Commitment;

use super::{Chain, ChainError, together::Together, views::Views};

/// Reads the facts about a session, and which of `token_accounts` can be paid.
///
/// # Errors
/// If the node doesn't answer, or its answer makes no sense.
pub async fn read(
    chain: &Together,
    subject: &Subject,
    token_accounts: &BTreeSet<Address>,
) -> Result<Facts, ChainError> {
    let addresses = subject.addresses(token_accounts);
    let (processed, confirmed) = tokio::try_join!(chain.processed(&addresses), chain.confirmed(&addresses))?;
    let view = |snapshot: Snapshot| subject.view(snapshot, token_accounts);
    let views: Option<Vec<_>> = processed.into_iter().chain(confirmed).map(view).collect();
    views.and_then(Facts::of).ok_or_else(no_clock)
}

/// The time that the cluster has reached in the view of enough nodes, unix seconds.
///
/// # Errors
/// If too few nodes answer.
pub async fn cluster_time(chain: &dyn Chain) -> Result<i64, ChainError> {
    time_at(chain, Commitment::Processed).await
}

/// The time that a final block has reached in the view of enough nodes, unix seconds.
///
/// # Errors
/// If too few nodes answer.
pub async fn final_time(chain: &dyn Chain) -> Result<i64, ChainError> {
    time_at(chain, Commitment::Finalized).await
}

async fn time_at(chain: &dyn Chain, commitment: Commitment) -> Result<i64, ChainError> {
    let views = Views::read(chain, &[CLOCK_ID], commitment).await?;
    let time = views.time(|accounts| accounts.first()?.as_ref().and_then(unix_timestamp));
    time.ok_or_else(no_clock)
}

/// The slot of the newest final block that enough nodes have.
///
/// # Errors
/// If too few nodes answer.
pub async fn final_slot(chain: &dyn Chain) -> Result<u64, ChainError> {
    let views = Views::read(chain, &[CLOCK_ID], Commitment::Finalized).await?;
    Ok(views.agreed(|_| ())?.0)
}

/// The rent of a hold, in lamports.
///
/// # Errors
/// If the node doesn't answer, or its answer makes no sense.
pub async fn hold_rent(chain: &dyn Chain) -> Result<u64, ChainError> {
    let views = Views::read(chain, &[RENT_ID], Commitment::Confirmed).await?;
    let (_, rent) = views.agreed(|accounts| accounts.first()?.as_ref().and_then(facts::hold_rent))?;
    rent.ok_or_else(|| ChainError::answer("getMultipleAccounts", "the rent sysvar is missing"))
}

/// Whether the cluster takes transactions of version 1, as a final block has it.
///
/// # Errors
/// If the node doesn't answer.
pub async fn takes_version_1(chain: &dyn Chain) -> Result<bool, ChainError> {
    let views = Views::read(chain, &[facts::VERSION_1_FEATURE_ID], Commitment::Finalized).await?;
    Ok(views.agreed(|accounts| accounts.first().is_some_and(|account| facts::is_active(account.as_ref())))?.1)
}

fn no_clock() -> ChainError {
    ChainError::answer("getMultipleAccounts", "the clock sysvar is missing")
}
