//! Makes the transactions of operations, stores them, and hands them to the cluster.

mod failed;
mod prepare;

use futures_util::future::join_all;
use solana_sdk::{message::AddressLookupTableAccount, transaction::TransactionError};
use x402_escrow_domain::{
    cluster::Blockhash,
    failure::{self, Place},
    payment::{Action, Attempt, AttemptState, HoldTerms, Operation, OperationKey},
    priority_fee,
    transaction::{self, Part, SignError, Terms, Version},
};
use x402_escrow_interface::{Address, message::Digest};
use x402_escrow_wire::text::{Base58, Hex32};

use crate::{
    chain::{ChainError, SendError},
    engine::{app::App, not_accepted::Interrupted},
    store::StoreError,
};

use failed::{look_again, take_back};
use prepare::{Prepared, prepare};

pub use prepare::{MissingHold, report_missing};

/// Why nothing was sent; the operations stay as they are and are tried again.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The node didn't answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What somebody else did could not be looked for.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The transaction can't be written.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Sends new transactions of `operations` (of different payments, at most [`x402_escrow_domain::gather::MAXIMUM_TOGETHER`]), as many to
/// a transaction as fit. Whatever happens to them from here on, the store knows it first. Returns those whose holds are
/// missing, which are left for [`report_missing`]: what becomes of them takes longer to find out; and whether all others
/// were sent.
pub async fn submit(app: &App, operations: &[Operation]) -> (Vec<MissingHold>, Result<bool, SubmitError>) {
    match prepare(app, operations).await {
        Ok((prepared, missing)) => (missing, send_all(app, prepared).await),
        Err(error) => (Vec::new(), Err(error)),
    }
}

async fn send_all(app: &App, mut rest: Vec<Prepared>) -> Result<bool, SubmitError> {
    let tables = app.tables.get();
    let mut transactions = Vec::new();
    let wanted = wanted_version(app, &rest, &tables);
    while !rest.is_empty() {
        let (version, fitting) = transaction::widest(wanted, &app.rules.fee_payer, &parts(&rest))?;
        if transactions.is_empty() && fitting < rest.len() && !app.cluster.takes_version_1() {
            note_accounts(app, &rest);
        }
        let more = rest.split_off(fitting);
        transactions.push(send_together(app, version, rest));
        rest = more;
    }
    all(transactions).await
}

/// How transactions are written that carry several operations.
fn wanted_version<'a>(
    app: &App,
    operations: &[Prepared],
    tables: &'a [AddressLookupTableAccount],
) -> Version<'a> {
    match app.cluster.takes_version_1() {
        // Where one of that version was in no block, a node may take none, whatever the cluster does.
        true if operations.iter().any(|prepared| prepared.was_lost_in_version_1) => Version::Legacy,
        true => Version::One,
        false if tables.is_empty() => Version::Legacy,
        false => Version::Zero(tables),
    }
}

/// Takes down which accounts are named by operations that do not fit one transaction: in a table they would take less
/// room.
fn note_accounts(app: &App, operations: &[Prepared]) {
    if app.settings.lookup_tables == 0 {
        return;
    }
    for Prepared { payment, part, .. } in operations {
        app.tables.note(part, payment.intent().map(HoldTerms::address), &app.rules.fee_payer);
    }
}

/// Sends all of them, whatever becomes of one. Returns whether all were sent.
async fn all(
    transactions: Vec<impl Future<Output = Result<bool, SubmitError>>>,
) -> Result<bool, SubmitError> {
    join_all(transactions).await.into_iter().try_fold(true, |all, sent| Ok(sent? && all))
}

fn parts(prepared: &[Prepared]) -> Vec<&Part> {
    prepared.iter().map(|prepared| &prepared.part).collect()
}

/// Sends one transaction. Where its simulation fails for one of the operations, the others go on without it; where it fails
/// for what they are together, or one of them is over by now, each half goes on by itself. Returns whether all were sent.
async fn send_together(
    app: &App,
    version: Version<'_>,
    operations: Vec<Prepared>,
) -> Result<bool, SubmitError> {
    let mut culprits = Vec::new();
    let sent = send_without(app, version, operations, &mut culprits).await;
    // Last, since it can take long: the others are on their way.
    for culprit in &culprits {
        if let Err(error) = look_again(app, culprit).await {
            tracing::warn!(payment = %Hex32(culprit.payment_id), %error, "what became of it is not known");
        }
        app.changes.tell(&culprit.payment_id);
    }
    Ok(sent? && culprits.is_empty())
}

/// Sends what its simulation doesn't fail for; that is added to `culprits`.
async fn send_without(
    app: &App,
    version: Version<'_>,
    mut operations: Vec<Prepared>,
    culprits: &mut Vec<Operation>,
) -> Result<bool, SubmitError> {
    let mut has_new_blockhash = false;
    while !operations.is_empty() {
        let attempts = sign(app, version, &operations).await?;
        if !app.store.add_attempts(&attempts).await? {
            return halve(app, version, operations).await;
        }
        let Some((_, first)) = attempts.first() else { return Ok(true) };
        let Some(error) = hand_over(app, first, true).await else {
            log_sent(&operations, first);
            app.metrics.count_transaction(operations.len());
            return Ok(true);
        };
        let culprit = Place::of(first).culprit(&error).map(usize::from);
        let culprit = culprit.filter(|culprit| *culprit < operations.len());
        let is_shared = take_back(app, &operations, &attempts, &error, culprit).await?;
        match culprit {
            Some(culprit) => {
                let is_alone = operations.len() == 1;
                let Prepared { operation, payment, .. } = operations.remove(culprit);
                if !is_alone && let Some((_, attempt)) = attempts.get(culprit) {
                    let (_, problem) = failure::explain(&operation.action, Place::of(attempt), &error);
                    app.suspects.note(&payment, &operation.action, &problem);
                }
                culprits.push(operation);
            }
            // The one of a moment ago was of a fork that is gone, or of a node that was ahead.
            None if error == TransactionError::BlockhashNotFound && !has_new_blockhash => {
                has_new_blockhash = true;
                app.recent.forget_blockhash().await;
            }
            None if failure::OF_LOOKUP_TABLES.contains(&error) => {
                tracing::warn!(%error, "no lookup table is used until all were looked at");
                app.tables.stop_using();
                return Box::pin(send_all(app, operations)).await;
            }
            None if is_shared => return halve(app, version, operations).await,
            None => return Ok(false),
        }
    }
    Ok(true)
}

/// Sends each half by itself; one that is alone is left for later.
async fn halve(app: &App, version: Version<'_>, mut operations: Vec<Prepared>) -> Result<bool, SubmitError> {
    if operations.len() < 2 {
        return Ok(false);
    }
    let second = operations.split_off(operations.len() / 2);
    let halves = [operations, second].map(|half| Box::pin(send_together(app, version, half)));
    all(halves.into()).await
}

/// The signed transaction of `operations`, as it is to be stored with each, and what it does for each.
async fn sign(
    app: &App,
    version: Version<'_>,
    operations: &[Prepared],
) -> Result<Vec<(OperationKey, Attempt)>, SubmitError> {
    let parts = parts(operations);
    let (blockhash, recent) =
        tokio::join!(blockhash(app, operations), recent_prices(app, operations, &parts));
    let blockhash = blockhash?;
    let recent = recent.inspect_err(|error| tracing::debug!(%error, "recent prices not known")).ok();
    let urgency = operations.iter().map(|prepared| prepared.urgency).max().unwrap_or_default();
    let prices = &app.settings.compute_unit_prices_micro_lamports;
    // One alone is sent as every cluster takes it.
    let version = if operations.len() > 1 { version } else { Version::Legacy };
    let terms = Terms {
        fee_payer: &app.fee_payer,
        compute_unit_price_micro_lamports: priority_fee::price(recent, prices, urgency),
        blockhash,
    };
    let signed = transaction::sign(version, terms, &parts)?;
    let attempt = |(position, prepared): (u8, &Prepared)| {
        let attempt = Attempt {
            signature: signed.signature,
            operation_id: prepared.operation.id,
            position: (operations.len() > 1).then_some(position),
            transaction: signed.bytes.clone(),
            last_valid_block_height: blockhash.last_valid_block_height,
            state: AttemptState::Sent,
            is_blameless: false,
        };
        (OperationKey::of(&prepared.operation.action, prepared.payment.amount), attempt)
    };
    Ok((0..).zip(operations).map(attempt).collect())
}

/// A blockhash. What was sent before gets a new one, so that it is another transaction.
async fn blockhash(app: &App, operations: &[Prepared]) -> Result<Blockhash, ChainError> {
    if operations.iter().all(|prepared| prepared.is_first) {
        return app.recent.blockhash(app.chain.as_ref()).await;
    }
    app.chain.blockhash().await
}

/// What recent blocks took. Nobody but its payer writes to what an intent's hold writes to; and a payer that made its own
/// accounts dear must not make them so for others.
async fn recent_prices(app: &App, operations: &[Prepared], parts: &[&Part]) -> Result<Vec<u64>, ChainError> {
    if operations.iter().all(|prepared| prepared.operation.action.settles_intent()) {
        return app.recent.prices(app.chain.as_ref()).await;
    }
    app.chain.recent_prices(&writable(parts)).await
}

/// The accounts that the transaction writes to, each once. Others compete for all of them but the fee payer, which is
/// nobody else's.
fn writable(parts: &[&Part]) -> Vec<Address> {
    let metas = parts.iter().flat_map(|part| &part.instruction.accounts);
    let mut addresses: Vec<_> = metas.filter(|meta| meta.is_writable).map(|meta| meta.pubkey).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// Hands a transaction that is stored to the cluster. Returns why its simulation failed, if so: then it was not broadcast.
async fn hand_over(app: &App, attempt: &Attempt, simulate: bool) -> Option<TransactionError> {
    match app.chain.send(&attempt.transaction, simulate).await {
        Ok(()) | Err(SendError::Simulation(TransactionError::AlreadyProcessed)) => None,
        Err(SendError::Unknown(error)) => {
            let signature = Base58(attempt.signature);
            tracing::warn!(%signature, %error, "not known whether the transaction was sent; it will be repeated");
            None
        }
        Err(SendError::Simulation(error)) => Some(error),
    }
}

fn log_sent(operations: &[Prepared], attempt: &Attempt) {
    let signature = Base58(attempt.signature);
    for Prepared { operation, .. } in operations {
        let (payment, kind) = (Hex32(operation.payment_id), operation.action.kind());
        tracing::info!(%payment, kind, %signature, operations = operations.len(), "transaction sent");
    }
}

/// Sends a transaction that somebody else signed too, and that is stored: a refund's or a transfer's. It may be on its way
/// already: whatever its simulation says, it is repeated until it is in a block, or can't be in any. Forgotten too early, a
/// second one could land beside it.
pub async fn send_signed(app: &App, payment_id: Digest, action: &Action, attempt: &Attempt) {
    let (payment, kind, signature) = (Hex32(payment_id), action.kind(), Base58(attempt.signature));
    // A transfer was simulated a moment ago.
    match hand_over(app, attempt, *action != Action::Transfer).await {
        None => {
            app.metrics.count_transaction(1);
            tracing::info!(%payment, kind, %signature, "transaction sent");
        }
        Some(error) => {
            tracing::warn!(%payment, kind, %signature, %error, "its simulation failed; it will be repeated");
        }
    }
    app.sent.notify_one();
}
