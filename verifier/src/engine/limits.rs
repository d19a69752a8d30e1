//! How much one client, one payer, one receiver and all together may ask. What an escrow's owner may hold is in `domain`'s
//! `policy`.

mod caller;
mod limit;
mod places;
mod rate;
mod suggestions;

use std::{hash::Hash, net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use ipnet::IpNet;
use tokio::sync::Semaphore;
use x402_escrow_interface::{Address, message::Digest};

use crate::engine::metrics::Metrics;

pub use caller::Caller;
pub use limit::{Limit, TooMany};
pub use places::Held;

use places::{Full, Places};
use rate::Rate;
use suggestions::Suggestions;

/// When to try again where somebody else must first be done, in seconds.
const SOON: u64 = 1;

/// When a client may try again to follow a payment, in seconds.
const FOLLOW_AGAIN: u64 = 5;

/// How many may be at something at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtOnce {
    /// Of one client address.
    pub per_client: usize,
    /// Of all together.
    pub overall: usize,
}

/// How many new payments may be asked for in a minute; `None` for any number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PaymentRates {
    /// Of one session, and of one payer of the scheme `exact`.
    pub per_session: Option<NonZeroU32>,
    /// Of one escrow.
    pub per_payer: Option<NonZeroU32>,
    /// To one receiver.
    pub per_receiver: Option<NonZeroU32>,
    /// Of all together.
    pub overall: Option<NonZeroU32>,
}

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitSettings {
    /// Requests that are worked on at once.
    pub maximum_concurrent_requests: usize,
    /// Requests a minute of one client address; `None` for any number.
    pub requests_per_minute_per_client: Option<NonZeroU32>,
    /// The same of `/health`.
    pub health_per_minute_per_client: Option<NonZeroU32>,
    /// Requests a minute of one merchant for its payments; `None` for any number.
    pub requests_per_minute_per_merchant: Option<NonZeroU32>,
    /// Intents a minute that one client address has drafted for one session; `None` for any number.
    pub intents_per_minute_per_session: Option<NonZeroU32>,
    /// New payments.
    pub payments_per_minute: PaymentRates,
    /// Bodies that are being read.
    pub bodies: AtOnce,
    /// How long a body may take.
    pub body_timeout: Duration,
    /// Callers that wait until a payment is final enough.
    pub waiting: AtOnce,
    /// Those of them that wait for one payment.
    pub waiting_per_payment: usize,
    /// Clients that follow payments.
    pub followers: AtOnce,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// What was asked lately, and what is being done now.
#[derive(Debug)]
pub struct Limits {
    work: Arc<Semaphore>,
    requests: Rate<IpAddr>,
    health: Rate<IpAddr>,
    merchants: Rate<Address>,
    intents: Rate<(IpAddr, Address, Address)>,
    sessions: Rate<(Address, Address)>,
    exact_payers: Rate<Address>,
    escrows: Rate<Address>,
    receivers: Rate<Address>,
    payments: Rate<()>,
    bodies: Places<IpAddr>,
    body_timeout: Duration,
    waiting: Places<IpAddr>,
    waiting_for: Places<Digest>,
    followers: Places<IpAddr>,
    trusted_proxies: Vec<IpNet>,
    /// Which nonces were suggested lately.
    pub suggestions: Suggestions,
    metrics: Arc<Metrics>,
}

impl Limits {
    /// Nothing was asked yet. `metrics` counts what is refused.
    pub fn new(settings: &LimitSettings, metrics: Arc<Metrics>) -> Self {
        let of_clients = |at_once: AtOnce| Places::new(at_once.per_client, at_once.overall);
        let payments = settings.payments_per_minute;
        Self {
            work: Arc::new(Semaphore::new(settings.maximum_concurrent_requests)),
            requests: Rate::new(settings.requests_per_minute_per_client),
            health: Rate::new(settings.health_per_minute_per_client),
            merchants: Rate::new(settings.requests_per_minute_per_merchant),
            intents: Rate::new(settings.intents_per_minute_per_session),
            sessions: Rate::new(payments.per_session),
            exact_payers: Rate::new(payments.per_session),
            escrows: Rate::new(payments.per_payer),
            receivers: Rate::new(payments.per_receiver),
            payments: Rate::new(payments.overall),
            bodies: of_clients(settings.bodies),
            body_timeout: settings.body_timeout,
            waiting: of_clients(settings.waiting),
            waiting_for: Places::new(settings.waiting_per_payment, usize::MAX),
            followers: of_clients(settings.followers),
            trusted_proxies: settings.trusted_proxies.clone(),
            suggestions: Suggestions::default(),
            metrics,
        }
    }

    /// Counts a request of a client's address.
    ///
    /// # Errors
    /// If that is one too many.
    pub fn count_request(&self, client: IpAddr) -> Result<(), TooMany> {
        self.count(Limit::RequestsPerClient, &self.requests, &client)
    }

    /// Counts a question for the service's health.
    ///
    /// # Errors
    /// If that is one too many.
    pub fn count_health(&self, client: IpAddr) -> Result<(), TooMany> {
        self.count(Limit::HealthPerClient, &self.health, &client)
    }

    /// Counts a request of a merchant for its payments. Only after its signature was checked.
    ///
    /// # Errors
    /// If that is one too many.
    pub fn count_merchant(&self, key: Address) -> Result<(), TooMany> {
        self.count(Limit::RequestsPerMerchant, &self.merchants, &key)
    }

    /// Counts an intent that is to be drafted. A session has a share for each client: nobody else may use it up.
    ///
    /// # Errors
    /// If that is one too many.
    pub fn count_intent(&self, client: IpAddr, escrow: Address, session: Address) -> Result<(), TooMany> {
        self.count(Limit::IntentsPerSession, &self.intents, &(client, escrow, session))
    }

    /// Counts a new payment of a session. Only after its signature was checked: nobody else may use up its share.
    ///
    /// # Errors
    /// If that is one too many.
    pub fn count_payment(&self, escrow: Address, session_key: Address) -> Result<(), TooMany> {
        self.count(Limit::PaymentsPerSession, &self.sessions, &(escrow, session_key))
    }

    /// Counts a new payment of a payer of the scheme `exact`, which has no sessions. Only after its signature was checked.
    ///
    /// # Errors
    /// If that is one too many.
    pub fn count_exact_payment(&self, payer: Address) -> Result<(), TooMany> {
        self.count(Limit::PaymentsPerSession, &self.exact_payers, &payer)
    }

    /// Counts a new payment that would settle, of `escrow` if it is held first. Only after the chain was asked: until then
    /// a stranger's own key can name any escrow and receiver, and would use up their shares.
    ///
    /// # Errors
    /// If that is one too many.
    pub fn count_sound(&self, escrow: Option<Address>, receiver: Address) -> Result<(), TooMany> {
        if let Some(escrow) = escrow {
            self.count(Limit::PaymentsPerPayer, &self.escrows, &escrow)?;
        }
        self.count(Limit::PaymentsPerReceiver, &self.receivers, &receiver)?;
        self.count(Limit::Payments, &self.payments, &())
    }

    /// The refusal of one more operation on a payment, which is taken in so many seconds.
    pub fn too_many_operations(&self, retry_after_seconds: u64) -> TooMany {
        self.reached(Limit::OperationsPerPayment, retry_after_seconds)
    }

    /// Has a body read within its time and the client's share, by `read`.
    ///
    /// # Errors
    /// If too many are being read, or it takes too long.
    pub async fn body<T>(&self, client: IpAddr, read: impl Future<Output = T>) -> Result<T, TooMany> {
        let _place = self.at_once(&self.bodies, client, Limit::BodiesPerClient, Limit::Bodies, SOON)?;
        let read = tokio::time::timeout(self.body_timeout, read).await;
        read.map_err(|_| self.reached(Limit::BodyTime, SOON))
    }

    /// Gives a client's request a place among those that are worked on.
    ///
    /// # Errors
    /// If all are taken.
    pub fn admit(&self, client: IpAddr) -> Result<Caller, TooMany> {
        match Arc::clone(&self.work).try_acquire_owned() {
            Ok(place) => Ok(Caller::at(client, place)),
            Err(_) => Err(self.reached(Limit::Work, SOON)),
        }
    }

    /// Has `caller` wait for a payment, by `waiting`, without a place among those that are worked on.
    ///
    /// # Errors
    /// If too many wait: for the payment, of the client, or in all.
    pub async fn wait<T>(
        &self,
        caller: &Caller,
        payment_id: Digest,
        waiting: impl Future<Output = T>,
    ) -> Result<T, TooMany> {
        let client = caller.client();
        let _of_payment =
            self.waiting_for.take(payment_id).map_err(|_| self.reached(Limit::WaitingPerPayment, SOON))?;
        let _of_client =
            self.at_once(&self.waiting, client, Limit::WaitingPerClient, Limit::Waiting, SOON)?;
        Ok(caller.aside(&self.work, waiting).await)
    }

    /// A place for a client that follows a payment.
    ///
    /// # Errors
    /// If all are taken.
    pub fn follow(&self, client: IpAddr) -> Result<Held<IpAddr>, TooMany> {
        self.at_once(&self.followers, client, Limit::FollowersPerClient, Limit::Followers, FOLLOW_AGAIN)
    }

    /// Proxies whose `X-Forwarded-For` is believed.
    pub fn trusted_proxies(&self) -> &[IpNet] {
        &self.trusted_proxies
    }

    /// Forgets who has asked nothing for a while.
    pub fn forget(&self) {
        for rate in [&self.requests, &self.health] {
            rate.forget();
        }
        for rate in [&self.merchants, &self.exact_payers, &self.escrows, &self.receivers] {
            rate.forget();
        }
        self.intents.forget();
        self.sessions.forget();
        self.suggestions.forget();
    }

    fn count<K: Hash + Eq + Clone>(&self, limit: Limit, rate: &Rate<K>, key: &K) -> Result<(), TooMany> {
        rate.count(key).map_err(|retry_after_seconds| self.reached(limit, retry_after_seconds))
    }

    fn at_once(
        &self,
        places: &Places<IpAddr>,
        client: IpAddr,
        of_client: Limit,
        of_all: Limit,
        retry_after_seconds: u64,
    ) -> Result<Held<IpAddr>, TooMany> {
        places.take(client).map_err(|full| {
            let limit = match full {
                Full::Key => of_client,
                Full::Overall => of_all,
            };
            self.reached(limit, retry_after_seconds)
        })
    }

    fn reached(&self, limit: Limit, retry_after_seconds: u64) -> TooMany {
        self.metrics.count_limited(limit.key());
        TooMany { limit, retry_after_seconds }
    }
}
