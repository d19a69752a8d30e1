//! Holds, captures, releases.

use std::sync::Arc;

use axum::extract::State;
use x402_escrow_wire::{error_code::ErrorCode, facilitator::SettleResponse};

use crate::{
    app::App,
    body::JsonBody,
    decision::Verdict,
    error::{ApiError, no_verdict},
    report,
};

/// `POST /settle`: holds, captures or releases, and answers once that is as final as it must be.
pub async fn settle(
    State(app): State<Arc<App>>,
    body: JsonBody,
) -> Result<Verdict<SettleResponse>, ApiError> {
    let network = &app.facilitator.network;
    if let Err(rejection) = super::check_version(&body) {
        return Ok(Verdict(report::rejected(network, rejection)));
    }
    Ok(Verdict(match crate::settle::settle(&app, &body.read()?).await {
        Ok(settled) => report::settled(network, &settled),
        Err(error) => report::rejected(network, no_verdict(error, ErrorCode::UnexpectedSettleError)),
    }))
}
