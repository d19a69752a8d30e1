//! A merchant that keeps a record, as the `merchant` crate does: what becomes of each hold and voucher
//! is decided by the same tables. Each voucher pays at most its step; the merchant takes what a request
//! was worth. It closes streams that nobody uses, and is killed now and then.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rand::Rng;
use serde_json::{Value, json};
use tokio::time::sleep;
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::{
    claim::Claim,
    facilitator::SettleResponse,
    purchase::{
        Illegal,
        seller::{Hold, HoldEvent, Voucher, VoucherEvent},
        verdict::{self, Verdict as Said},
    },
};

use super::{
    Verdict, World,
    sign::{Signed, Terms, envelope},
};
use crate::patience::{PAYER_MARGIN_SECONDS, RETRY};

/// The most that a request costs, in base units.
const CEILING: u64 = 500;

/// After how many seconds without a request a stream is closed.
const IDLE_SECONDS: i64 = 12;

/// How long between two looks at what is to be closed.
const ROUND: Duration = Duration::from_secs(2);

/// A merchant.
pub struct Shop {
    world: World,
    merchant: String,
    claim: Claim,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    holds: BTreeMap<Digest, Entry>,
    /// Counts the times that it was started: what an earlier process began is lost.
    process: u64,
}

struct Entry {
    state: Hold,
    vouchers: BTreeMap<u64, Voucher>,
    /// What was taken for requests that were served, in base units.
    taken: u64,
    /// When a voucher came last, unix seconds.
    used_at: i64,
    signed: Arc<Signed>,
}

/// What a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sold {
    /// It was served.
    Served,
    /// The hold pays for nothing more.
    Closed,
    /// Nobody knows: to be sent again.
    Again,
}

impl Shop {
    /// A merchant with an empty record.
    pub fn new(world: World, merchant: usize) -> Arc<Self> {
        let claim = Claim([u8::try_from(merchant).unwrap_or(0); 16]);
        let merchant = world.merchants[merchant].clone();
        Arc::new(Self { world, merchant, claim, book: Mutex::default() })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known, if a process may that was started as number `process`. On disk before it returns.
    fn change(
        &self,
        process: u64,
        id: &Digest,
        hold: Option<HoldEvent>,
        voucher: Option<(u64, VoucherEvent)>,
    ) -> Result<(), Illegal> {
        let mut book = self.book();
        if book.process != process {
            return Err(Illegal);
        }
        let entry = book.holds.get_mut(id).ok_or(Illegal)?;
        let takes_vouchers =
            matches!(entry.state, Hold::Offered | Hold::Sent | Hold::Unknown | Hold::SentAgain | Hold::Open);
        let is_busy =
            entry.vouchers.values().any(|voucher| matches!(voucher, Voucher::Sent | Voucher::Serving));
        if (voucher.is_some() && !takes_vouchers) || (hold == Some(HoldEvent::Due) && is_busy) {
            return Err(Illegal);
        }
        let state = hold.map_or(Ok(entry.state), |event| entry.state.next(event))?;
        if let Some((amount, event)) = voucher {
            let next = entry.vouchers.get(&amount).copied().unwrap_or(Voucher::Offered).next(event)?;
            entry.vouchers.insert(amount, next);
            entry.used_at = self.world.time.now();
        }
        entry.state = state;
        Ok(())
    }

    /// Serves a request that the payer pays with a voucher of `amount` base units; the first opens the hold.
    async fn sell(
        &self,
        signed: &Arc<Signed>,
        voucher: Value,
        amount: u64,
        take: u64,
        busy: Duration,
    ) -> Sold {
        let (id, opens) = (signed.id, amount == CEILING);
        let process = {
            let mut book = self.book();
            let now = self.world.time.now();
            book.holds.entry(id).or_insert_with(|| Entry {
                state: Hold::Offered,
                vouchers: BTreeMap::new(),
                taken: 0,
                used_at: now,
                signed: Arc::clone(signed),
            });
            book.process
        };
        let opening = |event| Some(event).filter(|_| opens);
        let asked = self.change(process, &id, opening(HoldEvent::Asked), Some((amount, VoucherEvent::Asked)));
        if asked.is_err() {
            let is_closed = self.book().holds.get(&id).is_some_and(|entry| {
                matches!(entry.state, Hold::Releasing | Hold::Released | Hold::Lapsed)
                    || entry.vouchers.get(&amount) == Some(&Voucher::Served)
            });
            return if is_closed { Sold::Closed } else { Sold::Again };
        }
        let mut body = if opens { signed.body.clone() } else { envelope(&signed.requirements, voucher) };
        body["claim"] = json!(self.claim);
        let said = match self.world.settle("/settle", &body, "a shop's voucher").await {
            Verdict::Yes(answer) => serde_json::from_value::<SettleResponse>(answer)
                .map_or(Said::Missing, |answer| Said::of(&answer)),
            Verdict::No(code, _) if verdict::is_repeated(&code) => Said::Anothers,
            Verdict::No(..) => Said::No,
            Verdict::Again | Verdict::NotFinal => Said::Missing,
        };
        let Some(event) = said.of_voucher() else {
            self.world.ledger.update(&id, |deal| {
                deal.is_held = true;
                deal.promised = deal.promised.max(amount);
            });
            if self.change(process, &id, Some(HoldEvent::Opened), Some((amount, VoucherEvent::Held))).is_err()
            {
                return Sold::Again;
            }
            sleep(busy).await;
            if self.change(process, &id, None, Some((amount, VoucherEvent::Served))).is_err() {
                return Sold::Again;
            }
            let taken = {
                let mut book = self.book();
                let entry = book.holds.get_mut(&id);
                entry.map_or(0, |entry| {
                    entry.taken += take;
                    entry.taken
                })
            };
            self.world.ledger.update(&id, |deal| deal.served = taken);
            self.world.ledger.count("requests served");
            return Sold::Served;
        };
        let of_hold = said.of_hold().and_then(opening);
        _ = self.change(process, &id, of_hold, Some((amount, event)));
        if said == Said::No { Sold::Closed } else { Sold::Again }
    }

    /// Closes what nobody uses, for ever.
    pub async fn tend(self: Arc<Self>, mut dice: impl Rng) {
        loop {
            sleep(ROUND).await;
            if dice.random_bool(0.01) {
                self.crash();
            }
            let now = self.world.time.now();
            let (process, idle) = {
                let book = self.book();
                let is_idle = |entry: &Entry| match entry.state {
                    Hold::Open => now - entry.used_at >= IDLE_SECONDS,
                    Hold::Releasing => true,
                    _ => false,
                };
                let idle = book.holds.iter().filter(|(_, entry)| is_idle(entry));
                (book.process, idle.map(|(id, _)| *id).collect::<Vec<_>>())
            };
            for id in idle {
                self.close(process, id, &mut dice).await;
            }
        }
    }

    /// Closes a hold to vouchers, on disk, then signs where it ends.
    async fn close(&self, process: u64, id: Digest, dice: &mut impl Rng) {
        let is_open = self.book().holds.get(&id).is_some_and(|entry| entry.state == Hold::Open);
        if is_open && self.change(process, &id, Some(HoldEvent::Due), None).is_err() {
            return;
        }
        let Some((signed, taken)) =
            self.book().holds.get(&id).map(|entry| (Arc::clone(&entry.signed), entry.taken))
        else {
            return;
        };
        let body = self.world.release(&signed, &self.merchant, taken, true);
        let event = match self.world.settle("/settle", &body, "a shop's close").await {
            Verdict::Yes(answer) => serde_json::from_value::<SettleResponse>(answer)
                .map_or(HoldEvent::Undecided, |answer| verdict::ending(&answer)),
            Verdict::No(..) => HoldEvent::Denied,
            Verdict::Again | Verdict::NotFinal => {
                // Whoever has the release may end the hold by it, whatever becomes of the call.
                let (world, after) =
                    (self.world.clone(), Duration::from_millis(dice.random_range(0..12_000)));
                tokio::spawn(async move {
                    sleep(after).await;
                    world.end_by_release(&id, taken);
                });
                HoldEvent::Undecided
            }
        };
        _ = self.change(process, &id, Some(event), None);
    }

    /// Stops and starts again: what was under way is as if it had not begun.
    fn crash(&self) {
        let mut book = self.book();
        book.process += 1;
        for entry in book.holds.values_mut() {
            entry.state = entry.state.next(HoldEvent::Crashed).unwrap_or(entry.state);
            for voucher in entry.vouchers.values_mut() {
                *voucher = voucher.next(VoucherEvent::Crashed).unwrap_or(*voucher);
            }
        }
        drop(book);
        self.world.ledger.count("crashes of shops");
    }
}

/// A payer that buys from a shop, request after request, with pauses in which the shop may close.
pub async fn shopping(world: World, shop: Arc<Shop>, wallet: usize, margin_seconds: i64, mut dice: impl Rng) {
    let capture_deadline = world.time.now() + margin_seconds + dice.random_range(250..400);
    let merchant = shop.merchant.clone();
    let terms = Terms { merchant: &merchant, amount: 40 * CEILING, price: Some(CEILING), capture_deadline };
    let signed = Arc::new(world.sign(&world.wallets[wallet], terms, "shopping"));
    let until = capture_deadline - margin_seconds - PAYER_MARGIN_SECONDS - 60;
    for request in 1..=dice.random_range(1..20) {
        let amount = request * CEILING;
        let voucher = json!(world.voucher(&world.wallets[wallet], signed.id, amount));
        let take = dice.random_range(1..=CEILING);
        loop {
            let busy = Duration::from_millis(dice.random_range(0..400));
            let is_late =
                if request == 1 { signed.is_late(world.time.now()) } else { world.time.now() >= until };
            if is_late {
                return;
            }
            match shop.sell(&signed, voucher.clone(), amount, take, busy).await {
                Sold::Served => break,
                Sold::Closed => return,
                Sold::Again => sleep(RETRY).await,
            }
        }
        let pause = if dice.random_bool(0.15) { 5_000..25_000 } else { 50..3_000 };
        sleep(Duration::from_millis(dice.random_range(pause))).await;
    }
}
