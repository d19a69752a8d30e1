//! A merchant that tries everything: captures too much, releases below what it captured, ends payments
//! twice, and takes what others signed.

use std::time::Duration;

use rand::Rng;
use serde_json::Value;
use tokio::time::sleep;
use x402_escrow_wire::{
    auth_capture::LifecyclePayload,
    text::{Base58, Decimal, Hex32},
};

use super::{
    World,
    sign::{Signed, Terms},
};

/// How often it asks for something.
const REQUESTS: u64 = 12;

/// Has an honest payer's money held, and tries to get more than was agreed.
pub async fn rogue(world: World, wallet: usize, merchant: usize, mut dice: impl Rng) {
    let name = world.merchants[merchant].clone();
    let amount = dice.random_range(10_000..1_000_000);
    // A first voucher that has to be asked for again must still come before the margin.
    let capture_deadline = world.time.now() + dice.random_range(300..500);
    let streamed = dice.random_bool(0.3).then_some(amount / 10);
    let terms = Terms { merchant: &name, amount, price: streamed, capture_deadline };
    let Some(signed) = world.held(wallet, terms, "rogue merchant").await else { return };
    for _ in 0..REQUESTS {
        let asked = dice.random_range(0..=2 * amount);
        // It may sign for another merchant's payment, which is worth nothing.
        let signer = &world.merchants[dice.random_range(0..world.merchants.len())];
        let signer = if dice.random_bool(0.2) { signer } else { &name };
        let body = match dice.random_range(0..4) {
            _ if *signer != name => world.foreign(&signed, signer, asked),
            0 | 1 if streamed.is_none() => world.capture(&signed, signer, asked, dice.random_bool(0.2)),
            0..=2 => world.release(&signed, signer, asked.min(amount), false),
            _ => world.release(&signed, signer, asked.min(amount), true),
        };
        let world = world.clone();
        tokio::spawn(async move { world.settle("/settle", &body, "rogue").await });
        sleep(Duration::from_millis(dice.random_range(0..6_000))).await;
    }
}

impl World {
    /// A capture that the wrong party signed: worth nothing.
    fn foreign(&self, signed: &Signed, signer: &str, amount: u64) -> Value {
        let payload = LifecyclePayload::Capture {
            payment_id: Hex32(signed.id),
            amount: Decimal(amount),
            fee: Decimal(0),
            last: true,
            signature: Base58([0; 64]),
        };
        self.lifecycle(signed, signer, payload)
    }
}
