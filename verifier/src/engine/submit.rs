//! Makes the transactions of operations, stores them, and hands them to the cluster.

mod prepare;

use futures_util::future::join_all;
use solana_sdk::transaction::TransactionError;
use x402_escrow_domain::{
    failure::{self, Prospect},
    payment::{Action, Attempt, AttemptState, Operation, OperationKey, Problem},
    priority_fee,
    transaction::{self, Part, Terms},
};
use x402_escrow_interface::{Address, message::Digest};
use x402_escrow_wire::{
    error_code::ErrorCode,
    text::{Base58, Hex32},
};

use crate::{
    chain::{ChainError, SendError},
    engine::{app::App, found, not_accepted::Interrupted},
    store::{StoreError, TakenBack},
};

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
    #[error("the transaction can't be serialised: {0}")]
    Serialise(#[from] bincode::Error),
}

/// Sends new transactions of `operations` (of different payments, at most [`x402_escrow_domain::gather::MAXIMUM_TOGETHER`]), as many to
/// a transaction as fit. Whatever happens to them from here on, the store knows it first. Returns those whose holds are
/// missing, which are left for [`report_missing`]: what becomes of them takes longer to find out.
///
pub async fn submit(app: &App, operations: &[Operation]) -> (Vec<MissingHold>, Result<(), SubmitError>) {
    match prepare(app, operations).await {
        Ok((prepared, missing)) => (missing, send_all(app, prepared).await),
        Err(error) => (Vec::new(), Err(error)),
    }
}

async fn send_all(app: &App, mut rest: Vec<Prepared>) -> Result<(), SubmitError> {
    let mut transactions = Vec::new();
    while !rest.is_empty() {
        let fitting = transaction::fitting(&app.rules.fee_payer, &parts(&rest))?;
        let more = rest.split_off(fitting);
        transactions.push(send_together(app, rest));
        rest = more;
    }
    // All of them, whatever becomes of one.
    join_all(transactions).await.into_iter().collect()
}

fn parts(prepared: &[Prepared]) -> Vec<&Part> {
    prepared.iter().map(|prepared| &prepared.part).collect()
}

/// Sends one transaction. Where its simulation fails for one of the operations, the others go on without it.
async fn send_together(app: &App, mut operations: Vec<Prepared>) -> Result<(), SubmitError> {
    while !operations.is_empty() {
        let attempts = sign(app, &operations).await?;
        if !app.store.add_attempts(&attempts).await? {
            return Ok(());
        }
        let Some((_, first)) = attempts.first() else { return Ok(()) };
        let Some(error) = hand_over(app, first).await else {
            log_sent(&operations, first);
            app.metrics.count_transaction(operations.len());
            return Ok(());
        };
        take_back(app, &operations, &attempts, &error).await?;
        for Prepared { operation, .. } in &operations {
            look_again(app, operation).await?;
        }
        match failure::culprit(&error).map(usize::from).filter(|culprit| *culprit < operations.len()) {
            Some(culprit) => _ = operations.remove(culprit),
            None => return Ok(()),
        }
    }
    Ok(())
}

/// The signed transaction of `operations`, as it is to be stored with each, and what it does for each.
async fn sign(app: &App, operations: &[Prepared]) -> Result<Vec<(OperationKey, Attempt)>, SubmitError> {
    let parts = parts(operations);
    let writable = writable(&parts);
    let (blockhash, recent) = tokio::join!(app.chain.blockhash(), app.chain.recent_prices(&writable));
    let blockhash = blockhash?;
    let recent = recent.inspect_err(|error| tracing::debug!(%error, "recent prices not known")).ok();
    let urgency = operations.iter().map(|prepared| prepared.urgency).max().unwrap_or_default();
    let prices = &app.settings.compute_unit_prices_micro_lamports;
    let terms = Terms {
        fee_payer: &app.fee_payer,
        compute_unit_price_micro_lamports: priority_fee::price(recent, prices, urgency),
        blockhash,
    };
    let signed = transaction::sign(terms, &parts)?;
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
async fn hand_over(app: &App, attempt: &Attempt) -> Option<TransactionError> {
    match app.chain.send(&attempt.transaction, true).await {
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

/// Takes back a transaction that was not broadcast: all its operations are to be sent again, but for one that can't succeed.
async fn take_back(
    app: &App,
    operations: &[Prepared],
    attempts: &[(OperationKey, Attempt)],
    error: &TransactionError,
) -> Result<(), StoreError> {
    let culprit = failure::culprit(error);
    let explained = operations.iter().zip(attempts).map(|(Prepared { operation, .. }, (_, attempt))| {
        let (prospect, problem) = failure::explain(&operation.action, attempt.position, error);
        let refused = failure::is_refused(prospect, &operation.action);
        if culprit.is_none() || attempt.position.is_none() || attempt.position == culprit {
            tracing::warn!(
                payment = %Hex32(operation.payment_id), kind = operation.action.kind(),
                reason = problem.message, refused, "the simulation failed; nothing was sent"
            );
        }
        let problem = (prospect != Prospect::Retry).then_some(problem);
        TakenBack { operation_id: operation.id, problem, refused }
    });
    let taken_back: Vec<_> = explained.collect();
    match attempts.first() {
        Some((_, attempt)) => app.store.take_back_attempts(&attempt.signature, &taken_back).await,
        None => Ok(()),
    }
}

/// An authorization whose nonce is used may be another relay's by now, and the hold may have ended since. So may a charge
/// be, and nothing but the log of a final block shows that.
async fn look_again(app: &App, operation: &Operation) -> Result<(), SubmitError> {
    if !operation.action.settles_intent() {
        return Ok(());
    }
    let Some(history) = app.store.history(&operation.payment_id).await? else { return Ok(()) };
    let is = |code| {
        let mut operations = history.operations.iter().map(|tracked| &tracked.operation);
        let known = operations.find(|known| known.id == operation.id);
        known.and_then(|known| known.problem.as_ref()).is_some_and(|problem| problem.code == code)
    };
    match (&operation.action, history.intent()) {
        (Action::Authorize, _) if is(ErrorCode::NonceInvalid) => {
            found::record(app, &history).await?;
        }
        (Action::Charge { .. }, Some(signed)) if is(ErrorCode::SettlementPending) => {
            let (found, is_too_late) =
                found::record_charge(app, &history, signed.intent.authorize_by).await?;
            if found.is_none() && is_too_late {
                app.store.report_problem(operation.id, &never_charged(), true).await?;
                app.changes.tell(&operation.payment_id);
            }
        }
        _ => {}
    }
    Ok(())
}

fn never_charged() -> Problem {
    Problem {
        code: ErrorCode::IntentExpired,
        message: "the intent's authorize-by time has passed, and no final block charged it: nothing was paid"
            .to_owned(),
    }
}

/// Sends a refund's transaction, which is stored. It is all that the receiver signed, and may be on its way already: whatever
/// its simulation says, it is repeated until it is in a block, or can't be in any. Forgotten too early, a second one could
/// land beside it.
pub async fn send_refund(app: &App, payment_id: Digest, attempt: &Attempt) {
    let (payment, signature) = (Hex32(payment_id), Base58(attempt.signature));
    match hand_over(app, attempt).await {
        None => {
            app.metrics.count_transaction(1);
            tracing::info!(%payment, kind = "refund", %signature, "transaction sent");
        }
        Some(error) => {
            tracing::warn!(%payment, %signature, %error, "the refund's simulation failed; it will be repeated");
        }
    }
}
