//! Purchases that are held and captured.

use std::time::Duration;

use rand::Rng;
use tokio::time::sleep;

use super::{
    World,
    sign::{Signed, Terms},
};
use crate::patience::{CALLER_MARGIN_SECONDS, MERCHANT_MARGIN_SECONDS, PAYER_MARGIN_SECONDS, PROMPT_SECONDS};

impl World {
    /// Has an amount held. `None` if that came to nothing.
    pub(super) async fn held(&self, wallet: usize, terms: Terms<'_>, story: &'static str) -> Option<Signed> {
        let signed = self.sign(&self.wallets[wallet], terms, story);
        let (worked, started) = (self.cluster.works(), self.time.now());
        let until = signed.intent.authorize_by - CALLER_MARGIN_SECONDS;
        let answer = match self.settle_until(&signed.body, until, story).await? {
            super::Verdict::Yes(answer) => answer,
            super::Verdict::No(code, message) => {
                // In an outage, or with a transaction that never lands, a hold can run out of time, which the
                // answer says. The "no" of one node about a payer's accounts is a no, so a liar can deny.
                let was_soon = self.time.now() - started < PROMPT_SECONDS;
                if worked && self.cluster.works() && was_soon && !self.has_liars {
                    self.ledger.fault(format!("{story}: an honest payer was refused: {code}: {message}"));
                }
                return None;
            }
            super::Verdict::Again | super::Verdict::NotFinal => return None,
        };
        let first = terms.price.filter(|_| answer["success"] == true).unwrap_or(0);
        self.ledger.update(&signed.id, |deal| {
            deal.is_held = true;
            deal.promised = deal.promised.max(first);
        });
        Some(signed)
    }

    /// Has the merchant capture. Returns whether the verifier said yes.
    pub(super) async fn captured(
        &self,
        signed: &Signed,
        merchant: &str,
        amount: u64,
        last: bool,
        story: &str,
    ) -> bool {
        let body = self.capture(signed, merchant, amount, last);
        let until = signed.intent.capture_deadline - MERCHANT_MARGIN_SECONDS;
        let yes = self.honest(&body, until, story).await.is_some();
        if yes {
            self.ledger.update(&signed.id, |deal| deal.promised = deal.promised.max(amount));
        }
        yes
    }
}

/// An honest purchase: held, served, captured, in one of the ways that a merchant can.
pub async fn hold(world: World, wallet: usize, merchant: usize, mut dice: impl Rng) {
    let merchant = world.merchants[merchant].clone();
    let amount = dice.random_range(1_000..2_000_000);
    let capture_deadline = world.time.now() + dice.random_range(300..600);
    let terms = Terms { merchant: &merchant, amount, price: None, capture_deadline };
    let Some(signed) = world.held(wallet, terms, "hold").await else { return };
    sleep(Duration::from_millis(dice.random_range(0..30_000))).await;
    match dice.random_range(0..5) {
        0 => _ = world.captured(&signed, &merchant, amount, true, "whole capture").await,
        1 => {
            let part = dice.random_range(1..=amount);
            _ = world.captured(&signed, &merchant, part, true, "last capture").await;
        }
        2 => {
            // Captured in steps, and the rest left to the deadline.
            for step in 1..=3 {
                if !world.captured(&signed, &merchant, amount * step / 4, false, "capture in steps").await {
                    return;
                }
                sleep(Duration::from_millis(dice.random_range(0..5_000))).await;
            }
        }
        3 => {
            let body = world.release(&signed, &merchant, 0, false);
            let until = signed.intent.capture_deadline - MERCHANT_MARGIN_SECONDS;
            _ = world.honest(&body, until, "void").await;
        }
        _ => {
            let part = dice.random_range(1..=amount);
            if world.captured(&signed, &merchant, part, false, "part capture").await {
                let body = world.release(&signed, &merchant, part, false);
                let until = signed.intent.capture_deadline - MERCHANT_MARGIN_SECONDS;
                _ = world.honest(&body, until, "void of the rest").await;
            }
        }
    }
}

/// A purchase that its merchant forgets: the payer gets its money back after the deadline.
pub async fn hold_and_leave(world: World, wallet: usize, merchant: usize, mut dice: impl Rng) {
    let merchant = world.merchants[merchant].clone();
    let amount = dice.random_range(1_000..2_000_000);
    let capture_deadline = world.time.now() + dice.random_range(150..400);
    let terms = Terms { merchant: &merchant, amount, price: None, capture_deadline };
    _ = world.held(wallet, terms, "forgotten hold").await;
}

/// A merchant that captures several times a second until shortly before the deadline.
pub async fn eager(world: World, wallet: usize, merchant: usize, margin_seconds: i64) {
    let merchant = world.merchants[merchant].clone();
    let amount = 900_000;
    let capture_deadline = world.time.now() + margin_seconds + 220;
    let terms = Terms { merchant: &merchant, amount, price: None, capture_deadline };
    let Some(signed) = world.held(wallet, terms, "eager merchant").await else { return };
    let stop = capture_deadline - margin_seconds - PAYER_MARGIN_SECONDS;
    world.until(stop - 120).await;
    for step in 1_u64.. {
        if world.time.now() >= stop {
            break;
        }
        let (world, merchant) = (world.clone(), merchant.clone());
        let body = world.capture(&signed, &merchant, step * 1_000, false);
        let (id, until) = (signed.id, capture_deadline - MERCHANT_MARGIN_SECONDS);
        tokio::spawn(async move {
            if world.honest(&body, until, "eager capture").await.is_some() {
                world.ledger.update(&id, |deal| deal.promised = deal.promised.max(step * 1_000));
            }
        });
        sleep(Duration::from_millis(330)).await;
    }
}
