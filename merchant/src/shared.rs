//! Holds what all requests of one merchant share. Uses the clock; the record and the exchange do
//! their own I/O.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tracing::{error, info, warn};
use x402_escrow_wire::auth_capture::origin;

use crate::{
    config::MerchantConfig,
    facilitator::{Facilitator, Support},
    kept::{KeptAnswers, UnderWay},
    record::Record,
};

/// How often the facilitator is asked what it supports, and whether the receiver can be paid: both can change.
pub(crate) const SUPPORT_INTERVAL: Duration = Duration::from_secs(60);

/// How many hosts that are not the public URL's are warned of: anybody can ask for any.
const MOST_HOSTS: usize = 3;

/// Tells the present, in unix seconds.
pub(crate) type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What all requests of one merchant share.
pub(crate) struct Shared {
    pub(crate) config: MerchantConfig,
    /// The public URL, normalised.
    pub(crate) base: String,
    support: Mutex<Arc<Support>>,
    pub(crate) facilitator: Facilitator,
    pub(crate) record: Arc<Record>,
    /// What was answered to purchases that have an id.
    pub(crate) answered: Mutex<KeptAnswers>,
    /// Purchases that have an id and are being served.
    pub(crate) under_way: Mutex<UnderWay>,
    /// Hosts that clients asked for and that are not the public URL's.
    other_hosts: Mutex<BTreeSet<String>>,
    clock: Clock,
}

impl Shared {
    pub(crate) fn new(
        config: MerchantConfig,
        base: String,
        support: Support,
        facilitator: Facilitator,
        record: Record,
        clock: Clock,
    ) -> Self {
        Self {
            config,
            base,
            support: Mutex::new(Arc::new(support)),
            facilitator,
            record: Arc::new(record),
            answered: Mutex::default(),
            under_way: Mutex::default(),
            other_hosts: Mutex::default(),
            clock,
        }
    }

    pub(crate) fn now(&self) -> i64 {
        (self.clock)()
    }

    /// The token's decimals, as far as they are known.
    pub(crate) fn decimals(&self) -> Option<u8> {
        self.config.decimals.or_else(|| self.support().decimals(&self.config.asset))
    }

    /// Warns if clients ask for another host than the public URL's: they can't pay there.
    pub(crate) fn compare_host(&self, host: Option<&str>) {
        let Some(host) = host.map(str::to_ascii_lowercase) else { return };
        let public = origin(&self.base).split_once("://").map_or("", |(_, host)| host);
        if host == public {
            return;
        }
        let mut others = lock(&self.other_hosts);
        if others.len() < MOST_HOSTS && others.insert(host.clone()) {
            warn!(
                host,
                public_url = self.base,
                "a request came for {host}, and public_url is {}: clients that ask for {host} are told terms for another \
                 URL and can't pay. If they should, set public_url to what they ask for (--public-url of the example); \
                 behind a proxy that changes the host, ignore this",
                self.base
            );
        }
    }

    /// What the facilitator supports, as far as is known.
    pub(crate) fn support(&self) -> Arc<Support> {
        Arc::clone(&lock(&self.support))
    }

    /// Asks the facilitator what it supports. Another program or network than before is not taken:
    /// clients would hold their money elsewhere.
    pub(crate) async fn ask_support(&self) {
        let before = self.support();
        match self.facilitator.support().await {
            Ok(support) if support == *before => {}
            Ok(support) if support.program == before.program && support.network == before.network => {
                info!(fee_payer = %support.fee_payer, "the facilitator has another fee payer or other tokens");
                *lock(&self.support) = Arc::new(support);
            }
            Ok(support) => error!(
                program = %support.program,
                network = support.network,
                "the facilitator settles with another program or network than at the start; sales go on with the old one"
            ),
            Err(error) => warn!(%error, "the facilitator does not say what it supports"),
        }
    }
}

/// Asks the facilitator what it supports from time to time, for as long as the merchant lives.
pub(crate) async fn follow_support(merchant: Weak<Shared>) {
    loop {
        tokio::time::sleep(SUPPORT_INTERVAL).await;
        let Some(merchant) = merchant.upgrade() else { return };
        merchant.ask_support().await;
    }
}

/// What is locked stays whole whatever panics meanwhile.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
