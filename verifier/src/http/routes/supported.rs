//! What can be settled here.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde_json::{Map, Value, json};
use x402_escrow_domain::verify::Rules;
use x402_escrow_interface::Address;
use x402_escrow_wire::{
    X402_VERSION,
    auth_capture::{self, AUTHORIZATION_FLOW, ESCROW_FLOW},
    bazaar, exact,
    facilitator::{SupportedKind, SupportedResponse},
    payment_identifier,
    text::{Decimal, Key},
    usdc, v1,
};

use crate::engine::app::App;

/// Every Solana network, as x402 writes families of networks.
const SOLANA: &str = "solana:*";

/// `GET /supported`: what can be verified and settled here, and what merchants put into their requirements' `extra`.
pub async fn supported(State(app): State<Arc<App>>) -> Json<SupportedResponse> {
    let network = &app.rules.network;
    let fee_payer = json!(Key::from(app.rules.fee_payer));
    let pays_fee = || ("feePayer".to_owned(), fee_payer.clone());
    let kind = |x402_version, scheme: &str, network: &str, extra| SupportedKind {
        x402_version,
        scheme: scheme.to_owned(),
        network: network.to_owned(),
        extra,
    };
    let Rules { tokens, policy, .. } = &app.rules;
    let held = tokens_from(network, tokens.iter().map(|(mint, _)| (mint, policy.minimum_hold_amount)));
    let transferred = tokens_from(network, tokens.iter());
    let program = Map::from_iter([
        ("paymentFlow".to_owned(), json!(ESCROW_FLOW)),
        ("paymentFlows".to_owned(), json!([ESCROW_FLOW, AUTHORIZATION_FLOW])),
        ("program".to_owned(), json!(Key::from(app.rules.program))),
        ("tokens".to_owned(), held),
        pays_fee(),
    ]);
    let transfers = || Map::from_iter([("tokens".to_owned(), transferred.clone()), pays_fee()]);
    let mut kinds = Vec::new();
    // A merchant that starts where nothing could be held hears of it at once. One that sells goes on with what it knows.
    if !app.cluster.lacks_program() {
        kinds.push(kind(X402_VERSION, auth_capture::SCHEME, network, program));
    }
    kinds.push(kind(X402_VERSION, exact::SCHEME, network, transfers()));
    if let Some(name) = v1::network_name(network) {
        kinds.push(kind(v1::X402_VERSION, exact::SCHEME, name, transfers()));
    }
    // One key for every Solana network, written as x402 does; and under the id, for whoever looks it up there.
    let retiring = app.rules.former_fee_payers.retiring.iter().map(|key| json!(Key::from(*key)));
    let signing: Vec<_> = std::iter::once(fee_payer.clone()).chain(retiring).collect();
    let signers = [network.clone(), SOLANA.to_owned()].map(|id| (id, json!(signing)));
    let mut extensions = vec![payment_identifier::EXTENSION];
    if app.settings.maximum_resources > 0 {
        extensions.push(bazaar::EXTENSION);
    }
    Json(SupportedResponse {
        kinds,
        extensions: extensions.into_iter().map(str::to_owned).collect(),
        signers: Map::from_iter(signers),
    })
}

/// What is served, by mint: the least amount, and for merchants that state prices in tokens, its decimals where they are
/// known.
fn tokens_from<'a>(network: &str, tokens: impl Iterator<Item = (&'a Address, u64)>) -> Value {
    let token = |(mint, minimum): (&Address, u64)| {
        let (mint, minimum) = (mint.to_string(), Decimal(minimum));
        let told = match usdc::mint(network) {
            Some(usdc) if usdc == mint => json!({ "minimum": minimum, "decimals": usdc::DECIMALS }),
            _ => json!({ "minimum": minimum }),
        };
        (mint, told)
    };
    Value::Object(tokens.map(token).collect())
}
