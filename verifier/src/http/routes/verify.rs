//! Whether a payment would settle.

use std::sync::Arc;

use axum::extract::State;
use serde_json::json;
use x402_escrow_domain::verify::Rejection;
use x402_escrow_wire::{error_code::ErrorCode, facilitator::VerifyResponse};

use crate::{
    engine::{
        app::App,
        check::{Purpose, check},
    },
    http::{
        answer::Answer,
        body::PaymentBody,
        error::{ApiError, rejection},
    },
};

/// `POST /verify`: whether a payment would settle. Changes nothing.
pub async fn verify(
    State(app): State<Arc<App>>,
    PaymentBody(body): PaymentBody,
) -> Result<Answer<VerifyResponse>, ApiError> {
    let checked = async {
        let request = body.read(&app.rules)?;
        let checked = check(&app, &request, Purpose::Verify).await?;
        Ok(checked.verdict(app.policy())?)
    };
    Ok(Answer(match checked.await {
        Ok((payer, assurance)) => VerifyResponse {
            is_valid: true,
            invalid_reason: None,
            invalid_message: None,
            payer: Some(payer.into()),
            extra: json!(assurance).as_object().cloned(),
        },
        Err(error) => {
            let Rejection { code, message } = rejection(error, ErrorCode::UnexpectedVerifyError)?;
            VerifyResponse {
                is_valid: false,
                invalid_reason: Some(code.to_string()),
                invalid_message: Some(message),
                payer: None,
                extra: None,
            }
        }
    }))
}
