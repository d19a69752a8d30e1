//! Carries out a sale: challenge, settle, serve, finalize. Uses the facilitator, the file of
//! unsettled captures and the clock, each through its module.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{OriginalUri, Request},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde_json::{Map, Value};
use tokio::time::timeout;
use tower::{Service, ServiceExt};
use tracing::{error, warn};
use x402_escrow_interface::resource::resource_hash;
use x402_escrow_wire::{
    auth_capture::{Commitment, VoucherPayload},
    error_code::ErrorCode,
    facilitator::SettleResponse,
    field,
    payment::{PAYMENT_SIGNATURE, PaymentPayload},
    text::{Hex32, decode_header},
};

use crate::{
    answer::{challenge, no_verdict, problem, refusal, refused_settlement, served, untrustworthy},
    check::Accepted,
    end, identified,
    price::{CaptureAmount, Price},
    retry::is_decided,
    shared::{Shared, lock, unix_seconds},
    stream::{self, Unserved},
    terms::Terms,
    unsettled::Finalization,
};

/// How long a response waits for its capture. It is signed and on disk by then; the rest needs no
/// client.
const FINALIZATION_PATIENCE: Duration = Duration::from_secs(20);

/// Answers a request: with a challenge, a refusal, or what was bought.
pub(crate) async fn respond<S>(merchant: &Arc<Shared>, price: &Price, route: S, request: Request) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible> + Send,
    S::Future: Send,
{
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, merchant.config.maximum_body_bytes).await else {
        let message =
            format!("the body is longer than {} bytes, or broke off", merchant.config.maximum_body_bytes);
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", &message);
    };
    // A nested router cuts its prefix off; the original is kept beside.
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let url = format!("{}{path}", merchant.config.public_url.trim_end_matches('/'));
    let terms = Terms {
        config: &merchant.config,
        support: &merchant.support,
        price,
        url: &url,
        resource_hash: resource_hash(parts.method.as_str(), &url, &body),
        now: unix_seconds(),
    };

    let payment = match payment(&parts.headers) {
        Ok(Some(payment)) => payment,
        Ok(None) => return challenge(&terms, "Payment required"),
        Err(message) => return problem(StatusCode::BAD_REQUEST, "invalid_payload", &message),
    };
    let purchase = match identified::purchase(price, &payment, &terms.resource_hash) {
        Ok(purchase) => purchase,
        Err(error) => {
            let message = format!("{PAYMENT_SIGNATURE}: {error}");
            return problem(StatusCode::BAD_REQUEST, "invalid_payload", &message);
        }
    };
    // Runs only once it is awaited.
    let handler = async {
        match route.oneshot(Request::from_parts(parts, Body::from(body))).await {
            Ok(response) => response,
            Err(impossible) => match impossible {},
        }
    };
    let sale = sell(merchant, terms, handler, payment);
    match purchase {
        Some(purchase) => merchant.sell_once(purchase, sale).await,
        None => sale.await,
    }
}

/// Serves what the payment pays for, if it does.
async fn sell(
    merchant: &Arc<Shared>,
    terms: Terms<'_>,
    handler: impl Future<Output = Response>,
    payment: PaymentPayload,
) -> Response {
    // The sale may have waited for an equal request.
    let terms = &Terms { now: unix_seconds(), ..terms };
    let accepted = match terms.check(&payment) {
        Ok(accepted) => accepted,
        Err(mismatch) => return refusal(terms, mismatch.code, &mismatch.message),
    };
    let extensions = identified::extensions(terms.price, &payment);
    if let Some(voucher) = accepted.voucher.filter(|_| !accepted.opens_hold) {
        return match stream::pay(merchant, terms, &accepted, &voucher, extensions).await {
            Ok(paid) => serve_streamed(merchant, handler, &accepted, &voucher, &paid).await,
            Err(response) => *response,
        };
    }
    let Some(_claim) = merchant.claim(accepted.payment_id) else {
        return refusal(
            terms,
            ErrorCode::DuplicateSettlement,
            "the payment is being served in another request",
        );
    };
    match (authorize(merchant, terms, extensions, &accepted).await, accepted.voucher) {
        (Ok(authorized), Some(voucher)) => {
            serve_streamed(merchant, handler, &accepted, &voucher, &authorized).await
        }
        (Ok(authorized), None) => serve(merchant, terms.price, handler, &accepted, authorized).await,
        (Err(response), _) => *response,
    }
}

/// Runs the handler for a voucher that the facilitator has on disk. It is captured with those that
/// follow.
async fn serve_streamed(
    merchant: &Shared,
    handler: impl Future<Output = Response>,
    accepted: &Accepted,
    voucher: &VoucherPayload,
    paid: &SettleResponse,
) -> Response {
    merchant.note_voucher(accepted, voucher);
    let mut unserved = Unserved { merchant, voucher, is_served: false };
    let response = handler.await;
    unserved.is_served = response.status().is_success();
    served(response, paid)
}

/// The payment that the request carries, if any.
fn payment(headers: &HeaderMap) -> Result<Option<PaymentPayload>, String> {
    let Some(header) = headers.get(PAYMENT_SIGNATURE) else { return Ok(None) };
    let text = header.to_str().map_err(|_| format!("{PAYMENT_SIGNATURE} is not text"))?;
    let json: serde_json::Value =
        decode_header(text).map_err(|error| format!("{PAYMENT_SIGNATURE}: {error}"))?;
    field::read(&json).map(Some).map_err(|error| format!("{PAYMENT_SIGNATURE}: {error}"))
}

/// Has the facilitator hold the amount. Anything but a hold that is new and final enough is
/// answered at once.
async fn authorize(
    merchant: &Shared,
    terms: &Terms<'_>,
    extensions: Option<Map<String, Value>>,
    accepted: &Accepted,
) -> Result<SettleResponse, Box<Response>> {
    let id = accepted.payment_id;
    let payload = accepted.payload.clone();
    let answer = match merchant.facilitator.pay(payload, extensions, &accepted.requirements).await {
        Ok(answer) => answer,
        Err(error) => {
            warn!(payment_id = %id, %error, "no verdict on payment {id}");
            if !error.is_refusal() {
                merchant.payment_comes_again(id);
            }
            let message = "the payment could not be settled now; send the same request again";
            return Err(Box::new(no_verdict(&error, message)));
        }
    };
    if !answer.success {
        if !is_decided(&answer) {
            merchant.payment_comes_again(id);
        }
        return Err(Box::new(refused_settlement(terms, &answer)));
    }
    let extra = |name: &str| answer.extra.as_ref().and_then(|extra| extra.get(name));
    // Settled by an earlier request: that one was served, unless it was told to come again.
    let comes_again = lock(&merchant.sold).comes_again(&id);
    let repeated = extra("alreadySettled").and_then(serde_json::Value::as_bool).unwrap_or(false);
    let untouched = extra("state").and_then(serde_json::Value::as_str) == Some("authorized");
    if repeated && !(comes_again && untouched) {
        let message = "the payment bought something before";
        return Err(Box::new(refusal(terms, ErrorCode::DuplicateSettlement, message)));
    }
    let observed = extra("status").and_then(|status| field::read::<Commitment>(status).ok());
    if observed < Some(terms.price.commitment.unwrap_or(Commitment::Processed)) {
        error!(payment_id = %id, "the facilitator said yes to payment {id} before it was final enough");
        merchant.payment_comes_again(id);
        return Err(Box::new(untrustworthy()));
    }
    let sold = &mut *lock(&merchant.sold);
    let until = merchant.remember_until(sold);
    sold.serve(id, until);
    if let Some(voucher) = accepted.voucher {
        sold.spend(id, voucher.amount.0, until);
    }
    Ok(answer)
}

impl Shared {
    /// Notes that a payment was told to come again.
    fn payment_comes_again(&self, id: Hex32) {
        let sold = &mut *lock(&self.sold);
        let until = self.remember_until(sold);
        sold.come_again(id, until);
    }
}

/// Runs the handler, then captures or voids. A release is on disk before it runs, and replaced by
/// the capture after: if it breaks off, be it by a crash, what is held goes back.
async fn serve(
    merchant: &Shared,
    price: &Price,
    handler: impl Future<Output = Response>,
    accepted: &Accepted,
    authorized: SettleResponse,
) -> Response {
    if let Err(error) = merchant.unsettled.add(accepted.payment_id, finalization(merchant, accepted, 0)) {
        error!(payment_id = %accepted.payment_id, %error, "payment {} is not served", accepted.payment_id);
        finalize(merchant, accepted, 0).await;
        return problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "the server failed; nothing was charged",
        );
    }
    let response = handler.await;
    let wanted = response.extensions().get::<CaptureAmount>().map_or(price.amount, |wanted| wanted.0);
    if wanted > price.amount {
        error!(
            wanted,
            price = price.amount,
            "a handler wants {wanted} of a price of {}: capturing the price",
            price.amount
        );
    }
    let amount = if response.status().is_success() { wanted.min(price.amount) } else { 0 };
    let settled = finalize(merchant, accepted, amount).await;
    served(response, settled.as_ref().unwrap_or(&authorized))
}

/// Captures `amount`, or voids if that is 0. `None` if it could not be done yet: it is on disk and
/// will be.
async fn finalize(merchant: &Shared, accepted: &Accepted, amount: u64) -> Option<SettleResponse> {
    let id = accepted.payment_id;
    let finalization = finalization(merchant, accepted, amount);
    let (payload, requirements) = (finalization.payload.clone(), finalization.requirements.clone());
    if let Err(error) = merchant.unsettled.add(id, finalization) {
        // Still worth a try. If that fails too, the release that is on disk goes out.
        error!(payment_id = %id, %error, "the finalization of payment {id} could not be written down");
    }
    let settle = merchant.facilitator.settle(payload, &requirements);
    let Ok(answer) = timeout(FINALIZATION_PATIENCE, settle).await else {
        warn!(payment_id = %id, "payment {id} is not finalized yet: the facilitator takes its time");
        return None;
    };
    match answer {
        Ok(answer) if is_decided(&answer) => {
            if !answer.success {
                let reason = answer.error_reason.as_deref().unwrap_or_default();
                error!(payment_id = %id, reason, "payment {id} could not be finalized: {reason}");
            }
            if let Err(error) = merchant.unsettled.remove(&id.to_string()) {
                error!(payment_id = %id, %error, "payment {id} could not be taken off the list of unsettled ones");
            }
            Some(answer)
        }
        Ok(answer) => {
            warn!(payment_id = %id, "payment {id} is not finalized yet: {:?}", answer.error_reason);
            None
        }
        Err(error) => {
            warn!(payment_id = %id, %error, "payment {id} is not finalized yet");
            None
        }
    }
}

/// How the payment ends, signed.
fn finalization(merchant: &Shared, accepted: &Accepted, amount: u64) -> Finalization {
    Finalization {
        requirements: accepted.lifecycle_requirements(&merchant.config),
        payload: end::capture_or_void(&merchant.config, accepted.payment_id, amount),
        capture_deadline: accepted.capture_deadline,
    }
}
