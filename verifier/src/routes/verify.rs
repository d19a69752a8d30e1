//! Whether a payment would settle.

use std::sync::Arc;

use axum::extract::State;
use x402_escrow_wire::{
    auth_capture::Payload,
    error_code::ErrorCode,
    facilitator::{FacilitatorRequest, VerifyResponse},
    text::Key,
};

use super::Asked;
use crate::{
    app::App,
    assess::{self, NotAccepted},
    body::JsonBody,
    decision::Verdict,
    error::{ApiError, verdict},
    exact, facts,
    identifier::Identifier,
    stream,
    verify::{Rejection, lifecycle, requirements},
};

/// `POST /verify`: whether a payment would settle. Changes nothing.
pub async fn verify(
    State(app): State<Arc<App>>,
    body: JsonBody,
) -> Result<Verdict<VerifyResponse>, ApiError> {
    let payer = match super::read(&body, &app.facilitator)? {
        Ok(Asked::AuthCapture(request, identifier)) => payer(&app, &request, identifier.as_ref()).await,
        Ok(Asked::Exact(request)) => exact::assess::verify(&app, &request).await.map(Key::from),
        Err(rejection) => Err(rejection.into()),
    };
    Ok(Verdict(match payer {
        Ok(payer) => VerifyResponse {
            is_valid: true,
            invalid_reason: None,
            invalid_message: None,
            payer: Some(payer),
            extra: None,
        },
        Err(error) => {
            let Rejection { code, message } = verdict(error, ErrorCode::UnexpectedVerifyError)?;
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

/// Whose money it is, if the payment would settle.
async fn payer(
    app: &App,
    request: &FacilitatorRequest,
    identifier: Option<&Identifier>,
) -> Result<Key, NotAccepted> {
    match assess::read_payload(request)? {
        Payload::Intent(payload) => {
            let signed = assess::read_intent(&app.facilitator, request, &payload)?;
            let told = match identifier {
                Some(identifier) => {
                    identifier.find_to_tell(app, &signed.intent.session_key, &signed.hash()).await?
                }
                None => None,
            };
            if let Some(history) = app.store.history(&signed.intent.digest()).await?
                && !history.authorization().is_negative()
            {
                if told.is_some() {
                    return Ok(history.payment.payer.into());
                }
                return Err(Rejection::new(
                    ErrorCode::DuplicateSettlement,
                    format!("payload: this payment was settled before and is {}", history.state().as_str()),
                )
                .into());
            }
            let assessed = assess::assess(app, &signed.intent, &request.payment_requirements).await?;
            Ok(assessed.escrow.payer.into())
        }
        Payload::Voucher(payload) => {
            Ok(stream::check(app, request, &payload, identifier).await?.payment.payer.into())
        }
        Payload::Lifecycle(payload) => {
            requirements::check_network(&request.payment_requirements, &app.facilitator)?;
            let id = payload.payment_id();
            let history = app.store.history(&id.0).await?.ok_or_else(|| lifecycle::unknown_payment(id))?;
            requirements::check_asset(&request.payment_requirements, &history.payment.mint)?;
            requirements::check_receiver(&request.payment_requirements, &history.payment.intent.receiver)?;
            lifecycle::check_signature(&payload, &history)?;
            let now = facts::cluster_time(app.chain.as_ref()).await?;
            lifecycle::check(&lifecycle::action(&payload, &history)?, &history, now)?;
            Ok(history.payment.payer.into())
        }
    }
}
