use crate::world::{NETWORK, Options, World, program};
use axum::http::StatusCode;
use serde_json::json;

#[tokio::test]
async fn tells_what_merchants_put_into_their_requirements() {
    let world = World::with(Options { minimum_hold_amount: 100, ..Options::default() }).await;
    let fee_payer = world.fee_payer().to_string();
    let (status, body) = world.get("/supported").await;
    assert_eq!(status, StatusCode::OK);
    let mint = world.mint.to_string();
    let extra = json!({ "feePayer": fee_payer, "tokens": { &mint: { "minimum": "1" } } });
    let held = json!({ "paymentFlow": "escrow", "paymentFlows": ["escrow", "authorization"], "program": program().to_string(), "feePayer": fee_payer,
        "tokens": { &mint: { "minimum": "100" } } });
    let kinds = json!([
        { "x402Version": 2, "scheme": "auth-capture", "network": NETWORK, "extra": held },
        { "x402Version": 2, "scheme": "exact", "network": NETWORK, "extra": extra },
        { "x402Version": 1, "scheme": "exact", "network": "solana-devnet", "extra": extra },
    ]);
    let signers = json!({ NETWORK: [fee_payer], "solana:*": [fee_payer] });
    assert_eq!(
        body,
        json!({ "kinds": kinds, "extensions": ["payment-identifier", "bazaar"], "signers": signers })
    );
}
