//! Makes the transaction of an operation, stores it, and hands it to the cluster.

use x402_escrow_interface::{
    account::{Escrow, Hold},
    message::Digest,
};
use x402_escrow_wire::{
    auth_capture::Commitment,
    error_code::ErrorCode,
    text::{Base58, Hex32},
};

use crate::{
    app::{App, unix_now},
    chain::{ChainError, SendError, Snapshot},
    payment::{Action, Attempt, AttemptState, History, Operation, Payment, Problem, Tracked},
    priority_fee,
    refusal::{self, Prospect},
    store::StoreError,
    transaction::{self, HoldState, Signed, Terms},
};

/// Why nothing was sent; the operation stays as it is and is tried again.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The node didn't answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The transaction can't be written.
    #[error("the transaction can't be serialised: {0}")]
    Serialise(#[from] bincode::Error),
}

/// Sends a new transaction of `operation`. Whatever happens to it from here on, the store knows it first.
///
/// # Errors
/// If nothing was sent.
pub async fn submit(app: &App, operation: &Operation) -> Result<(), SubmitError> {
    let Some(history) = app.store.history(&operation.payment_id).await? else { return Ok(()) };
    let Some(signed) = make(app, operation, &history).await? else { return Ok(()) };
    let attempt = Attempt {
        signature: signed.transaction.signature,
        operation_id: operation.id,
        transaction: signed.transaction.bytes,
        last_valid_block_height: signed.last_valid_block_height,
        state: AttemptState::Sent,
    };
    if !app.store.add_attempt(&attempt).await? {
        return Ok(());
    }
    Ok(send(app, &operation.action, operation.payment_id, &attempt).await?)
}

/// Sends a transaction that is stored. Where the simulation fails it is taken back.
///
/// # Errors
/// If the store fails.
pub async fn send(
    app: &App,
    action: &Action,
    payment_id: Digest,
    attempt: &Attempt,
) -> Result<(), StoreError> {
    let payment = Hex32(payment_id);
    let signature = Base58(attempt.signature);
    match app.chain.send(&attempt.transaction, true).await {
        Ok(()) => {
            tracing::info!(%payment, kind = action.kind(), %signature, "transaction sent");
            Ok(())
        }
        Err(SendError::Unknown(error)) => {
            tracing::warn!(%payment, %signature, %error, "not known whether the transaction was sent; it will be repeated");
            Ok(())
        }
        Err(SendError::Simulation(solana_sdk::transaction::TransactionError::AlreadyProcessed)) => Ok(()),
        // It is all that the receiver signed, and may be on its way already: it is repeated until it is in a block, or
        // can't be in any. Forgotten too early, a second one could land beside it.
        Err(SendError::Simulation(error)) if matches!(action, Action::Refund { .. }) => {
            tracing::warn!(%payment, %signature, %error, "the refund's simulation failed; it will be repeated");
            Ok(())
        }
        Err(SendError::Simulation(error)) => {
            let (prospect, problem) = refusal::explain(action, &error);
            let refused = is_refused(prospect, action);
            tracing::warn!(
                %payment, kind = action.kind(), reason = problem.message, refused,
                "the simulation failed; nothing was sent"
            );
            let reported = (prospect != Prospect::Retry).then_some(&problem);
            app.store.take_back_attempt(attempt, reported, refused).await
        }
    }
}

/// An authorization is answered now, so what may succeed later is a no. A capture is money: it is kept until it can't
/// succeed any more.
fn is_refused(prospect: Prospect, action: &Action) -> bool {
    match prospect {
        Prospect::Retry => false,
        Prospect::Later => matches!(action, Action::Authorize),
        Prospect::Never => true,
    }
}

struct Made {
    transaction: Signed,
    last_valid_block_height: u64,
}

/// The signed transaction; `None` if none can be made, and the operation says why.
async fn make(app: &App, operation: &Operation, history: &History) -> Result<Option<Made>, SubmitError> {
    let payment = &history.payment;
    let hold_state = match operation.action {
        Action::Authorize => None,
        _ => match read_hold(app, payment, Commitment::Processed).await? {
            (_, Some(state)) => Some(state),
            (slot, None) => {
                let refused = is_gone(history, slot);
                app.store.report_problem(operation.id, &no_hold(payment), refused).await?;
                return Ok(None);
            }
        },
    };
    let writable = [payment.intent.escrow, payment.hold()];
    let (blockhash, recent) = tokio::join!(app.chain.blockhash(), app.chain.recent_prices(&writable));
    let blockhash = blockhash?;
    let recent = recent.unwrap_or_else(|error| {
        tracing::debug!(%error, "recent prices not known: offering the least");
        Vec::new()
    });
    let is_urgent = priority_fee::is_urgent(&operation.action, payment, unix_now());
    let prices = &app.settings.compute_unit_prices_micro_lamports;
    let terms = Terms {
        fee_payer: &app.fee_payer,
        compute_unit_price_micro_lamports: priority_fee::price(recent, prices, is_urgent),
        blockhash,
    };
    let transaction = match &hold_state {
        Some(state) => transaction::on_hold(terms, payment, &operation.action, state)?,
        None => Some(transaction::authorize(terms, payment)?),
    };
    Ok(transaction
        .map(|transaction| Made { transaction, last_valid_block_height: blockhash.last_valid_block_height }))
}

/// The hold, if it is on chain, as of a slot.
///
/// # Errors
/// If the node doesn't answer.
pub async fn read_hold(
    app: &App,
    payment: &Payment,
    commitment: Commitment,
) -> Result<(u64, Option<HoldState>), ChainError> {
    let addresses = [payment.intent.escrow, payment.hold()];
    let Snapshot { slot, accounts } = app.chain.accounts(&addresses, commitment).await?;
    let data = |index: usize| accounts.get(index)?.as_ref().map(|account| account.data.as_slice());
    let escrow = data(0).and_then(|data| Escrow::decode(data).ok());
    let hold = data(1).and_then(|data| Hold::decode(data).ok());
    let state = escrow
        .zip(hold)
        .filter(|(_, hold)| hold.intent_digest == payment.id)
        .map(|(escrow, hold)| HoldState { escrow, hold });
    Ok((slot, state))
}

/// Whether a hold that is missing as of `slot` was ended by somebody else. A node that lags behind does not have it
/// yet, and until the authorization is final it may be on another fork.
fn is_gone(history: &History, slot: u64) -> bool {
    let authorization = history.operations.first().and_then(Tracked::decisive_attempt);
    authorization.and_then(|attempt| attempt.state.landing()).is_some_and(|landing| {
        landing.error.is_none() && landing.commitment == Commitment::Finalized && slot > landing.slot
    })
}

fn no_hold(payment: &Payment) -> Problem {
    Problem {
        code: ErrorCode::InvalidTransactionState,
        message: format!(
            "the hold {} is not on chain: the node lags behind, or somebody else ended it",
            payment.hold()
        ),
    }
}
