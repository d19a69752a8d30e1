//! Whether a voucher pays for one more request on a hold that is there already. No chain is asked: the hold can't be
//! taken back before its capture deadline, so a voucher that is on disk is as good as captured.

use x402_escrow_domain::{
    assurance::{Assurance, Observed},
    identifier::{self, Binding, Identifier},
    payment::History,
    policy::Policy,
    request::AuthCaptureRequest,
    verify::{
        Rejection,
        lifecycle::{hold, unknown_payment},
        requirements, voucher,
    },
};
use x402_escrow_wire::auth_capture::{Extra, VoucherPayload};

use crate::{
    clock::unix_now,
    engine::{app::App, identifier::find, not_accepted::NotAccepted},
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
    /// The hold's payment.
    pub history: History,
    /// How sure it is: as its hold, which is all that it needs of the chain.
    pub assurance: Assurance,
    /// What was accepted under its id, if the server is to be told again.
    pub accepted_before: Option<Binding>,
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
    let accepted_before = match &request.identifier {
        Some(identifier) => accepted_before(app, payload, identifier, &history).await?,
        None => None,
    };
    if accepted_before.is_none() {
        check_amount(policy, payload, &extra, &history)?;
    }
    let assurance = Assurance {
        rests_on: history.rests_on_hold(),
        commitment_asked: extra.commitment,
        commitment_required: policy.on_balance(history.payment.amount, extra.commitment).into(),
        observed: Observed::of_hold(&history),
    };
    let (payload, identifier) = (*payload, request.identifier.clone());
    Ok(CheckedVoucher { payload, extra, identifier, history, assurance, accepted_before })
}

/// What was accepted under the voucher's id, if the server is to be told again.
///
/// # Errors
/// If the id is another payment's, or the store failed.
pub async fn accepted_before(
    app: &App,
    payload: &VoucherPayload,
    identifier: &Identifier,
    history: &History,
) -> Result<Option<Binding>, NotAccepted> {
    let Some(hold) = history.hold() else { return Ok(None) };
    let hash = identifier::hash(&[&payload.signed_bytes()]);
    let binding = identifier.bind(hold.intent.session_key, hash, 0, unix_now());
    Ok(find(app, &binding).await?.filter(|_| identifier.is_told_again))
}

/// Checks the voucher against all that was accepted before.
///
/// # Errors
/// If it buys nothing, or might not be captured.
pub fn check_amount(
    policy: &Policy,
    payload: &VoucherPayload,
    extra: &Extra,
    history: &History,
) -> Result<(), Rejection> {
    let price = voucher::request_price(extra)?;
    let commitment = policy.on_balance(history.payment.amount, extra.commitment);
    voucher::check(&voucher::voucher(payload), history, price, commitment, unix_now(), policy)
}
