//! Carries out a sale: challenge, check, settle, serve, end. What is known of a purchase and what each
//! answer makes of it are the record's. Uses the clock.

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::Body,
    extract::{MatchedPath, OriginalUri, Request},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde_json::Value;
use tower::{Service, ServiceExt};
use tracing::error;
use x402_escrow_interface::resource::resource_hash;
use x402_escrow_wire::{
    field,
    payment::{PAYMENT_SIGNATURE, PaymentPayload},
    text::decode_header,
};

use crate::{
    answer::{challenge, internal_error, problem, refusal},
    charged, held, identified,
    listing::Listing,
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
    let path = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    let listing = Listing::of(price, &parts.method, path, &merchant.base);
    let terms = Terms {
        config: &merchant.config,
        base: &merchant.base,
        support: &support,
        price,
        url: &url,
        listing: listing.as_ref(),
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
                // It may be charged already: then the same request is served again.
                internal_error("the server failed")
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
    match accepted.voucher {
        Some(voucher) => streamed::sell(merchant, terms, &accepted, voucher, handler).await,
        None if terms.price.is_charged() => charged::sell(merchant, terms, &accepted, handler).await,
        None => held::sell(merchant, terms, &accepted, handler).await,
    }
}

/// The payment that the request carries, if any.
fn payment(headers: &HeaderMap) -> Result<Option<PaymentPayload>, String> {
    let Some(header) = headers.get(PAYMENT_SIGNATURE) else { return Ok(None) };
    let text = header.to_str().map_err(|_| format!("{PAYMENT_SIGNATURE} is not text"))?;
    let json: Value = decode_header(text).map_err(|error| format!("{PAYMENT_SIGNATURE}: {error}"))?;
    field::read(&json).map(Some).map_err(|error| format!("{PAYMENT_SIGNATURE}: {error}"))
}
