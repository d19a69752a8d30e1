//! Streamed holds: many requests, each paid by a voucher.

use std::time::Duration;

use rand::Rng;
use serde_json::json;
use tokio::time::sleep;

use super::{
    Verdict, World,
    sign::{Signed, Terms, envelope},
};
use crate::patience::{MERCHANT_MARGIN_SECONDS, PAYER_MARGIN_SECONDS};

const PRICE: u64 = 500;

impl World {
    /// Pays one more request. `None` if the stream must end here.
    async fn vouch(&self, wallet: usize, signed: &Signed, amount: u64, until: i64) -> Option<()> {
        let voucher = self.voucher(&self.wallets[wallet], signed.id, amount);
        let body = envelope(&signed.requirements, json!(voucher));
        match self.settle_until(&body, until, "voucher").await? {
            Verdict::Yes(_) => {}
            // An answer that was lost said yes.
            Verdict::No(code, _) if code.ends_with("voucher_repeated") => {}
            Verdict::No(code, message) => {
                // Near the end no voucher is taken any more.
                if self.time.now() < until {
                    self.ledger.fault(format!("voucher: an honest payer was refused: {code}: {message}"));
                }
                return None;
            }
            Verdict::Again | Verdict::NotFinal => return None,
        }
        self.ledger.update(&signed.id, |deal| deal.promised = deal.promised.max(amount));
        Some(())
    }

    /// Opens a stream and pays `requests` out of it. Returns what was paid.
    async fn streamed(
        &self,
        wallet: usize,
        terms: Terms<'_>,
        requests: u64,
        margin_seconds: i64,
        dice: &mut impl Rng,
        story: &'static str,
    ) -> Option<(Signed, u64)> {
        let signed = self.held(wallet, terms, story).await?;
        let mut paid = PRICE;
        let until = terms.capture_deadline - margin_seconds - PAYER_MARGIN_SECONDS;
        for _ in 1..requests {
            sleep(Duration::from_millis(dice.random_range(50..8_000))).await;
            if self.time.now() >= until - 60
                || self.vouch(wallet, &signed, paid + PRICE, until).await.is_none()
            {
                break;
            }
            paid += PRICE;
        }
        Some((signed, paid))
    }
}

/// A stream that its merchant closes.
pub async fn stream(world: World, wallet: usize, merchant: usize, margin_seconds: i64, mut dice: impl Rng) {
    let merchant = world.merchants[merchant].clone();
    let capture_deadline = world.time.now() + margin_seconds + dice.random_range(200..400);
    let terms = Terms { merchant: &merchant, amount: 100 * PRICE, price: Some(PRICE), capture_deadline };
    let requests = dice.random_range(1..25);
    let done = world.streamed(wallet, terms, requests, margin_seconds, &mut dice, "stream").await;
    let Some((signed, paid)) = done else { return };
    let body = world.release(&signed, &merchant, paid, true);
    _ = world.honest(&body, capture_deadline - MERCHANT_MARGIN_SECONDS, "close").await;
}

/// A stream that nobody closes, to end at `capture_deadline`: its last voucher is captured before.
pub async fn stream_and_leave(
    world: World,
    wallet: usize,
    merchant: usize,
    margin_seconds: i64,
    capture_deadline: i64,
    requests: u64,
    mut dice: impl Rng,
) {
    let merchant = world.merchants[merchant].clone();
    let terms = Terms { merchant: &merchant, amount: 20 * PRICE, price: Some(PRICE), capture_deadline };
    _ = world.streamed(wallet, terms, requests, margin_seconds, &mut dice, "stream left open").await;
}
