//! What somebody must hear of before it is too late: captures near their deadline, budgets near their end. Also takes down what the fee payer
//! has, from which the metrics tell when it is spent.

use std::{
    collections::HashSet,
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::MissedTickBehavior;
use x402_escrow_domain::{
    budget::{Budget, Limits},
    payment::{Action, ListedOperation},
};
use x402_escrow_wire::{auth_capture::Commitment, text::Hex32};

use crate::{
    engine::{app::App, budget, not_accepted::Interrupted},
    store::StoreError,
};

/// How long before its deadline a capture must be confirmed.
pub const CAPTURE_MARGIN_SECONDS: i64 = 600;

/// How long a capture that came late has before it is an alarm: most are confirmed within it.
const CAPTURE_PATIENCE_SECONDS: i64 = 15;

/// The most time between two looks.
const INTERVAL: Duration = Duration::from_secs(15);

/// Whether `open` is a capture that its deadline may overtake: then the merchant has delivered and is not paid.
pub fn is_endangered(open: &ListedOperation, now: i64) -> bool {
    let operation = &open.operation;
    matches!(operation.action, Action::Capture { .. } | Action::Close { .. })
        && !operation.state.has_reached(Commitment::Confirmed)
        && now.saturating_add(CAPTURE_MARGIN_SECONDS) >= open.capture_deadline
        && now.saturating_sub(operation.accepted_at) >= CAPTURE_PATIENCE_SECONDS
}

/// How many holds have a last voucher that should be being captured by now, and is not: nobody looks for what is due.
///
/// # Errors
/// If the store fails.
pub async fn overdue_vouchers(app: &App, now: i64) -> Result<u64, StoreError> {
    let interval = i64::try_from(app.settings.review_interval.as_secs()).unwrap_or(i64::MAX);
    let since = now.saturating_sub(interval).saturating_sub(CAPTURE_PATIENCE_SECONDS);
    app.store.overdue_vouchers(since, now).await
}

/// Looks again and again, for ever.
pub async fn run(app: Arc<App>) -> Infallible {
    let mut interval = tokio::time::interval(app.settings.review_interval.min(INTERVAL));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut warned, mut warned_of) = (HashSet::new(), HashSet::new());
    loop {
        interval.tick().await;
        app.limits.forget();
        let writable = app.store.check_writable().await;
        app.is_unwritable.store(writable.is_err(), Ordering::Relaxed);
        if let Err(error) = writable {
            tracing::error!(%error, "the store can't be written to");
        }
        if let Err(error) = look(&app, &mut warned).await {
            tracing::warn!(%error, "can't look for what is in danger");
        }
        if let Err(error) = look_at_budgets(&app, &mut warned_of).await {
            tracing::warn!(%error, "can't look at budgets");
        }
    }
}

/// Warns once a period of a budget of which little is left.
async fn look_at_budgets(app: &App, warned: &mut HashSet<(Budget, i64)>) -> Result<(), Interrupted> {
    budget::give_back_idle(app).await?;
    let now = app.now();
    warned.retain(|(_, ends_at)| *ends_at > now);
    for left in budget::left(app).await?.iter().filter(|left| left.is_little()) {
        let Budget { kind, period, .. } = left.budget;
        if warned.insert((left.budget, period.end(now))) {
            let (kind, period, lamports) = (kind.as_str(), period.as_str(), left.lamports);
            tracing::warn!(
                kind,
                period,
                lamports,
                limit = left.limit,
                "less than a fifth of a budget is left"
            );
        }
    }
    if app.settings.budgets.rent != Limits::default() {
        budget::read_hold_rent(app).await?;
    }
    Ok(())
}

async fn look(app: &App, warned: &mut HashSet<i64>) -> Result<(), Interrupted> {
    let now = app.now();
    let open = app.unreadable.note("alarm", app.store.unfinished().await?);
    warned.retain(|id| open.iter().any(|open| open.operation.id == *id));
    for open in open.iter().filter(|open| is_endangered(open, now)) {
        let operation = &open.operation;
        if warned.insert(operation.id) {
            tracing::warn!(
                payment = %Hex32(operation.payment_id),
                state = operation.state.as_str(),
                problem = operation.problem.as_ref().map(|problem| problem.code.as_str()),
                seconds_left = open.capture_deadline.saturating_sub(now),
                "a capture is near its deadline and not confirmed: after it the money goes back to the payer"
            );
        }
    }
    let overdue = overdue_vouchers(app, now).await?;
    if overdue > 0 {
        tracing::warn!(
            holds = overdue,
            "last vouchers are not captured in time: after their deadlines the money goes back to the payers"
        );
    }
    let addresses = [app.rules.fee_payer, app.rules.program];
    let snapshot = app.chain.accounts(&addresses, Commitment::Processed).await?;
    let account = |index: usize| snapshot.accounts.get(index).and_then(Option::as_ref);
    if !app.cluster.note_program(account(1)) {
        tracing::error!(
            program = %app.rules.program,
            "the escrow program is not on this cluster: nothing can be held; /supported stops offering it"
        );
    }
    let lamports = account(0).map_or(0, |account| account.lamports);
    let mut runway = app.metrics.runway.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    runway.take_down(now, lamports);
    Ok(())
}

#[cfg(test)]
mod tests {
    use x402_escrow_interface::Address;
    use x402_escrow_wire::auth_capture::Level;

    use super::*;
    use x402_escrow_domain::payment::{Operation, OperationState};

    const NOW: i64 = 1_000_000;

    fn open(action: Action, state: OperationState) -> ListedOperation {
        let operation = Operation {
            id: 1,
            payment_id: [0; 32],
            action,
            commitment: Level::Reserved,
            accepted_at: NOW - CAPTURE_PATIENCE_SECONDS,
            state,
            closed: false,
            problem: None,
        };
        ListedOperation {
            operation,
            escrow: None,
            receiver: Address::default(),
            asset: "mint".to_owned(),
            authorized: 1000,
            capture_deadline: NOW + CAPTURE_MARGIN_SECONDS,
        }
    }

    #[test]
    fn what_pays_the_receiver_is_in_danger_until_it_is_confirmed_also_while_it_waits_for_others() {
        let signature = [0; 64];
        let pays = [
            Action::Capture { amount: 1, fee: 0, last: false, signature },
            Action::Close { amount: 1, bound: 1, fee: 0, signature, release: signature },
        ];
        for action in pays {
            for state in [
                OperationState::Queued,
                OperationState::Sent,
                OperationState::Landed(Commitment::Processed),
                OperationState::Failed,
            ] {
                assert!(is_endangered(&open(action, state), NOW), "{action:?} {state:?}");
                assert!(!is_endangered(&open(action, state), NOW - 1), "neither late nor old");
            }
            assert!(!is_endangered(&open(action, OperationState::Landed(Commitment::Confirmed)), NOW));
        }
        for action in [Action::Void { amount: 1, signature }, Action::Reclaim] {
            assert!(!is_endangered(&open(action, OperationState::Queued), NOW), "{action:?}");
        }
    }
}
