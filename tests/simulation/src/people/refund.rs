//! Merchants that give money back.

use std::time::Duration;

use ed25519_dalek::Signer;
use rand::Rng;
use serde_json::json;
use tokio::time::sleep;
use x402_escrow_wire::text::{Base58, Hex32};

use super::{World, sign::Terms};
use crate::{server::Reply, setup::signing_key};

/// A merchant of two processes: both draft a refund of one payment at the same time, and both send it.
pub async fn refund_twice(world: World, wallet: usize, merchant: usize, mut dice: impl Rng) {
    let merchant = world.merchants[merchant].clone();
    let amount = 1_000_000;
    let capture_deadline = world.time.now() + 500;
    let terms = Terms { merchant: &merchant, amount, price: None, capture_deadline };
    let Some(signed) = world.held(wallet, terms, "refunded hold").await else { return };
    if !world.captured(&signed, &merchant, amount, true, "capture to be refunded").await {
        return;
    }
    sleep(Duration::from_secs(dice.random_range(20..40))).await;
    let amounts = [amount / 2, amount * 8 / 10];
    world.ledger.update(&signed.id, |deal| deal.refunded = amounts[1]);
    let mut drafts = Vec::new();
    for refunded in amounts {
        let body = json!({ "paymentId": Hex32(signed.id), "amount": refunded.to_string() });
        if let Reply::Answer(status, draft) = world.server.post("/refunds", &body).await
            && status.is_success()
        {
            drafts.push((refunded, draft));
        }
    }
    for (refunded, draft) in drafts {
        let Some(message) = draft["message"].as_str().map(str::to_owned) else { continue };
        let bytes = decode(&message);
        let by = Base58(signing_key(&merchant).sign(&bytes).to_bytes());
        let body = json!({
            "paymentId": Hex32(signed.id), "amount": refunded.to_string(), "message": message, "signature": by,
        });
        let world = world.clone();
        tokio::spawn(async move {
            for _ in 0..3 {
                match world.settle("/refunds/signed", &body, "refund").await {
                    super::Verdict::Again => sleep(Duration::from_secs(2)).await,
                    _ => return,
                }
            }
        });
        sleep(Duration::from_millis(dice.random_range(0..40))).await;
    }
}

fn decode(text: &str) -> Vec<u8> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    BASE64_STANDARD.decode(text).unwrap_or_default()
}
