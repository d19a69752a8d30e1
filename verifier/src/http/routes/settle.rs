//! Holds, captures, releases; pays at once.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    http::HeaderValue,
    response::{IntoResponse, Response},
};
use serde_json::json;
use x402_escrow_domain::report;
use x402_escrow_wire::{
    bazaar::{EXTENSION, EXTENSION_RESPONSES},
    error_code::ErrorCode,
    text::encode_header,
};

use crate::{
    engine::{
        app::App,
        discovery,
        limits::Caller,
        settle::{Outcome, settle as act},
    },
    http::{
        answer::Answer,
        body::PaymentBody,
        error::{ApiError, rejection},
    },
};

/// `POST /settle`: holds, captures or releases, or pays at once, and answers when that is as final as it must be.
pub async fn settle(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    PaymentBody(body): PaymentBody,
) -> Result<Response, ApiError> {
    let network = body.network(&app.rules);
    let declaring = body.current().filter(|request| discovery::declares(&app, request)).cloned();
    let settled = async {
        let request = body.read(&app.rules)?;
        act(&app, &caller, &request).await
    };
    let mut listing = None;
    let answer = match settled.await {
        Ok(Outcome::Operation(progress)) => {
            let answer = report::settled(network, &progress);
            if let Some(request) = declaring
                && answer.success
                && progress.tracked.operation.action.begins_payment()
            {
                listing = discovery::offer(&app, &request, &progress.history.payment.id);
            }
            answer
        }
        Ok(Outcome::Voucher(vouched)) => report::vouched(network, &vouched),
        Err(error) => report::rejected(network, rejection(error, ErrorCode::UnexpectedSettleError)?),
    };
    let mut response = Answer(answer).into_response();
    if let Some(told) = listing.and_then(|listing| extension_responses(&listing)) {
        response.headers_mut().insert(EXTENSION_RESPONSES, told);
    }
    Ok(response)
}

/// What became of the extension `bazaar`, for the server.
fn extension_responses(listing: &Result<(), String>) -> Option<HeaderValue> {
    let bazaar = match listing {
        Ok(()) => json!({ "status": "processing" }),
        Err(reason) => json!({ "status": "rejected", "rejectedReason": reason }),
    };
    HeaderValue::from_str(&encode_header(&json!({ EXTENSION: bazaar })).ok()?).ok()
}
