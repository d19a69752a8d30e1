//! Vouchers: each pays for one more request on a hold that is there already. No chain is asked: the hold can't be taken
//! back before its capture deadline, so a voucher that is on disk is as good as captured.

use x402_escrow_domain::report::Vouched;
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::{
    auth_capture::{Extra, VoucherPayload},
    facilitator::FacilitatorRequest,
};

use crate::clock::unix_now;
use crate::{
    engine::{app::App, assess::NotAccepted},
    store::AcceptedVoucher,
};
use x402_escrow_domain::{
    assurance::{Assurance, Observed},
    identifier::{self, Identifier},
    payment::{History, Voucher},
    policy::Policy,
    verify::{self, Rejection, lifecycle::unknown_payment, requirements},
};

/// How sure a voucher is: as its hold, which is all that it needs of the chain.
fn assurance(app: &App, extra: &Extra, history: &History) -> Assurance {
    let amount = history.payment.intent.amount;
    Assurance {
        rests_on: history.rests_on_hold(),
        commitment_asked: extra.commitment,
        commitment_required: app.facilitator.policy.on_balance(amount, extra.commitment).into(),
        observed: Observed::of_hold(history),
    }
}

/// What a voucher adds to those before it, in base units.
fn increment(before: &History, voucher: &Voucher) -> u64 {
    let last = before.voucher.map_or(0, |voucher| voucher.amount);
    voucher.amount.saturating_sub(last.max(before.accepted_sums().captured))
}

/// Keeps a voucher that pays for one more request. Of equal ones exactly one is accepted; a server that keeps purchases
/// apart by their ids is told again what became of it.
///
/// # Errors
/// If it does not pay for the request, or the store failed.
pub async fn accept(
    app: &App,
    request: &FacilitatorRequest,
    payload: &VoucherPayload,
    identifier: Option<&Identifier>,
) -> Result<Vouched, NotAccepted> {
    let (extra, history) = check_request(app, request, payload).await?;
    if let Some(vouched) = accepted_before(app, payload, &extra, identifier, &history).await? {
        return Ok(vouched);
    }
    match keep(app, payload, &extra, identifier).await {
        // An equal one at the same time was faster.
        Err(NotAccepted::Rejected(rejection)) if is_repeated(&rejection) => {
            let vouched = accepted_before(app, payload, &extra, identifier, &history).await?;
            vouched.ok_or(NotAccepted::Rejected(rejection))
        }
        kept => kept,
    }
}

/// What became of the voucher when it was accepted under its id, if the server is to be told again.
async fn accepted_before(
    app: &App,
    payload: &VoucherPayload,
    extra: &Extra,
    identifier: Option<&Identifier>,
    history: &History,
) -> Result<Option<Vouched>, NotAccepted> {
    let Some(identifier) = identifier else { return Ok(None) };
    let signer = history.payment.intent.session_key;
    let known = crate::engine::identifier::find_to_tell(app, identifier, &signer, &hash(payload)).await?;
    Ok(known.map(|purchase| Vouched {
        before: history.clone(),
        voucher: verify::voucher::voucher(payload),
        assurance: assurance(app, extra, history),
        increment: purchase.amount,
        repeated: true,
    }))
}

fn hash(payload: &VoucherPayload) -> Digest {
    identifier::signed(&[&payload.signed_bytes()])
}

/// Checks a voucher as [`accept`] would, and returns its payment. Keeps nothing.
///
/// # Errors
/// Like [`accept`].
pub async fn check(
    app: &App,
    request: &FacilitatorRequest,
    payload: &VoucherPayload,
    identifier: Option<&Identifier>,
) -> Result<(History, Assurance), NotAccepted> {
    let (extra, history) = check_request(app, request, payload).await?;
    if accepted_before(app, payload, &extra, identifier, &history).await?.is_none() {
        check_amount(&app.facilitator.policy, payload, &extra, &history)?;
    }
    let assurance = assurance(app, &extra, &history);
    Ok((history, assurance))
}

/// Keeps the first voucher of a hold that is there. Returns whether it is new.
///
/// # Errors
/// If another voucher was accepted before, or the store failed.
pub async fn accept_first(app: &App, payload: &VoucherPayload, extra: &Extra) -> Result<bool, NotAccepted> {
    match keep(app, payload, extra, None).await {
        Ok(_) => Ok(true),
        Err(NotAccepted::Rejected(rejection)) if is_repeated(&rejection) => Ok(false),
        Err(other) => Err(other),
    }
}

fn is_repeated(rejection: &Rejection) -> bool {
    use x402_escrow_wire::error_code::ErrorCode::{VoucherDecreased, VoucherRepeated};
    matches!(rejection.code, VoucherRepeated | VoucherDecreased)
}

async fn check_request(
    app: &App,
    request: &FacilitatorRequest,
    payload: &VoucherPayload,
) -> Result<(Extra, History), NotAccepted> {
    let asked = &request.payment_requirements;
    let extra = requirements::check(asked, &app.facilitator)?;
    requirements::check_accepted(&request.payment_payload.accepted, asked)?;
    let id = payload.payment_id;
    let history = app.store.history(&id.0).await?.ok_or_else(|| unknown_payment(id))?;
    requirements::check_asset(asked, &history.payment.mint)?;
    requirements::check_receiver(asked, &history.payment.intent.receiver)?;
    verify::voucher::check_hold(payload, &history.payment.intent, &extra)?;
    Ok((extra, history))
}

async fn keep(
    app: &App,
    payload: &VoucherPayload,
    extra: &Extra,
    identifier: Option<&Identifier>,
) -> Result<Vouched, NotAccepted> {
    let id = payload.payment_id;
    let voucher = verify::voucher::voucher(payload);
    let policy = &app.facilitator.policy;
    let decide = {
        let (policy, payload, extra) = (policy.clone(), *payload, extra.clone());
        let identifier = identifier.cloned();
        Box::new(move |history: &History| {
            check_amount(&policy, &payload, &extra, history)?;
            let (signer, amount) = (history.payment.intent.session_key, increment(history, &voucher));
            Ok(identifier.map(|identifier| identifier.purchase(signer, hash(&payload), amount, unix_now())))
        })
    };
    match app.store.accept_voucher(&id.0, &voucher, policy.voucher_margin_seconds, decide).await? {
        AcceptedVoucher::New(before) => {
            let increment = increment(&before, &voucher);
            let assurance = assurance(app, extra, &before);
            Ok(Vouched { before: *before, voucher, assurance, increment, repeated: false })
        }
        AcceptedVoucher::Refused(rejection) => Err(rejection.into()),
        AcceptedVoucher::UnknownPayment => Err(unknown_payment(id).into()),
        AcceptedVoucher::IdentifierTaken(id) => Err(NotAccepted::IdentifierTaken(id)),
    }
}

fn check_amount(
    policy: &Policy,
    payload: &VoucherPayload,
    extra: &Extra,
    history: &History,
) -> Result<(), Rejection> {
    let price = verify::voucher::request_price(extra)?;
    let commitment = policy.on_balance(history.payment.intent.amount, extra.commitment);
    let voucher = verify::voucher::voucher(payload);
    verify::voucher::check(&voucher, history, price, commitment, unix_now(), policy)
}
