use axum::http::StatusCode;
use serde_json::json;
use x402_escrow_interface::ID;

use crate::world::{NETWORK, World};

#[tokio::test]
async fn tells_what_merchants_put_into_their_requirements() {
    let world = World::new().await;
    let fee_payer = world.fee_payer().to_string();
    let (status, body) = world.get("/supported").await;
    assert_eq!(status, StatusCode::OK);
    let extra = json!({ "paymentFlow": "escrow", "program": ID.to_string(), "feePayer": fee_payer });
    let kind = json!({ "x402Version": 2, "scheme": "auth-capture", "network": NETWORK, "extra": extra });
    assert_eq!(body, json!({ "kinds": [kind], "extensions": [], "signers": { NETWORK: [fee_payer] } }));
}
