//! Holds, captures, releases; pays at once.

use std::sync::Arc;

use axum::extract::State;
use x402_escrow_wire::{error_code::ErrorCode, facilitator::SettleResponse};

use super::Asked;
use crate::{
    engine::{app::App, exact, settle::Outcome},
    http::{
        body::JsonBody,
        decision::Verdict,
        error::{ApiError, verdict},
    },
};
use x402_escrow_domain::report;

/// `POST /settle`: holds, captures or releases, or pays at once, and answers when that is as final as it must be.
pub async fn settle(
    State(app): State<Arc<App>>,
    body: JsonBody,
) -> Result<Verdict<SettleResponse>, ApiError> {
    let network = super::network(&body, &app.facilitator);
    let answer = match super::read(&body, &app.facilitator)? {
        Ok(Asked::AuthCapture(request, identifier)) => {
            crate::engine::settle::settle(&app, &request, identifier.as_ref()).await.map(|outcome| {
                match outcome {
                    Outcome::Settled(settled) => report::settled(network, &settled),
                    Outcome::Vouched(vouched) => report::vouched(network, &vouched),
                }
            })
        }
        Ok(Asked::Exact(request)) => exact::settle::settle(&app, &request)
            .await
            .map(|settled| x402_escrow_domain::exact::report::settled(network, settled)),
        Err(rejection) => Err(rejection.into()),
    };
    Ok(Verdict(match answer {
        Ok(settled) => settled,
        Err(error) => report::rejected(network, verdict(error, ErrorCode::UnexpectedSettleError)?),
    }))
}
