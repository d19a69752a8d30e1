//! Holds, captures, releases; pays at once.

use std::sync::Arc;

use axum::{Extension, extract::State};
use x402_escrow_domain::{report, request};
use x402_escrow_wire::{error_code::ErrorCode, facilitator::SettleResponse};

use crate::{
    engine::{
        app::App,
        limits::Caller,
        settle::{Outcome, settle as act},
    },
    http::{
        answer::Answer,
        body::JsonBody,
        error::{ApiError, rejection},
    },
};

/// `POST /settle`: holds, captures or releases, or pays at once, and answers when that is as final as it must be.
pub async fn settle(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    body: JsonBody,
) -> Result<Answer<SettleResponse>, ApiError> {
    let network = request::network(&body.0, &app.rules);
    let settled = async {
        let request = request::read(&body.0, &app.rules)?;
        act(&app, &caller, &request).await
    };
    Ok(Answer(match settled.await {
        Ok(Outcome::Operation(progress)) => report::settled(network, &progress),
        Ok(Outcome::Voucher(vouched)) => report::vouched(network, &vouched),
        Err(error) => report::rejected(network, rejection(error, ErrorCode::UnexpectedSettleError)?),
    }))
}
