//! Settles: decides, stores, and waits until the tracker has it as final as it must be. The same request again, also
//! at the same time, gets the same outcome and sends nothing.

use crate::chain::facts;
use tokio::time::{Instant, timeout_at};
use x402_escrow_domain::{
    report::{Settled, Vouched},
    verify::request::{self, SignedIntent},
};
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::{
    auth_capture::{IntentPayload, Level, LifecyclePayload, Payload},
    error_code::ErrorCode,
    facilitator::FacilitatorRequest,
    payment::PaymentRequirements,
};

use crate::clock::unix_now;
use crate::{
    engine::{
        app::App,
        assess::{self, Assessed, NotAccepted},
        identifier, stream,
    },
    store::Accepted,
};
use x402_escrow_domain::{
    identifier::{Identifier, Purchase},
    lifecycle,
    payment::{Action, History, OperationState, Payment},
    verify::{self, Rejection, requirements},
};

/// What a request came to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// An operation on chain.
    Settled(Box<Settled>),
    /// A voucher, which is captured later.
    Vouched(Box<Vouched>),
}

impl From<Settled> for Outcome {
    fn from(settled: Settled) -> Self {
        Self::Settled(Box::new(settled))
    }
}

/// Settles what the request asks for.
///
/// # Errors
/// If nothing was accepted, or the store failed.
pub async fn settle(
    app: &App,
    request: &FacilitatorRequest,
    identifier: Option<&Identifier>,
) -> Result<Outcome, NotAccepted> {
    match request::read_payload(request)? {
        Payload::Intent(payload) => Ok(settle_intent(app, request, &payload, identifier).await?.into()),
        Payload::Voucher(payload) => {
            Ok(Outcome::Vouched(Box::new(stream::accept(app, request, &payload, identifier).await?)))
        }
        Payload::Lifecycle(payload) => {
            Ok(settle_lifecycle(app, &request.payment_requirements, &payload).await?.into())
        }
    }
}

async fn settle_intent(
    app: &App,
    request: &FacilitatorRequest,
    payload: &IntentPayload,
    identifier: Option<&Identifier>,
) -> Result<Settled, NotAccepted> {
    let signed = request::read_intent(&app.facilitator, request, payload, unix_now())?;
    let purchase = identifier.map(|identifier| {
        identifier.purchase(signed.intent.session_key, signed.hash(), signed.intent.amount, unix_now())
    });
    if let (Some(identifier), Some(purchase)) = (identifier, &purchase) {
        identifier::find(app, identifier, &purchase.signer, &purchase.signed).await?;
    }
    let first_voucher = signed.first_voucher.map(|voucher| (voucher, signed.extra.clone()));
    let mut settled = settle_signed(app, request, signed, purchase).await?;
    if let Some((voucher, extra)) = &first_voucher
        && settled.tracked.operation.has_reached(settled.required)
    {
        // Whoever settles again because the hold took its time has bought nothing yet.
        settled.repeated = !stream::accept_first(app, voucher, extra).await?;
    }
    Ok(settled)
}

async fn settle_signed(
    app: &App,
    request: &FacilitatorRequest,
    signed: SignedIntent,
    purchase: Option<Purchase>,
) -> Result<Settled, NotAccepted> {
    let id = signed.intent.digest();
    // Of all that the requirements ask, only how final the hold must be is up to each caller.
    let asked = signed.extra.commitment;
    let commitment = app.facilitator.policy.on_balance(signed.intent.amount, asked);
    let wanted =
        |operation_id, repeated| Wanted { payment_id: id, operation_id, asked, now: unix_now(), repeated };
    if let Some(history) = app.store.history(&id).await? {
        requirements::check_asset(&request.payment_requirements, &history.payment.mint)?;
        if let Some(operation_id) = known_authorization(&history) {
            return wait(app, wanted(operation_id, true)).await;
        }
    }
    app.limits
        .count_payment(signed.intent.escrow, signed.intent.session_key)
        .map_err(NotAccepted::TooMany)?;
    let Assessed { facts, escrow } = assess::assess(app, &signed, &request.payment_requirements).await?;
    let payment = Payment {
        id,
        payer: escrow.payer,
        mint: escrow.mint,
        intent: signed.intent,
        signature: signed.signature,
        receiver_proof: signed.receiver_proof,
        accepted_at: unix_now(),
    };
    let maximum_open = app.facilitator.policy.maximum_open_holds_per_escrow;
    let accepted = app
        .store
        .accept_payment(&payment, commitment.into(), &facts, maximum_open, purchase.as_ref())
        .await?;
    match accepted {
        Accepted::New(operation_id) => {
            app.work.notify_one();
            wait(app, wanted(operation_id, false)).await
        }
        Accepted::Before(operation_id) => wait(app, wanted(operation_id, true)).await,
        Accepted::TooManyOpen => Err(request::too_many_open_holds(&app.facilitator.policy).into()),
        Accepted::IdentifierTaken(id) => Err(NotAccepted::IdentifierTaken(id)),
        Accepted::Unfunded => Err(NotAccepted::Rejected(Rejection::new(
            ErrorCode::InsufficientFunds,
            "amount: is above the escrow's free balance: others were promised it meanwhile",
        ))),
    }
}

/// The authorization of a known payment, unless it came to nothing and can be tried again.
fn known_authorization(history: &History) -> Option<i64> {
    let authorization = &history.operations.first()?.operation;
    (!authorization.came_to_nothing()).then_some(authorization.id)
}

async fn settle_lifecycle(
    app: &App,
    asked: &PaymentRequirements,
    payload: &LifecyclePayload,
) -> Result<Settled, NotAccepted> {
    requirements::check_network(asked, &app.facilitator)?;
    let id = payload.payment_id().0;
    let unknown = || verify::lifecycle::unknown_payment(payload.payment_id());
    let history = app.store.history(&id).await?.ok_or_else(unknown)?;
    requirements::check_asset(asked, &history.payment.mint)?;
    requirements::check_receiver(asked, &history.payment.intent.receiver)?;
    verify::lifecycle::check_signature(payload, &history)?;
    let action = verify::lifecycle::action(payload, &history)?;
    let now = facts::cluster_time(app.chain.as_ref()).await?;
    let asked = requirements::read_commitment(asked)?;
    let required = |history: &History| app.facilitator.policy.required(history, &action, asked, now);
    let check = |history: &History| verify::lifecycle::check(&action, history, now);
    let (operation_id, is_new) = app
        .store
        .accept_operation(&id, &action, required, unix_now(), check)
        .await?
        .ok_or_else(unknown)??;
    if is_new {
        app.work.notify_one();
    }
    wait(app, Wanted { payment_id: id, operation_id, asked, now, repeated: !is_new }).await
}

/// What a caller waits for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The payment.
    pub payment_id: Digest,
    /// The operation.
    pub operation_id: i64,
    /// What the merchant asked for.
    pub asked: Option<Level>,
    /// When, unix seconds.
    pub now: i64,
    /// Whether an equal request came before.
    pub repeated: bool,
}

/// Waits until the operation is as sure as it must be, came to nothing, or the time is over.
///
/// # Errors
/// If the store failed.
pub async fn wait(app: &App, wanted: Wanted) -> Result<Settled, NotAccepted> {
    let deadline = Instant::now() + app.settings.settle_timeout;
    let mut progress = app.progress.subscribe();
    loop {
        progress.borrow_and_update();
        let settled = load(app, wanted).await?;
        if is_decided(&settled) {
            return Ok(settled);
        }
        if timeout_at(deadline, progress.changed()).await.is_err() {
            break;
        }
    }
    // Nobody waits for it any more: what was not sent by now must not be held later, after a no.
    let settled = load(app, wanted).await?;
    if matches!(settled.tracked.operation.action, Action::Authorize)
        && app.store.refuse_unsent(wanted.operation_id, &lifecycle::not_sent_in_time()).await?
    {
        return load(app, wanted).await;
    }
    Ok(settled)
}

fn is_decided(settled: &Settled) -> bool {
    let operation = &settled.tracked.operation;
    operation.has_reached(settled.required)
        || operation.state.is_negative()
        || (operation.state == OperationState::Queued && operation.problem.is_some())
}

async fn load(app: &App, wanted: Wanted) -> Result<Settled, NotAccepted> {
    let Wanted { payment_id, operation_id, asked, now, repeated } = wanted;
    let settled = app.store.history(&payment_id).await?.and_then(|history| {
        let tracked =
            history.operations.iter().find(|tracked| tracked.operation.id == operation_id).cloned()?;
        // Judged anew each time: meanwhile the hold may have become final, or its block been dropped.
        let required = app.facilitator.policy.required(&history, &tracked.operation.action, asked, now);
        Some(Settled { history, tracked, asked, required, repeated })
    });
    // Nothing is ever deleted, so this is a store that was exchanged under way.
    settled.ok_or_else(|| Rejection::new(ErrorCode::UnexpectedSettleError, "the payment vanished").into())
}
