//! Whether a voucher pays for one more request on a hold that is there already. No chain is asked: the hold can't be
//! taken back before its capture deadline, so a voucher that is on disk is as good as captured.

use x402_escrow_domain::{
    assurance::{Assurance, Observed},
    claim::{self, Standing},
    identifier::Identifier,
    payment::History,
    policy::Policy,
    request::AuthCaptureRequest,
    verify::{
        Rejection,
        lifecycle::{hold, unknown_payment},
        requirements, voucher,
    },
};
use x402_escrow_wire::{
    auth_capture::{Extra, VoucherPayload},
    claim::Claim,
    error_code::ErrorCode,
};

use crate::engine::{app::App, identifier::find, not_accepted::NotAccepted, pause};

/// A voucher that is sound.
#[derive(Clone, Debug)]
pub struct CheckedVoucher {
    /// The voucher.
    pub payload: VoucherPayload,
    /// The scheme's part of the requirements.
    pub extra: Extra,
    /// What the client calls its payment, if anything.
    pub identifier: Option<Identifier>,
    /// The hold's payment.
    pub history: History,
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
) -> Result<CheckedVoucher, NotAccepted> {
    let asked = &request.body.payment_requirements;
    let policy = &app.rules.policy;
    let extra = requirements::check(asked, &app.rules)?;
    requirements::check_accepted(&request.body.payment_payload.accepted, asked)?;
    let id = payload.payment_id;
    let history = app.store.history(&id.0).await?.ok_or_else(|| unknown_payment(id))?;
    let intent = &hold(&history)?.intent;
    requirements::check_asset(asked, &history.payment.mint)?;
    requirements::check_receiver(asked, &history.payment.receiver)?;
    voucher::check_hold(payload, intent, &extra)?;
    let claim = request.body.claim;
    let again = accepted_before(app, payload, request.identifier.as_ref(), claim, &history).await?;
    if again.is_none() {
        pause::check(app)?;
        check_amount(policy, payload, &extra, &history, app.now())?;
    }
    let assurance = Assurance {
        rests_on: history.rests_on_hold(),
        commitment_asked: extra.commitment,
        commitment_required: policy.on_balance(history.payment.amount, extra.commitment).into(),
        observed: Observed::of_hold(&history),
    };
    let (payload, identifier) = (*payload, request.identifier.clone());
    Ok(CheckedVoucher { payload, extra, identifier, history, assurance, claim, again })
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
    history: &History,
) -> Result<Option<Again>, NotAccepted> {
    let Some(hold) = history.hold() else { return Ok(None) };
    // A voucher above the last is new.
    if history.voucher.is_some_and(|last| payload.amount.0 <= last.amount)
        && let Some(first) = app.store.voucher_claim(&history.payment.id, payload.amount.0).await?
    {
        return match claim::standing(Some(first.claim), claim, history, app.now()) {
            Standing::Asking => Ok(Some(Again { increment: first.increment, claimed: true })),
            Standing::Nobodys | Standing::Anothers => {
                let message = "amount: this voucher was accepted before, and pays one request";
                Err(Rejection::new(ErrorCode::VoucherRepeated, message).into())
            }
        };
    }
    let Some(identifier) = identifier else { return Ok(None) };
    let binding = voucher::bind(identifier, payload, &hold.intent, 0, app.now());
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
    history: &History,
    now: i64,
) -> Result<(), Rejection> {
    let price = voucher::request_price(extra)?;
    let commitment = policy.on_balance(history.payment.amount, extra.commitment);
    voucher::check(&voucher::voucher(payload), history, price, commitment, now, policy)
}
