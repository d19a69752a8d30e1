//! Settles: acts on what [`check`](super::check) found sound, and waits until it is as final as it must be. The same
//! request again, also at the same time, gets the same outcome and sends nothing.

mod hold;
mod operation;
mod transfer;
mod voucher;

use tokio::time::{Instant, timeout_at};
use x402_escrow_domain::{
    advance,
    payment::{History, OperationState, Tracked},
    report::{Progress, Vouched},
    request::Request,
    verify::{Rejection, lifecycle::unknown_payment},
};
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::{auth_capture::Level, error_code::ErrorCode, text::Hex32};

use crate::{
    engine::{
        app::App,
        changes::Subscription,
        check::{Checked, Purpose, check},
        limits::{Caller, TooMany},
        not_accepted::NotAccepted,
    },
    store::Accepted,
};

/// What a request came to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// An operation on chain.
    Operation(Box<Progress>),
    /// A voucher, which is captured later.
    Voucher(Box<Vouched>),
}

/// Settles what `caller`'s request asks for.
///
/// # Errors
/// If nothing was accepted, or the store failed.
pub async fn settle(app: &App, caller: &Caller, request: &Request) -> Result<Outcome, NotAccepted> {
    let progress = match check(app, request, Purpose::Settle).await? {
        Checked::Voucher(checked) => {
            return Ok(Outcome::Voucher(Box::new(voucher::settle(app, *checked).await?)));
        }
        Checked::Hold(checked) => hold::settle(app, caller, *checked).await?,
        Checked::Operation(checked) => operation::settle(app, caller, *checked).await?,
        Checked::Transfer(checked) => transfer::settle(app, caller, *checked).await?,
    };
    Ok(Outcome::Operation(Box::new(progress)))
}

/// The operation by which something about a payment is done, and whether it is new: then it is sent now.
///
/// # Errors
/// If it was not accepted.
pub fn accepted(app: &App, payment_id: &Digest, accepted: Accepted) -> Result<(i64, bool), NotAccepted> {
    match accepted {
        Accepted::New(operation_id) => {
            app.to_send.notify_one();
            Ok((operation_id, true))
        }
        Accepted::Before(operation_id) => Ok((operation_id, false)),
        Accepted::Refused(rejection) => Err(rejection.into()),
        Accepted::UnknownPayment => Err(unknown_payment(Hex32(*payment_id)).into()),
        Accepted::IdentifierTaken(id) => Err(NotAccepted::IdentifierTaken(id)),
        Accepted::Later { seconds } => Err(NotAccepted::TooMany(app.limits.too_many_operations(seconds))),
    }
}

/// What a caller waits for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The payment.
    pub payment_id: Digest,
    /// The operation.
    pub operation_id: i64,
    /// What the merchant asked for.
    pub commitment_asked: Option<Level>,
    /// When, unix seconds.
    pub now: i64,
    /// Whether an equal request came before.
    pub repeated: bool,
    /// Until when the caller waits.
    pub until: Instant,
}

/// Waits until the operation is as sure as it must be, came to nothing, or the time is over. Where too many wait already,
/// says what is known now.
///
/// # Errors
/// If the store failed.
pub async fn wait(app: &App, caller: &Caller, wanted: Wanted) -> Result<Progress, NotAccepted> {
    let changes = app.changes.of(wanted.payment_id);
    let progress = load(app, wanted).await?;
    wait_from(app, caller, changes, wanted, progress).await
}

/// How far the operation is at first: as `begun` has it, where its payment is new.
///
/// # Errors
/// If the store failed.
async fn begin(app: &App, wanted: Wanted, begun: Option<History>) -> Result<Progress, NotAccepted> {
    match begun.and_then(|history| judge(app, wanted, history)) {
        Some(progress) => Ok(progress),
        None => load(app, wanted).await,
    }
}

/// The same from where `progress` is. `changes` are those since then.
async fn wait_from(
    app: &App,
    caller: &Caller,
    changes: Subscription,
    wanted: Wanted,
    mut progress: Progress,
) -> Result<Progress, NotAccepted> {
    if is_decided(&progress) {
        return Ok(progress);
    }
    // Equal requests before this one wanted less.
    let required = progress.commitment_required;
    if progress.tracked.operation.commitment < required {
        app.store.ask_more(wanted.operation_id, required).await?;
        app.to_follow.notify_one();
    }
    let decided = until_decided(app, changes, wanted, progress.clone());
    match app.limits.wait(caller, wanted.payment_id, decided).await {
        Ok(progress) => progress,
        Err(too_many) => {
            progress.objection = Some(ask_again(too_many));
            Ok(progress)
        }
    }
}

async fn until_decided(
    app: &App,
    mut changes: Subscription,
    wanted: Wanted,
    mut progress: Progress,
) -> Result<Progress, NotAccepted> {
    while let Ok(heard) = timeout_at(wanted.until, changes.changed()).await {
        progress = match heard {
            Some(tracked) if is_all_that_matters(&tracked, &progress) => {
                go_on(app, wanted, progress, &tracked)
            }
            _ => load(app, wanted).await?,
        };
        if is_decided(&progress) {
            return Ok(progress);
        }
    }
    // Nobody waits for it any more: what was not sent by now must not be held later, after a no.
    let progress = load(app, wanted).await?;
    if progress.tracked.operation.action.settles_intent()
        && !progress.tracked.operation.problem.as_ref().is_some_and(advance::is_pending)
        && app.store.refuse_unsent(wanted.operation_id, &advance::not_sent_in_time()).await?
    {
        return load(app, wanted).await;
    }
    Ok(progress)
}

/// Whether nothing but `tracked` decides what the caller waits for: what begins a payment depends on no other operation. One
/// that came to nothing may have been taken up again since, which only the store tells.
fn is_all_that_matters(tracked: &Tracked, progress: &Progress) -> bool {
    let operation = &tracked.operation;
    operation.id == progress.tracked.operation.id
        && operation.action.begins_payment()
        && operation.state.has_landed()
}

/// The same as [`load`] finds, without asking the store.
fn go_on(app: &App, wanted: Wanted, progress: Progress, tracked: &Tracked) -> Progress {
    let mut history = progress.history;
    for known in &mut history.operations {
        if known.operation.id == tracked.operation.id {
            known.clone_from(tracked);
        }
    }
    let Wanted { commitment_asked, now, .. } = wanted;
    let action = &tracked.operation.action;
    let commitment_required = app.policy().required(&history, action, commitment_asked, now);
    Progress { history, tracked: tracked.clone(), commitment_required, ..progress }
}

fn ask_again(too_many: TooMany) -> Rejection {
    let (why, seconds) = (too_many.limit.message(), too_many.retry_after_seconds);
    let message = format!("it is accepted and not decided yet, and {why}; settle again in {seconds} s");
    Rejection::new(ErrorCode::SettlementPending, message)
}

fn is_decided(progress: &Progress) -> bool {
    let operation = &progress.tracked.operation;
    progress.is_sure_enough()
        || operation.state.is_negative()
        || (operation.state == OperationState::Queued && operation.problem.is_some())
}

async fn load(app: &App, wanted: Wanted) -> Result<Progress, NotAccepted> {
    let history = app.store.history(&wanted.payment_id).await?;
    let progress = history.and_then(|history| judge(app, wanted, history));
    // Nothing is ever deleted, so this is a store that was exchanged under way.
    progress.ok_or_else(|| Rejection::new(ErrorCode::UnexpectedSettleError, "the payment vanished").into())
}

/// How far the operation is; `None` if `history` lacks it. Judged anew each time: meanwhile the hold may have become final,
/// or its block been dropped.
fn judge(app: &App, wanted: Wanted, history: History) -> Option<Progress> {
    let Wanted { operation_id, commitment_asked, now, repeated, .. } = wanted;
    let tracked = history.operations.iter().find(|tracked| tracked.operation.id == operation_id).cloned()?;
    let action = &tracked.operation.action;
    let commitment_required = app.policy().required(&history, action, commitment_asked, now);
    let (claimed, objection) = (false, None);
    Some(Progress { history, tracked, commitment_asked, commitment_required, repeated, claimed, objection })
}
