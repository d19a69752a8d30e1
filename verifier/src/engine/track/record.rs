//! Records what the tracker found out in a round, and what that means for the payments.

use std::collections::HashMap;

use x402_escrow_domain::{
    failure,
    payment::{Action, Attempt, History, Operation, OperationState, Sums, Tracked},
    review::{ClusterTime, Review, review},
};
use x402_escrow_wire::text::{Base58, Hex32};

use crate::{
    engine::{app::App, budget},
    store::StoreError,
};

/// How many operations are recorded in one step: others write in between.
const RECORDED_TOGETHER: usize = 256;

/// An operation that is not as it was.
pub(super) struct Changed {
    pub(super) before: Operation,
    pub(super) tracked: Tracked,
}

/// Records what changed, and tells those who wait for it. One that can't be recorded stops no other.
///
/// # Errors
/// If the store fails.
pub(super) async fn record(app: &App, changed: &[Changed]) -> Result<(), StoreError> {
    for chunk in changed.chunks(RECORDED_TOGETHER) {
        let are_all_recorded = match record_together(app, chunk).await {
            Err(error) if error.is_of_row() => {
                record_each(app, chunk).await?;
                false
            }
            recorded => recorded.map(|()| true)?,
        };
        app.heartbeat.beat();
        for Changed { tracked, .. } in chunk {
            match are_all_recorded {
                true => app.changes.tell_operation(tracked),
                // Which of them are, the store knows.
                false => app.changes.tell(&tracked.operation.payment_id),
            }
        }
    }
    Ok(())
}

async fn record_each(app: &App, changed: &[Changed]) -> Result<(), StoreError> {
    for one in changed {
        match record_together(app, std::slice::from_ref(one)).await {
            Err(error) if error.is_of_row() => {
                let payment = Hex32(one.before.payment_id);
                tracing::error!(%payment, %error, "not recorded; nothing else waits for it");
            }
            recorded => recorded?,
        }
    }
    Ok(())
}

async fn record_together(app: &App, changed: &[Changed]) -> Result<(), StoreError> {
    app.store.record(&changed.iter().map(|changed| &changed.tracked).collect::<Vec<_>>()).await?;
    let (mut over, mut closed) = (Vec::new(), Vec::new());
    for Changed { before, tracked } in changed {
        log_change(before, tracked);
        let after = &tracked.operation;
        if before.state != OperationState::Failed && after.state == OperationState::Failed {
            blame(app, tracked).await?;
        }
        if !before.closed && after.closed {
            closed.push(after);
        }
    }
    if closed.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = closed.iter().map(|after| after.payment_id).collect();
    let read = app.store.histories(&ids).await?.rows;
    let histories: HashMap<_, _> = read.iter().map(|history| (history.payment.id, history)).collect();
    for (index, after) in closed.iter().enumerate() {
        let Some(history) = histories.get(&after.payment_id) else { continue };
        let is_over = conclude(app, history, after, &closed[index + 1..]);
        // The review of a transfer ended when it was recorded as closed.
        if is_over && after.action != Action::Transfer {
            over.push(after.payment_id);
        }
    }
    if over.is_empty() { Ok(()) } else { app.store.end_reviews(&over).await }
}

/// Counts what a capture, a charge or a transfer that has become final adds to those before it, of which `later`, which
/// became final with it, are none. Returns whether nothing is left to do with its payment. A crash in between leaves the one
/// uncounted and the other to the review.
fn conclude(app: &App, history: &History, after: &Operation, later: &[&Operation]) -> bool {
    if matches!(
        after.action,
        Action::Capture { .. } | Action::Close { .. } | Action::Charge { .. } | Action::Transfer
    ) {
        let captured = |with: bool| {
            let operations = history.operations.iter().map(|tracked| &tracked.operation);
            let is_later = |operation: &Operation| later.iter().any(|later| later.id == operation.id);
            let is_final = |operation: &&Operation| {
                operation.closed && !is_later(operation) && (with || operation.id != after.id)
            };
            Sums::of(history.payment.amount, operations.filter(is_final), OperationState::has_landed).captured
        };
        let amount = captured(true).saturating_sub(captured(false));
        let payment = &history.payment;
        app.metrics.count_captured(payment.scheme(), payment.mint.to_string(), amount);
    }
    // Whether anything is left doesn't depend on the time; when it is to be done does.
    review(history, ClusterTime::default(), &app.rules.policy) == Review::Done
}

/// A transaction failed for this operation that others shared: its payment bears the cost, and where its intent was to be
/// settled, its escrow's or its receiver's go alone. A crash before leaves it to the operator, once.
async fn blame(app: &App, tracked: &Tracked) -> Result<(), StoreError> {
    let to_blame = |attempt: &Attempt| {
        let problem = attempt.state.landing()?.error.clone()?;
        let is_to_blame = attempt.position.is_some() && !attempt.is_blameless;
        is_to_blame.then(|| (attempt.transaction.clone(), problem))
    };
    let Some((transaction, problem)) = tracked.attempts.iter().find_map(to_blame) else { return Ok(()) };
    let Some(history) = app.store.history(&tracked.operation.payment_id).await? else { return Ok(()) };
    let payment = Hex32(history.payment.id);
    tracing::warn!(%payment, "a transaction failed for this payment that others shared");
    let action = &tracked.operation.action;
    app.suspects.note(&history.payment, action, &problem);
    let is_of_receiver = failure::is_of_receiver(action, &problem);
    budget::charge_failed(app, &history.payment, &transaction, is_of_receiver).await;
    Ok(())
}

fn log_change(before: &Operation, tracked: &Tracked) {
    let after = &tracked.operation;
    if before.state == after.state {
        return;
    }
    let payment = Hex32(after.payment_id);
    let attempt = tracked.decisive_attempt();
    let signature = attempt.map(|attempt| Base58(attempt.signature).to_string());
    let slot = attempt.and_then(|attempt| attempt.state.landing()).map(|landing| landing.slot);
    let (kind, state) = (after.action.kind(), after.state.as_str());
    if matches!(before.state, OperationState::Landed(_)) && !after.state.has_landed() {
        tracing::warn!(%payment, kind, state, signature, "the transaction's block was dropped: unsettled again");
    } else {
        tracing::info!(%payment, kind, state, signature, slot, "operation is {state}");
    }
}
