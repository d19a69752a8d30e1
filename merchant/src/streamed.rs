//! Sells requests out of a streamed hold, each for a voucher. The facilitator has every voucher on
//! disk before it is served, and captures the last one before the deadline whatever becomes of the
//! merchant. Uses the facilitator, the record and the clock.

use std::sync::Arc;

use axum::response::Response;
use tracing::error;
use x402_escrow_wire::{
    auth_capture::VoucherPayload,
    error_code::ErrorCode,
    facilitator::SettleResponse,
    purchase::{
        seller::{HoldEvent, VoucherEvent},
        verdict::Verdict,
    },
    text::Decimal,
};

use crate::{
    answer::{internal_error, refusal, served},
    asked::{ask, not_sold, used},
    check::Accepted,
    record::{Change, NotChanged},
    shared::Shared,
    terms::Terms,
};

/// Serves the request if the voucher is accepted for it, and the hold before if the voucher opens it.
pub(crate) async fn sell(
    merchant: &Arc<Shared>,
    terms: &Terms<'_>,
    accepted: &Accepted,
    voucher: VoucherPayload,
    handler: impl Future<Output = Response>,
) -> Response {
    let (id, amount) = (accepted.payment_id, voucher.amount.0);
    let change = |hold, event| {
        let voucher = Change::of_voucher(id, amount, event).about(accepted.about(terms));
        let intent = Some(accepted.payload.clone()).filter(|_| accepted.opens_hold);
        merchant.record.change(Change { hold, payload: intent, ..voucher }, merchant.now())
    };
    let opens = |event| Some(event).filter(|_| accepted.opens_hold);
    if change(opens(HoldEvent::Asked), VoucherEvent::Asked).await.is_err() {
        let is_closed = merchant.record.with(|book| book.get(&id).is_some_and(|hold| !hold.takes_vouchers()));
        return match accepted.opens_hold {
            false if is_closed => {
                refusal(terms, ErrorCode::VoucherHoldClosed, "the hold pays for nothing more here")
            }
            _ => used(terms, accepted),
        };
    }
    let (verdict, answer) = ask(merchant, accepted).await;
    let paid =
        answer.as_ref().ok().filter(|answer| verdict == Verdict::Yes && is_enough(terms, accepted, answer));
    let written = match paid {
        Some(_) => change(Some(HoldEvent::Opened), VoucherEvent::Held).await,
        None => {
            let hold = verdict.of_hold().unwrap_or(HoldEvent::Weak);
            change(opens(hold), verdict.of_voucher().unwrap_or(VoucherEvent::Weak)).await
        }
    };
    if let Err(error) = &written {
        broke_off(merchant, accepted, amount, error);
    }
    let Some(paid) = paid else { return not_sold(terms, accepted, verdict, &answer) };
    if written.is_err() {
        return internal_error("the server failed; send the same request again");
    }

    let response = handler.await;
    let is_served = response.status().is_success();
    let event = if is_served { VoucherEvent::Served } else { VoucherEvent::Failed };
    match change(None, event).await {
        Ok(()) => served(response, paid),
        Err(error) => {
            broke_off(merchant, accepted, amount, &error);
            if is_served {
                internal_error("the server failed; send the same request again")
            } else {
                response
            }
        }
    }
}

/// Whether a yes is to what was asked for.
fn is_enough(terms: &Terms<'_>, accepted: &Accepted, answer: &SettleResponse) -> bool {
    match accepted.opens_hold {
        true => terms.price.is_final_enough(answer),
        false => answer.amount >= Some(Decimal(terms.price.amount)),
    }
}

/// Lets the voucher pay for another request: this one was not answered.
fn broke_off(merchant: &Shared, accepted: &Accepted, amount: u64, error: &NotChanged) {
    let id = accepted.payment_id;
    error!(payment_id = %id, %error, "a voucher of payment {id} could not be recorded");
    merchant.record.with(|book| book.crash_one(&id, Some(amount)));
}
