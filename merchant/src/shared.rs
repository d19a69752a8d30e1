//! Holds what all requests of one merchant share. Uses memory and the clock; the file and the HTTP
//! client that it holds do their own I/O.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use x402_escrow_wire::{payment::PaymentRequirements, text::Hex32};

use crate::{
    config::MerchantConfig,
    facilitator::{Facilitator, Support},
    kept::{KeptAnswers, UnderWay},
    sold::Sold,
    unsettled::Unsettled,
};

/// What all requests of one merchant share.
pub(crate) struct Shared {
    pub(crate) config: MerchantConfig,
    pub(crate) support: Support,
    pub(crate) facilitator: Facilitator,
    pub(crate) unsettled: Unsettled,
    /// What was answered to purchases that have an id.
    pub(crate) answered: Mutex<KeptAnswers>,
    /// Purchases that have an id and are being served.
    pub(crate) under_way: Mutex<UnderWay>,
    /// Payments that a request is working on.
    claimed: Mutex<HashSet<Hex32>>,
    /// Payments and vouchers that bought something, or were told to come again.
    pub(crate) sold: Mutex<Sold>,
    /// Streamed holds that are not closed.
    pub(crate) streams: Mutex<HashMap<Hex32, Stream>>,
}

impl Shared {
    pub(crate) fn new(
        config: MerchantConfig,
        support: Support,
        facilitator: Facilitator,
        unsettled: Unsettled,
    ) -> Self {
        Self {
            config,
            support,
            facilitator,
            unsettled,
            answered: Mutex::default(),
            under_way: Mutex::default(),
            claimed: Mutex::default(),
            sold: Mutex::default(),
            streams: Mutex::default(),
        }
    }

    /// Until when a payment that is seen now is remembered, unix seconds: its hold is over by then. What
    /// is over already is forgotten.
    pub(crate) fn remember_until(&self, sold: &mut Sold) -> i64 {
        const MARGIN_SECONDS: i64 = 3600;
        let now = unix_seconds();
        sold.forget_before(now);
        now.saturating_add(self.config.capture_window_seconds).saturating_add(MARGIN_SECONDS)
    }

    /// Claims a payment, unless another request works on it.
    pub(crate) fn claim(self: &Arc<Self>, payment_id: Hex32) -> Option<Claim> {
        lock(&self.claimed).insert(payment_id).then(|| Claim { shared: Arc::clone(self), payment_id })
    }
}

/// A hold that pays for requests.
pub(crate) struct Stream {
    pub(crate) requirements: PaymentRequirements,
    /// The last voucher's, in base units.
    pub(crate) amount: u64,
    pub(crate) last_used: Instant,
}

/// A payment that a request is working on, until dropped.
pub(crate) struct Claim {
    shared: Arc<Shared>,
    payment_id: Hex32,
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.shared.claimed).remove(&self.payment_id);
    }
}

/// The sets stay whole whatever panics while one is locked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn unix_seconds() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}
