//! What can be settled here.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde_json::{Map, Value, json};
use x402_escrow_wire::{
    X402_VERSION,
    auth_capture::{ESCROW_FLOW, SCHEME},
    facilitator::{SupportedKind, SupportedResponse},
    text::Key,
};

use crate::app::App;

/// `GET /supported`: what can be verified and settled here, and what merchants put into their requirements' `extra`.
pub async fn supported(State(app): State<Arc<App>>) -> Json<SupportedResponse> {
    let network = app.facilitator.network.clone();
    let fee_payer = json!(Key::from(app.facilitator.fee_payer));
    let extra = Map::from_iter([
        ("paymentFlow".to_owned(), json!(ESCROW_FLOW)),
        ("program".to_owned(), json!(Key::from(x402_escrow_interface::ID))),
        ("feePayer".to_owned(), fee_payer.clone()),
    ]);
    Json(SupportedResponse {
        signers: Map::from_iter([(network.clone(), Value::Array(vec![fee_payer]))]),
        kinds: vec![SupportedKind { x402_version: X402_VERSION, scheme: SCHEME.to_owned(), network, extra }],
        extensions: Vec::new(),
    })
}
