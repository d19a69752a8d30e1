//! Whether a voucher pays for one more request on a hold that is there already. No chain is asked: the hold can't be
//! taken back before its capture deadline, so a voucher that is on disk is as good as captured.

use x402_escrow_domain::{
    assurance::Assurance,
    identifier::Identifier,
    policy::Policy,
    request::AuthCaptureRequest,
    stream::Stream,
    verify::{Rejection, lifecycle::unknown_payment, requirements, voucher},
};
use x402_escrow_wire::{
    auth_capture::{Extra, VoucherPayload},
    claim::Claim,
    error_code::ErrorCode,
};

use super::Purpose;
use crate::{
    engine::{app::App, identifier::find, not_accepted::NotAccepted, pause},
    store::Standing,
};

/// A voucher that is sound.
#[derive(Clone, Debug)]
pub struct CheckedVoucher {
    /// The voucher.
    pub payload: VoucherPayload,
    /// The scheme's part of the requirements.
    pub extra: Extra,
    /// What the client calls its payment, if anything.
    pub identifier: Option<Identifier>,
    /// The hold, and its last voucher.
    pub standing: Standing,
    /// How sure it is: as its hold, which is all that it needs of the chain.
    pub assurance: Assurance,
    /// By whom it is settled, if that is said.
    pub claim: Option<Claim>,
    /// What it added when it was accepted, if the server is to be told again.
    pub again: Option<Again>,
}

/// A voucher that was accepted, and is told yes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again {
    /// What it added to those before it, in base units.
    pub increment: u64,
    /// Whether who asks claimed it.
    pub claimed: bool,
}

pub(super) async fn check(
    app: &App,
    request: &AuthCaptureRequest,
    payload: &VoucherPayload,
    purpose: Purpose,
) -> Result<CheckedVoucher, NotAccepted> {
    let asked = &request.body.payment_requirements;
    let extra = requirements::check(asked, &app.rules)?;
    requirements::check_accepted(&request.body.payment_payload.accepted, asked)?;
    let id = payload.payment_id;
    // A yes by what is known is judged again when the voucher is kept; a no must not rest on what may be out of date.
    let known = app.store.known_standing(&id.0).filter(|_| purpose == Purpose::Settle);
    let is_known = known.is_some();
    let mut standing = match known {
        Some(standing) => standing,
        None => read(app, payload).await?,
    };
    let Stream { mint, intent, .. } = &*standing.stream;
    requirements::check_asset(asked, mint)?;
    requirements::check_receiver(asked, &intent.receiver)?;
    voucher::check_hold(payload, &standing.stream, &extra)?;
    let is_new = |standing: &Standing| check_amount(app.policy(), payload, &extra, standing, app.now());
    let (identifier, claim) = (request.identifier.clone(), request.body.claim);
    let mut again = None;
    if !is_known || identifier.is_some() || is_new(&standing).is_err() {
        if is_known {
            standing = read(app, payload).await?;
        }
        again = accepted_before(app, payload, identifier.as_ref(), claim, &standing).await?;
        if again.is_none() {
            pause::check(app)?;
            is_new(&standing)?;
        }
    } else {
        pause::check(app)?;
    }
    let assurance = Assurance {
        rests_on: standing.stream.rests_on,
        commitment_asked: extra.commitment,
        commitment_required: app.policy().on_balance(standing.stream.intent.amount, extra.commitment).into(),
        observed: standing.stream.observed,
    };
    Ok(CheckedVoucher { payload: *payload, extra, identifier, standing, assurance, claim, again })
}

async fn read(app: &App, payload: &VoucherPayload) -> Result<Standing, NotAccepted> {
    let id = payload.payment_id;
    Ok(app.store.standing(&id.0).await?.ok_or_else(|| unknown_payment(id))?)
}

/// What became of the voucher when it was accepted, if who asks is to be told yes again: by its claim, or by its id.
///
/// # Errors
/// If the voucher is another's, its id another payment's, or the store failed.
pub async fn accepted_before(
    app: &App,
    payload: &VoucherPayload,
    identifier: Option<&Identifier>,
    claim: Option<Claim>,
    standing: &Standing,
) -> Result<Option<Again>, NotAccepted> {
    let Standing { stream, last } = standing;
    // A voucher above the last is new.
    if last.is_some_and(|last| payload.amount.0 <= last)
        && let Some(first) = app.store.voucher_claim(&stream.id, payload.amount.0).await?
    {
        if stream.tells_again(first.claim, claim, app.now()) {
            return Ok(Some(Again { increment: first.increment, claimed: true }));
        }
        let message = "amount: this voucher was accepted before, and pays one request";
        return Err(Rejection::new(ErrorCode::VoucherRepeated, message).into());
    }
    let Some(identifier) = identifier else { return Ok(None) };
    let binding = voucher::bind(identifier, payload, &stream.intent, 0, app.now());
    let known = find(app, &binding).await?.filter(|_| identifier.is_told_again);
    Ok(known.map(|known| Again { increment: known.amount, claimed: false }))
}

/// Checks the voucher against all that was accepted before `now`, unix seconds.
///
/// # Errors
/// If it buys nothing, or might not be captured.
pub fn check_amount(
    policy: &Policy,
    payload: &VoucherPayload,
    extra: &Extra,
    standing: &Standing,
    now: i64,
) -> Result<(), Rejection> {
    let Standing { stream, last } = standing;
    let price = voucher::request_price(extra)?;
    let commitment = policy.on_balance(stream.intent.amount, extra.commitment);
    voucher::check(&voucher::voucher(payload), stream, *last, price, commitment, now, policy)
}
