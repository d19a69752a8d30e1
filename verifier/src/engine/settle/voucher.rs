//! Keeps vouchers. Of equal ones exactly one is accepted; a server that keeps payments apart by their ids is told again
//! what became of it.

use std::sync::Arc;

use x402_escrow_domain::{
    assurance::Assurance,
    identifier::Identifier,
    report::Vouched,
    stream::Stream,
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
    store::{AcceptedVoucher, KeptBeside, Standing},
};

pub(super) async fn settle(app: &App, checked: CheckedVoucher) -> Result<Vouched, NotAccepted> {
    let CheckedVoucher { payload, extra, identifier, standing, assurance, claim, again } = checked;
    if let Some(again) = again {
        return Ok(told_again(&payload, standing, assurance, again));
    }
    match keep(app, &payload, &extra, identifier.as_ref(), claim).await {
        Ok((stream, increment)) => {
            // As the hold is now: it may have got further since it was checked.
            let (rests_on, observed) = (stream.rests_on, stream.observed);
            let assurance = Assurance { rests_on, observed, ..assurance };
            let amount = payload.amount.0;
            Ok(Vouched { stream, amount, assurance, increment, repeated: false, claimed: false })
        }
        // An equal one at the same time was faster.
        Err(NotAccepted::Rejected(rejection)) if is_repeated(&rejection) => {
            let standing = app.store.standing(&payload.payment_id.0).await?.unwrap_or(standing);
            let again = accepted_before(app, &payload, identifier.as_ref(), claim, &standing).await?;
            Ok(told_again(&payload, standing, assurance, again.ok_or(rejection)?))
        }
        Err(other) => Err(other),
    }
}

fn told_again(payload: &VoucherPayload, standing: Standing, assurance: Assurance, again: Again) -> Vouched {
    let Again { increment, claimed } = again;
    let Standing { stream, .. } = standing;
    Vouched { stream, amount: payload.amount.0, assurance, increment, repeated: true, claimed }
}

/// What became of the voucher that opens a hold.
pub(super) enum First {
    /// It is kept now.
    New,
    /// It was kept before.
    Before {
        /// Whether for who asks, as far as that is still known.
        is_claimed: bool,
    },
    /// It was kept before, for somebody else: it came alone, through another installation than the intent.
    Anothers,
}

/// Keeps the first voucher of a hold that is there.
pub(super) async fn accept_first(
    app: &App,
    payload: &VoucherPayload,
    extra: &Extra,
    claim: Option<Claim>,
) -> Result<First, NotAccepted> {
    match keep(app, payload, extra, None, claim).await {
        Ok(_) => Ok(First::New),
        Err(NotAccepted::Rejected(rejection)) if is_repeated(&rejection) => {
            // The hold's claim says nothing of the voucher.
            let first = app.store.voucher_claim(&payload.payment_id.0, payload.amount.0).await?;
            Ok(match (first, claim) {
                (Some(first), Some(claim)) if first.claim != claim => First::Anothers,
                (first, _) => First::Before { is_claimed: first.is_some() },
            })
        }
        Err(other) => Err(other),
    }
}

fn is_repeated(rejection: &Rejection) -> bool {
    matches!(rejection.code, VoucherRepeated | VoucherDecreased)
}

/// Returns the hold as it was before, and what the voucher adds.
async fn keep(
    app: &App,
    payload: &VoucherPayload,
    extra: &Extra,
    identifier: Option<&Identifier>,
    claim: Option<Claim>,
) -> Result<(Arc<Stream>, u64), NotAccepted> {
    let id = payload.payment_id;
    let voucher = voucher::voucher(payload);
    let policy = &app.rules.policy;
    let decide = {
        let (policy, payload, extra) = (policy.clone(), *payload, extra.clone());
        let clock = Arc::clone(&app.clock);
        let identifier = identifier.cloned();
        Box::new(move |standing: &Standing| {
            // Read now: what was queued may have waited.
            let now = clock();
            check_amount(&policy, &payload, &extra, standing, now)?;
            let Standing { stream, last } = standing;
            let increment = stream.increment(*last, payload.amount.0);
            let binding = identifier
                .as_ref()
                .map(|identifier| voucher::bind(identifier, &payload, &stream.intent, increment, now));
            Ok(KeptBeside { increment, binding, claim })
        })
    };
    match app.store.accept_voucher(&id.0, &voucher, policy.voucher_margin_seconds, decide).await? {
        AcceptedVoucher::New { stream, increment } => Ok((stream, increment)),
        AcceptedVoucher::Refused(rejection) => Err(rejection.into()),
        AcceptedVoucher::UnknownPayment => Err(unknown_payment(id).into()),
        AcceptedVoucher::IdentifierTaken(id) => Err(NotAccepted::IdentifierTaken(id)),
    }
}
