//! Makes operations ready to be sent: looks at their holds as they are now.

use std::collections::HashMap;

use x402_escrow_domain::{
    cluster::Account,
    payment::{Action, Attempt, AttemptState, History, HoldTerms, Operation, Payment, Problem, Tracked},
    priority_fee::{self, Urgency},
    transaction::{self, HoldState, Part},
};
use x402_escrow_interface::account::{Escrow, Hold};
use x402_escrow_wire::{auth_capture::Commitment, error_code::ErrorCode, text::Hex32};

use super::SubmitError;
use crate::{
    chain::{ChainError, views::Views},
    engine::{app::App, found},
    store::UnreadableRow,
};

/// An operation with what carries it out.
pub(super) struct Prepared {
    pub(super) operation: Operation,
    pub(super) payment: Payment,
    pub(super) urgency: Urgency,
    /// Whether there is no transaction of it yet.
    pub(super) is_first: bool,
    /// Whether one of version 1 was in no block.
    pub(super) was_lost_in_version_1: bool,
    pub(super) part: Part,
}

/// An operation whose hold is missing.
pub struct MissingHold {
    /// What was to be done.
    pub operation: Operation,
    history: History,
    hold: HoldTerms,
    /// As of which slot.
    slot: u64,
}

/// Looks at the holds as they are now: what can be sent, and what can't since its hold is missing.
pub(super) async fn prepare(
    app: &App,
    operations: &[Operation],
) -> Result<(Vec<Prepared>, Vec<MissingHold>), SubmitError> {
    let ids: Vec<_> = operations.iter().map(|operation| operation.payment_id).collect();
    let read = app.store.histories(&ids).await?;
    for UnreadableRow { name, cause } in &read.unreadable {
        tracing::error!(payment = name, %cause, "not sent; the others are");
    }
    let mut read: HashMap<_, _> =
        read.rows.into_iter().map(|history| (history.payment.id, history)).collect();
    let known: Vec<_> = operations
        .iter()
        .filter_map(|operation| {
            let history = read.remove(&operation.payment_id)?;
            let hold = history.intent().cloned()?;
            Some((operation, history, hold))
        })
        .collect();
    let on_holds = known.iter().filter(|(operation, ..)| operation.action != Action::Authorize);
    let holds: Vec<_> = on_holds.map(|(operation, _, hold)| (*operation, hold)).collect();
    let mut found = find_holds(app, &holds).await?.into_iter();
    let (mut prepared, mut missing) = (Vec::with_capacity(known.len()), Vec::new());
    let now = app.now();
    for (operation, history, hold) in &known {
        let part = match operation.action {
            Action::Authorize => Some(transaction::authorize(&app.rules.fee_payer, hold)),
            _ => match found.next() {
                Some(Ok((_, Found::There(part)))) => part,
                Some(Ok((slot, Found::Missing))) => {
                    missing.push(MissingHold {
                        operation: Operation::clone(operation),
                        history: history.clone(),
                        hold: hold.clone(),
                        slot,
                    });
                    None
                }
                Some(Err(error)) => {
                    tracing::debug!(payment = %Hex32(history.payment.id), %error, "its hold is looked at again");
                    None
                }
                None => None,
            },
        };
        prepared.extend(part.map(|part| Prepared {
            operation: Operation::clone(operation),
            payment: history.payment.clone(),
            urgency: urgency(history, operation, now),
            is_first: tracked(history, operation).is_none_or(|tracked| tracked.attempts.is_empty()),
            was_lost_in_version_1: tracked(history, operation).is_some_and(was_lost_in_version_1),
            part,
        }));
    }
    Ok((prepared, missing))
}

fn urgency(history: &History, operation: &Operation, now: i64) -> Urgency {
    let deadline = history.payment.capture_deadline();
    let urgency = |tracked| priority_fee::urgency(tracked, deadline, now);
    tracked(history, operation).map_or_else(Urgency::default, urgency)
}

fn was_lost_in_version_1(tracked: &Tracked) -> bool {
    let is_lost = |attempt: &Attempt| {
        attempt.state == AttemptState::Expired && transaction::first_operation(&attempt.transaction) == 0
    };
    tracked.attempts.iter().any(is_lost)
}

fn tracked<'a>(history: &'a History, operation: &Operation) -> Option<&'a Tracked> {
    history.operations.iter().find(|tracked| tracked.operation.id == operation.id)
}

/// A hold, or the escrow of a charge, as enough nodes have it.
#[derive(PartialEq)]
enum Found {
    /// It is there, and this carries out what is to be done with it.
    There(Option<Part>),
    /// It is not there.
    Missing,
}

/// What enough nodes make of each of `holds` (at most 50), as of which slot, in the same order. One whose node lags behind
/// stops nothing else.
async fn find_holds(
    app: &App,
    holds: &[(&Operation, &HoldTerms)],
) -> Result<Vec<Result<(u64, Found), ChainError>>, ChainError> {
    if holds.is_empty() {
        return Ok(Vec::new());
    }
    let addresses: Vec<_> = holds.iter().flat_map(|(_, hold)| [hold.intent.escrow, hold.address()]).collect();
    let views = Views::read(app.chain.as_ref(), &addresses, Commitment::Processed).await?;
    let find = |(index, (operation, terms)): (usize, &(&Operation, &HoldTerms))| {
        views.agreed(|accounts| match operation.action {
            Action::Charge { .. } => escrow(accounts, index).map_or(Found::Missing, |escrow| {
                Found::There(transaction::charge(terms, &operation.action, &escrow))
            }),
            _ => hold_state(accounts, index, terms).map_or(Found::Missing, |state| {
                Found::There(transaction::on_hold(terms, &operation.action, &state))
            }),
        })
    };
    Ok(holds.iter().enumerate().map(find).collect())
}

fn data(accounts: &[Option<Account>], index: usize) -> Option<&[u8]> {
    accounts.get(index)?.as_ref().map(|account| account.data.as_slice())
}

fn escrow(accounts: &[Option<Account>], index: usize) -> Option<Escrow> {
    Escrow::decode(data(accounts, 2 * index)?).ok()
}

fn hold_state(accounts: &[Option<Account>], index: usize, terms: &HoldTerms) -> Option<HoldState> {
    let escrow = escrow(accounts, index)?;
    let hold = Hold::decode(data(accounts, 2 * index + 1)?).ok()?;
    (hold.intent_digest == terms.intent.digest()).then_some(HoldState { escrow, hold })
}

/// Tells the store what becomes of an operation whose hold is missing. Where somebody else ended the payment, nothing is
/// held any more, which is what a void or a reclaim is for; the transaction that ended it says whether a capture was paid, if
/// the node still tells.
///
/// # Errors
/// If the node doesn't answer, or the store fails.
pub async fn report_missing(app: &App, missing: &MissingHold) -> Result<(), SubmitError> {
    let MissingHold { operation, history, hold, slot } = missing;
    if let Action::Charge { .. } = operation.action {
        app.store.report_problem(operation.id, &no_escrow(hold), false).await?;
        return Ok(());
    }
    let is_gone = is_gone(history, *slot) && is_gone_for_good(app, history, hold).await?;
    let known = if is_gone { found::record(app, history).await? } else { None };
    let is_known = known.is_some();
    let history = known.as_ref().unwrap_or(history);
    let is_done = match operation.action {
        Action::Void { .. } | Action::Reclaim => true,
        _ => history.done_by(&operation.action).is_some_and(|done| done.state.has_landed()),
    };
    if is_gone && is_done && history.authorization().has_landed() {
        app.store.report_done(operation.id).await?;
    } else {
        app.store.report_problem(operation.id, &no_hold(hold, is_gone, is_known), is_gone).await?;
    }
    Ok(())
}

/// It was there when the charge was accepted.
fn no_escrow(terms: &HoldTerms) -> Problem {
    let message =
        format!("the escrow {} is not on chain: it was closed, or the node lags behind", terms.intent.escrow);
    Problem { code: ErrorCode::SettlementPending, message }
}

/// Whether no fork has the hold any more.
async fn is_gone_for_good(app: &App, history: &History, terms: &HoldTerms) -> Result<bool, ChainError> {
    let views = Views::read(app.chain.as_ref(), &[terms.address()], Commitment::Finalized).await?;
    let (slot, is_there) = views.agreed(|accounts| {
        let hold = accounts.first()?.as_ref().and_then(|account| Hold::decode(&account.data).ok());
        Some(hold.is_some_and(|hold| hold.intent_digest == history.payment.id))
    })?;
    Ok(is_gone(history, slot) && is_there == Some(false))
}

/// Whether a hold that is missing as of `slot` will not come any more: it never was there, or somebody else ended it. A
/// node that lags behind does not have it yet, and until the authorization is final it may be on another fork.
fn is_gone(history: &History, slot: u64) -> bool {
    let Some(authorization) = history.operations.first() else { return false };
    let attempt = authorization.decisive_attempt();
    authorization.operation.came_to_nothing()
        || attempt.and_then(|attempt| attempt.state.landing()).is_some_and(|landing| {
            landing.error.is_none() && landing.commitment == Commitment::Finalized && slot > landing.slot
        })
}

/// A hold that may come yet is waited for; one that is gone for good is over.
fn no_hold(hold: &HoldTerms, is_gone: bool, is_known: bool) -> Problem {
    let (code, why) = match (is_gone, is_known) {
        (false, _) => (ErrorCode::SettlementPending, "the node lags behind, or somebody else ended it"),
        (true, false) => (ErrorCode::InvalidTransactionState, "somebody else ended it"),
        (true, true) => (
            ErrorCode::InvalidTransactionState,
            "somebody else ended it, as the payment's other operations say",
        ),
    };
    Problem { code, message: format!("the hold {} is not on chain: {why}", hold.address()) }
}
