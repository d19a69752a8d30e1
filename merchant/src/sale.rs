//! Carries out a sale: challenge, check, settle, serve, end. What is known of a purchase and what each
//! answer makes of it are the record's. Uses the clock.

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::Body,
    extract::{OriginalUri, Request},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde_json::{Map, Value};
use tower::{Service, ServiceExt};
use tracing::{error, warn};
use x402_escrow_interface::resource::resource_hash;
use x402_escrow_wire::{
    error_code::ErrorCode,
    facilitator::SettleResponse,
    field,
    payment::{PAYMENT_SIGNATURE, PaymentPayload},
    purchase::verdict::Verdict,
    text::decode_header,
};

use crate::{
    answer::{challenge, internal_error, no_verdict, problem, refusal, refused_settlement, untrustworthy},
    check::Accepted,
    facilitator::FacilitatorError,
    held, identified,
    price::Price,
    shared::Shared,
    streamed,
    terms::Terms,
};

/// Answers a request: with a challenge, a refusal, or what was bought.
pub(crate) async fn respond<S>(merchant: &Arc<Shared>, price: &Price, route: S, request: Request) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible> + Send + 'static,
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
    let url = format!("{}{path}", merchant.base);
    let support = merchant.support();
    let terms = Terms {
        config: &merchant.config,
        base: &merchant.base,
        support: &support,
        price,
        url: &url,
        resource_hash: resource_hash(parts.method.as_str(), &url, &body),
        now: merchant.now(),
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
        // A task of its own: a handler that panics is one that failed.
        let handled = tokio::spawn(route.oneshot(Request::from_parts(parts, Body::from(body))));
        match handled.await {
            Ok(Ok(response)) => response,
            Ok(Err(impossible)) => match impossible {},
            Err(cause) => {
                error!(%cause, "a handler broke off");
                internal_error("the server failed; nothing was charged")
            }
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
    let terms = &Terms { now: merchant.now(), ..terms };
    let accepted = match terms.check(&payment) {
        Ok(accepted) => accepted,
        Err(mismatch) => return refusal(terms, mismatch.code, &mismatch.message),
    };
    let extensions = identified::extensions(terms.price, &payment);
    match accepted.voucher {
        Some(voucher) => streamed::sell(merchant, terms, &accepted, voucher, extensions, handler).await,
        None => held::sell(merchant, terms, &accepted, extensions, handler).await,
    }
}

/// The payment that the request carries, if any.
fn payment(headers: &HeaderMap) -> Result<Option<PaymentPayload>, String> {
    let Some(header) = headers.get(PAYMENT_SIGNATURE) else { return Ok(None) };
    let text = header.to_str().map_err(|_| format!("{PAYMENT_SIGNATURE} is not text"))?;
    let json: Value = decode_header(text).map_err(|error| format!("{PAYMENT_SIGNATURE}: {error}"))?;
    field::read(&json).map(Some).map_err(|error| format!("{PAYMENT_SIGNATURE}: {error}"))
}

/// Has the facilitator settle what the client sent, and reads its verdict.
pub(crate) async fn ask(
    merchant: &Arc<Shared>,
    accepted: &Accepted,
    extensions: Option<Map<String, Value>>,
) -> (Verdict, Result<SettleResponse, FacilitatorError>) {
    let payload = accepted.payload.clone();
    let claim = merchant.record.claim;
    let answer = merchant.facilitator.pay(payload, extensions, &accepted.requirements, claim).await;
    let verdict = answer.as_ref().map_or_else(FacilitatorError::verdict, Verdict::of);
    if let Ok(answer) = &answer
        && answer.error_reason.as_deref() == Some(ErrorCode::InvalidExtra.as_str())
    {
        // The facilitator may have another fee payer by now.
        let merchant = Arc::clone(merchant);
        tokio::spawn(async move { merchant.ask_support().await });
    }
    (verdict, answer)
}

/// What a client is told whose payment or voucher buys nothing now.
pub(crate) fn not_sold(
    terms: &Terms<'_>,
    accepted: &Accepted,
    verdict: Verdict,
    answer: &Result<SettleResponse, FacilitatorError>,
) -> Response {
    let id = accepted.payment_id;
    match answer {
        Ok(answer) if !answer.success => refused_settlement(terms, answer),
        Ok(_) if verdict == Verdict::Anothers => used(terms, accepted),
        Ok(_) => {
            error!(payment_id = %id, "the facilitator said yes to less than payment {id} is for");
            untrustworthy()
        }
        Err(error) => {
            warn!(payment_id = %id, %error, "no verdict on payment {id}");
            no_verdict(error, "the payment could not be settled now; send the same request again")
        }
    }
}

/// What a client is told whose payment or voucher bought something before, or is about to.
pub(crate) fn used(terms: &Terms<'_>, accepted: &Accepted) -> Response {
    if accepted.opens_hold {
        let message = "the payment bought something before, or is being served in another request";
        return refusal(terms, ErrorCode::DuplicateSettlement, message);
    }
    let message = "the voucher bought something before, or is being served in another request";
    refusal(terms, ErrorCode::VoucherRepeated, message)
}
