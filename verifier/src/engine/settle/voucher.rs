//! Keeps vouchers. Of equal ones exactly one is accepted; a server that keeps payments apart by their ids is told again
//! what became of it.

use std::sync::Arc;

use x402_escrow_domain::{
    assurance::Assurance,
    identifier::Identifier,
    payment::{History, Voucher},
    report::Vouched,
    verify::{Rejection, lifecycle::unknown_payment, voucher},
};
use x402_escrow_wire::{
    auth_capture::{Extra, VoucherPayload},
    claim::Claim,
    error_code::ErrorCode::{VoucherDecreased, VoucherRepeated},
};

use crate::{
    engine::{
        app::App,
        check::{Again, CheckedVoucher, accepted_before, check_amount},
        not_accepted::NotAccepted,
    },
    store::{AcceptedVoucher, KeptBeside},
};

pub(super) async fn settle(app: &App, checked: CheckedVoucher) -> Result<Vouched, NotAccepted> {
    let CheckedVoucher { payload, extra, identifier, history, assurance, claim, again } = checked;
    if let Some(again) = again {
        return Ok(told_again(&payload, history, assurance, again));
    }
    match keep(app, &payload, &extra, identifier.as_ref(), claim).await {
        Ok(before) => {
            let voucher = voucher::voucher(&payload);
            let increment = increment(&before, &voucher);
            Ok(Vouched { before, voucher, assurance, increment, repeated: false, claimed: false })
        }
        // An equal one at the same time was faster.
        Err(NotAccepted::Rejected(rejection)) if is_repeated(&rejection) => {
            let history = app.store.history(&payload.payment_id.0).await?.unwrap_or(history);
            let again = accepted_before(app, &payload, identifier.as_ref(), claim, &history).await?;
            Ok(told_again(&payload, history, assurance, again.ok_or(rejection)?))
        }
        Err(other) => Err(other),
    }
}

fn told_again(payload: &VoucherPayload, before: History, assurance: Assurance, again: Again) -> Vouched {
    let Again { increment, claimed } = again;
    Vouched { before, voucher: voucher::voucher(payload), assurance, increment, repeated: true, claimed }
}

/// What a voucher adds to those before it, in base units.
fn increment(before: &History, voucher: &Voucher) -> u64 {
    let last = before.voucher.map_or(0, |voucher| voucher.amount);
    voucher.amount.saturating_sub(last.max(before.accepted_sums().captured))
}

/// Keeps the first voucher of a hold that is there. Returns whether it is new.
pub(super) async fn accept_first(
    app: &App,
    payload: &VoucherPayload,
    extra: &Extra,
    claim: Option<Claim>,
) -> Result<bool, NotAccepted> {
    match keep(app, payload, extra, None, claim).await {
        Ok(_) => Ok(true),
        Err(NotAccepted::Rejected(rejection)) if is_repeated(&rejection) => Ok(false),
        Err(other) => Err(other),
    }
}

fn is_repeated(rejection: &Rejection) -> bool {
    matches!(rejection.code, VoucherRepeated | VoucherDecreased)
}

/// Returns the payment as it was before.
async fn keep(
    app: &App,
    payload: &VoucherPayload,
    extra: &Extra,
    identifier: Option<&Identifier>,
    claim: Option<Claim>,
) -> Result<History, NotAccepted> {
    let id = payload.payment_id;
    let voucher = voucher::voucher(payload);
    let policy = &app.rules.policy;
    let decide = {
        let (policy, payload, extra) = (policy.clone(), *payload, extra.clone());
        let clock = Arc::clone(&app.clock);
        let identifier = identifier.cloned();
        Box::new(move |history: &History| {
            // Read now: what was queued may have waited.
            let now = clock();
            check_amount(&policy, &payload, &extra, history, now)?;
            let increment = increment(history, &voucher);
            let binding = identifier
                .zip(history.hold())
                .map(|(identifier, hold)| voucher::bind(&identifier, &payload, &hold.intent, increment, now));
            Ok(KeptBeside { increment, binding, claim })
        })
    };
    match app.store.accept_voucher(&id.0, &voucher, policy.voucher_margin_seconds, decide).await? {
        AcceptedVoucher::New(before) => Ok(*before),
        AcceptedVoucher::Refused(rejection) => Err(rejection.into()),
        AcceptedVoucher::UnknownPayment => Err(unknown_payment(id).into()),
        AcceptedVoucher::IdentifierTaken(id) => Err(NotAccepted::IdentifierTaken(id)),
    }
}
