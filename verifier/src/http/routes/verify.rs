//! Whether a payment would settle.

use std::sync::Arc;

use axum::extract::State;
use serde_json::json;
use x402_escrow_wire::{
    auth_capture::{Commitment, Payload},
    error_code::ErrorCode,
    facilitator::{FacilitatorRequest, VerifyResponse},
    text::Key,
};

use super::Asked;
use crate::{
    chain,
    clock::unix_now,
    engine::{
        app::App,
        assess::{self, NotAccepted},
        exact, identifier, stream,
    },
    http::{
        body::JsonBody,
        decision::Verdict,
        error::{ApiError, verdict},
    },
};
use x402_escrow_domain::{
    assurance::{Assurance, Observed},
    exact::requirements::Request,
    identifier::Identifier,
    payment::RestsOn,
    verify::{Rejection, lifecycle, request, requirements},
};

/// `POST /verify`: whether a payment would settle. Changes nothing.
pub async fn verify(
    State(app): State<Arc<App>>,
    body: JsonBody,
) -> Result<Verdict<VerifyResponse>, ApiError> {
    let verified = match super::read(&body, &app.facilitator)? {
        Ok(Asked::AuthCapture(request, identifier)) => check(&app, &request, identifier.as_ref()).await,
        Ok(Asked::Exact(request)) => check_exact(&app, &request).await,
        Err(rejection) => Err(rejection.into()),
    };
    Ok(Verdict(match verified {
        Ok((payer, assurance)) => VerifyResponse {
            is_valid: true,
            invalid_reason: None,
            invalid_message: None,
            payer: Some(payer),
            extra: json!(assurance).as_object().cloned(),
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

async fn check_exact(app: &App, request: &Request) -> Result<(Key, Assurance), NotAccepted> {
    let payer = exact::assess::verify(app, request).await?;
    let assurance = Assurance {
        rests_on: RestsOn::Balance,
        commitment_asked: request.asked.extra.commitment,
        commitment_required: exact::settle::required(app, request).into(),
        observed: Observed::default(),
    };
    Ok((payer.into(), assurance))
}

/// Whose money it is, if the payment would settle, and how sure that is.
async fn check(
    app: &App,
    request: &FacilitatorRequest,
    identifier: Option<&Identifier>,
) -> Result<(Key, Assurance), NotAccepted> {
    let policy = &app.facilitator.policy;
    match request::read_payload(request)? {
        Payload::Intent(payload) => {
            let signed = request::read_intent(&app.facilitator, request, &payload, unix_now())?;
            let commitment_asked = signed.extra.commitment;
            let assurance = |observed| Assurance {
                rests_on: RestsOn::Balance,
                commitment_asked,
                commitment_required: policy.on_balance(signed.intent.amount, commitment_asked).into(),
                observed,
            };
            let told = match identifier {
                Some(identifier) => {
                    identifier::find_to_tell(app, identifier, &signed.intent.session_key, &signed.hash())
                        .await?
                }
                None => None,
            };
            if let Some(history) = app.store.history(&signed.intent.digest()).await?
                && !history.authorization().is_negative()
            {
                if told.is_some() {
                    return Ok((history.payment.payer.into(), assurance(Observed::of_hold(&history))));
                }
                return Err(Rejection::new(
                    ErrorCode::DuplicateSettlement,
                    format!("payload: this payment was settled before and is {}", history.state().as_str()),
                )
                .into());
            }
            let assessed = assess::assess(app, &signed, &request.payment_requirements).await?;
            let observed = Observed::at(Commitment::Confirmed, assessed.facts.oldest_slot());
            Ok((assessed.escrow.payer.into(), assurance(observed)))
        }
        Payload::Voucher(payload) => {
            let (history, assurance) = stream::check(app, request, &payload, identifier).await?;
            Ok((history.payment.payer.into(), assurance))
        }
        Payload::Lifecycle(payload) => {
            requirements::check_network(&request.payment_requirements, &app.facilitator)?;
            let id = payload.payment_id();
            let history = app.store.history(&id.0).await?.ok_or_else(|| lifecycle::unknown_payment(id))?;
            requirements::check_asset(&request.payment_requirements, &history.payment.mint)?;
            requirements::check_receiver(&request.payment_requirements, &history.payment.intent.receiver)?;
            lifecycle::check_signature(&payload, &history)?;
            let now = chain::facts::cluster_time(app.chain.as_ref()).await?;
            let action = lifecycle::action(&payload, &history)?;
            if history.done_by(&action).is_none() {
                lifecycle::check(&action, &history, now)?;
            }
            let commitment_asked = requirements::read_commitment(&request.payment_requirements)?;
            let assurance = Assurance {
                rests_on: history.rests_on(&action),
                commitment_asked,
                commitment_required: policy.required(&history, &action, commitment_asked, now),
                observed: Observed::of_hold(&history),
            };
            Ok((history.payment.payer.into(), assurance))
        }
    }
}
