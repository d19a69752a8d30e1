//! The layer itself: challenge, settle, serve, finalize.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CACHE_CONTROL, request::Parts},
    response::{IntoResponse, Response},
};
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::json;
use tower::{Layer, Service, ServiceExt};
use tracing::{error, warn};
use x402_escrow_interface::resource::resource_hash;
use x402_escrow_wire::{
    auth_capture::Commitment,
    error_code::ErrorCode,
    facilitator::SettleResponse,
    field,
    payment::{PAYMENT_REQUIRED, PAYMENT_RESPONSE, PAYMENT_SIGNATURE, PaymentPayload},
    text::{decode_header, encode_header},
};

use super::{
    CaptureAmount, Inner, Merchant, Price, lock,
    terms::{Accepted, Terms},
    unix_seconds,
    unsettled::{Finalization, is_decided},
};

/// Puts a price on what it wraps.
#[derive(Clone)]
pub struct PaymentLayer {
    merchant: Merchant,
    price: Arc<Price>,
}

impl PaymentLayer {
    pub(super) fn new(merchant: Merchant, price: Price) -> Self {
        Self { merchant, price: Arc::new(price) }
    }
}

impl<S> Layer<S> for PaymentLayer {
    type Service = PaymentService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PaymentService { layer: self.clone(), inner }
    }
}

/// A service with a price.
#[derive(Clone)]
pub struct PaymentService<S> {
    layer: PaymentLayer,
    inner: S,
}

impl<S> Service<Request> for PaymentService<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The service that was polled ready is the one to call.
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        let PaymentLayer { merchant, price } = self.layer.clone();
        Box::pin(async move { Ok(respond(&merchant.inner, &price, inner, request).await) })
    }
}

async fn respond<S>(merchant: &Arc<Inner>, price: &Price, inner: S, request: Request) -> Response
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
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
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
    let accepted = match terms.check(&payment) {
        Ok(accepted) => accepted,
        Err(mismatch) => return refusal(&terms, mismatch.code, &mismatch.message),
    };
    let Some(_claim) = merchant.claim(accepted.payment_id) else {
        return refusal(
            &terms,
            ErrorCode::DuplicateSettlement,
            "the payment is being served in another request",
        );
    };
    match authorize(merchant, &terms, payment, &accepted).await {
        Ok(authorized) => serve(merchant, price, inner, parts, body, accepted, authorized).await,
        Err(response) => *response,
    }
}

/// The payment that the request carries, if any.
fn payment(headers: &HeaderMap) -> Result<Option<PaymentPayload>, String> {
    let Some(header) = headers.get(PAYMENT_SIGNATURE) else { return Ok(None) };
    let text = header.to_str().map_err(|_| format!("{PAYMENT_SIGNATURE} is not text"))?;
    let json: serde_json::Value =
        decode_header(text).map_err(|error| format!("{PAYMENT_SIGNATURE}: {error}"))?;
    field::read(&json).map(Some).map_err(|error| format!("{PAYMENT_SIGNATURE}: {error}"))
}

/// Has the facilitator hold the amount. Anything but a hold that is new and final enough is answered at once.
async fn authorize(
    merchant: &Inner,
    terms: &Terms<'_>,
    payment: PaymentPayload,
    accepted: &Accepted,
) -> Result<SettleResponse, Box<Response>> {
    let id = accepted.payment_id;
    let answer = match merchant.facilitator.settle(payment.payload, &accepted.requirements).await {
        Ok(answer) => answer,
        Err(error) => {
            warn!(payment_id = %id, %error, "no verdict on payment {id}");
            lock(&merchant.unanswered).insert(id);
            return Err(Box::new(problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "facilitator_unavailable",
                "the payment could not be settled now; send the same request again",
            )));
        }
    };
    if !answer.success {
        if !is_decided(&answer) {
            lock(&merchant.unanswered).insert(id);
        }
        return Err(Box::new(refused_settlement(terms, &answer)));
    }
    let extra = |name: &str| answer.extra.as_ref().and_then(|extra| extra.get(name));
    // Settled by an earlier request: that one was served, unless it was told to come again.
    let was_unanswered = lock(&merchant.unanswered).remove(&id);
    let repeated = extra("alreadySettled").and_then(serde_json::Value::as_bool).unwrap_or(false);
    let untouched = extra("state").and_then(serde_json::Value::as_str) == Some("authorized");
    if repeated && !(was_unanswered && untouched) {
        let message = "the payment bought something before";
        return Err(Box::new(refusal(terms, ErrorCode::DuplicateSettlement, message)));
    }
    let observed = extra("status").and_then(|status| field::read::<Commitment>(status).ok());
    if observed < Some(terms.price.commitment.unwrap_or(Commitment::Processed)) {
        error!(payment_id = %id, "the facilitator said yes to payment {id} before it was final enough");
        lock(&merchant.unanswered).insert(id);
        return Err(Box::new(problem(
            StatusCode::BAD_GATEWAY,
            "facilitator_untrustworthy",
            "the facilitator's answer is weaker than what this route asks for",
        )));
    }
    Ok(answer)
}

/// Runs the handler, then captures or voids.
async fn serve<S>(
    merchant: &Inner,
    price: &Price,
    inner: S,
    parts: Parts,
    body: Bytes,
    accepted: Accepted,
    authorized: SettleResponse,
) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible> + Send,
    S::Future: Send,
{
    let request = Request::from_parts(parts, Body::from(body));
    let mut response = match inner.oneshot(request).await {
        Ok(response) => response,
        Err(impossible) => match impossible {},
    };
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
    let settled = finalize(merchant, &accepted, amount).await;
    let headers = response.headers_mut();
    set(headers, PAYMENT_RESPONSE, &settled.unwrap_or(authorized));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private"));
    response
}

/// Captures `amount`, or voids if that is 0. `None` if it could not be done yet: it is on disk and will be.
async fn finalize(merchant: &Inner, accepted: &Accepted, amount: u64) -> Option<SettleResponse> {
    let id = accepted.payment_id;
    let payload = merchant.finalize(id, amount);
    let finalization = Finalization {
        requirements: accepted.requirements.clone(),
        payload: payload.clone(),
        capture_deadline: accepted.capture_deadline,
    };
    if let Err(error) = merchant.unsettled.add(id, finalization) {
        // Still worth a try: only a crash in the next moments would lose it.
        error!(payment_id = %id, %error, "the finalization of payment {id} could not be written down");
    }
    match merchant.facilitator.settle(payload, &accepted.requirements).await {
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

/// 402 with the terms.
fn challenge(terms: &Terms<'_>, error: &str) -> Response {
    let challenge = terms.challenge(error);
    let mut response = (StatusCode::PAYMENT_REQUIRED, axum::Json(&challenge)).into_response();
    set(response.headers_mut(), PAYMENT_REQUIRED, &challenge);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// 402 with the terms, and why this payment is not on them.
fn refusal(terms: &Terms<'_>, code: ErrorCode, message: &str) -> Response {
    refused_settlement(
        terms,
        &SettleResponse {
            success: false,
            error_reason: Some(code.to_string()),
            error_message: Some(message.to_owned()),
            payer: None,
            transaction: String::new(),
            network: terms.support.network.clone(),
            amount: None,
            extra: None,
        },
    )
}

fn refused_settlement(terms: &Terms<'_>, answer: &SettleResponse) -> Response {
    let reason = answer.error_reason.as_deref().unwrap_or("unexpected_settle_error");
    let mut response = challenge(terms, reason);
    set(response.headers_mut(), PAYMENT_RESPONSE, answer);
    response
}

fn problem(status: StatusCode, code: &str, message: &str) -> Response {
    let body = axum::Json(json!({ "error": { "code": code, "message": message } }));
    (status, [(CACHE_CONTROL, "no-store")], body).into_response()
}

fn set(headers: &mut HeaderMap, name: &str, value: &impl Serialize) {
    let encoded = encode_header(value).ok().and_then(|text| HeaderValue::from_str(&text).ok());
    match (HeaderName::from_bytes(name.as_bytes()), encoded) {
        (Ok(name), Some(value)) => _ = headers.insert(name, value),
        _ => error!(name, "the header {name} could not be written"),
    }
}
