//! What the verifier is compared with: a handler that reads the same request, checks one strict signature and gives the
//! same answer. It keeps nothing, and knows nothing.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result};
use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use x402_escrow_wire::{
    auth_capture::{Payload, VoucherPayload},
    facilitator::{FacilitatorRequest, SettleResponse},
    text::Decimal,
};

/// The part of a benchmark.
pub const ROLE: &str = "peer";

/// How it answers: as `answer` has it, to vouchers that are signed by `session_key`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answers {
    /// The payer's.
    pub session_key: [u8; 32],
    /// One of the verifier's answers.
    pub answer: SettleResponse,
}

/// Serves, and has `say` tell where.
///
/// # Errors
/// If it can't.
pub fn serve(answers: Answers, say: impl FnOnce(&SocketAddr) -> Result<()>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        say(&listener.local_addr()?)?;
        let router = Router::new().route("/settle", post(settle)).with_state(Arc::new(answers));
        axum::serve(listener, router).await.context("serving")
    })
}

async fn settle(
    State(answers): State<Arc<Answers>>,
    Json(request): Json<FacilitatorRequest>,
) -> Result<Json<SettleResponse>, StatusCode> {
    let payload =
        Payload::read_field(&request.payment_payload.payload).map_err(|_| StatusCode::BAD_REQUEST)?;
    let Payload::Voucher(voucher) = payload else { return Err(StatusCode::BAD_REQUEST) };
    if !is_signed(&answers.session_key, &voucher) {
        return Err(StatusCode::FORBIDDEN);
    }
    let mut answer = answers.answer.clone();
    answer.amount = Some(Decimal(1));
    if let Some(extra) = &mut answer.extra {
        extra.insert("paymentId".to_owned(), json!(voucher.payment_id));
        extra.insert("vouched".to_owned(), json!(voucher.amount));
    }
    Ok(Json(answer))
}

/// One strict check, with the key as it is stored: 32 bytes.
fn is_signed(session_key: &[u8; 32], voucher: &VoucherPayload) -> bool {
    let signature = Signature::from_bytes(&voucher.signature.0);
    VerifyingKey::from_bytes(session_key)
        .is_ok_and(|key| key.verify_strict(&voucher.signed_bytes(), &signature).is_ok())
}
