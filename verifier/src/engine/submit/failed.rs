//! What becomes of operations whose transaction fails its simulation.

use solana_sdk::transaction::TransactionError;
use x402_escrow_domain::{
    failure::{self, Place, Prospect},
    payment::{Action, Attempt, Operation, OperationKey, Problem},
};
use x402_escrow_wire::{error_code::ErrorCode, text::Hex32};

use super::{SubmitError, prepare::Prepared};
use crate::{
    engine::{app::App, found},
    store::{StoreError, TakenBack},
};

/// Takes back a transaction that was not broadcast: all its operations are to be sent again, but for one that can't succeed.
/// Who waits for the one at `culprit` is told later, when more is known. Returns whether it failed for what they are together.
pub(super) async fn take_back(
    app: &App,
    operations: &[Prepared],
    attempts: &[(OperationKey, Attempt)],
    error: &TransactionError,
    culprit: Option<usize>,
) -> Result<bool, StoreError> {
    let mut is_shared = false;
    let explained = operations.iter().zip(attempts).map(|(Prepared { operation, .. }, (_, attempt))| {
        let (prospect, problem) = failure::explain(&operation.action, Place::of(attempt), error);
        let refused = failure::is_refused(prospect, &operation.action);
        is_shared |= failure::is_shared(&problem);
        if !failure::is_of_another(&problem) {
            tracing::warn!(
                payment = %Hex32(operation.payment_id), kind = operation.action.kind(),
                reason = problem.message, refused, "the simulation failed; nothing was sent"
            );
        }
        let problem = (prospect != Prospect::Retry).then_some(problem);
        TakenBack { operation_id: operation.id, problem, refused }
    });
    let taken_back: Vec<_> = explained.collect();
    if let Some((_, attempt)) = attempts.first() {
        app.store.take_back_attempts(&attempt.signature, &taken_back).await?;
    }
    for (index, (Prepared { operation, .. }, taken_back)) in operations.iter().zip(&taken_back).enumerate() {
        if taken_back.problem.is_some() && culprit != Some(index) {
            app.changes.tell(&operation.payment_id);
        }
    }
    Ok(is_shared)
}

/// An authorization whose nonce is used may be another relay's by now, and the hold may have ended since. So may a charge
/// be, and nothing but the log of a final block shows that.
pub(super) async fn look_again(app: &App, operation: &Operation) -> Result<(), SubmitError> {
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
