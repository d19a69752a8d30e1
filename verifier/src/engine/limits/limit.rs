//! Every limit by its name, and what is said to who reaches it.

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Requests that are worked on at once.
    Work,
    /// Requests of an address.
    RequestsPerClient,
    /// Of `/health`.
    HealthPerClient,
    /// What a merchant asks about its payments.
    RequestsPerMerchant,
    /// Drafts of an address for one session.
    IntentsPerSession,
    /// New payments of a session.
    PaymentsPerSession,
    /// New payments of an escrow.
    PaymentsPerPayer,
    /// New payments to a receiver.
    PaymentsPerReceiver,
    /// New payments of all.
    Payments,
    /// Operations on one payment.
    OperationsPerPayment,
    /// Bodies of an address that are being read.
    BodiesPerClient,
    /// Bodies that are being read.
    Bodies,
    /// How long a body takes.
    BodyTime,
    /// Callers that wait for one payment.
    WaitingPerPayment,
    /// Callers of an address that wait.
    WaitingPerClient,
    /// Callers that wait.
    Waiting,
    /// Followers of an address.
    FollowersPerClient,
    /// Followers.
    Followers,
}

impl Limit {
    /// Its key in the configuration, which is its name in the metrics.
    pub fn key(self) -> &'static str {
        match self {
            Self::Work => "maximum_concurrent_requests",
            Self::RequestsPerClient => "requests_per_minute_per_client",
            Self::HealthPerClient => "health_per_minute_per_client",
            Self::RequestsPerMerchant => "requests_per_minute_per_merchant",
            Self::IntentsPerSession => "intents_per_minute_per_session",
            Self::PaymentsPerSession => "payments_per_minute_per_session",
            Self::PaymentsPerPayer => "payments_per_minute_per_payer",
            Self::PaymentsPerReceiver => "payments_per_minute_per_receiver",
            Self::Payments => "payments_per_minute",
            Self::OperationsPerPayment => "maximum_operations_per_payment",
            Self::BodiesPerClient => "maximum_bodies_per_client",
            Self::Bodies => "maximum_bodies",
            Self::BodyTime => "body_timeout_seconds",
            Self::WaitingPerPayment => "maximum_waiting_per_payment",
            Self::WaitingPerClient => "maximum_waiting_per_client",
            Self::Waiting => "maximum_waiting",
            Self::FollowersPerClient => "maximum_followers_per_client",
            Self::Followers => "maximum_followers",
        }
    }

    /// What is wrong, for people.
    pub fn message(self) -> &'static str {
        match self {
            Self::Work => "too many requests at once",
            Self::RequestsPerClient | Self::HealthPerClient => "this address sends too many requests",
            Self::RequestsPerMerchant => "this merchant sends too many requests for its payments",
            Self::IntentsPerSession => "this address asks for too many intents of this session",
            Self::PaymentsPerSession | Self::PaymentsPerPayer => "this payer pays too often",
            Self::PaymentsPerReceiver => "this receiver is paid too often",
            Self::Payments => "too many payments at once",
            Self::OperationsPerPayment => {
                "this payment has reached its limit of captures, releases or refunds, and takes one more per hour; \
                 amounts are cumulative, so ask for the highest"
            }
            Self::BodiesPerClient => "this address sends too many bodies at once",
            Self::Bodies => "too many bodies are sent at once",
            Self::BodyTime => "the body did not come in time; send it at once",
            Self::WaitingPerPayment => "too many callers wait for this payment",
            Self::WaitingPerClient => "too many callers of this address wait",
            Self::Waiting => "too many callers wait",
            Self::FollowersPerClient => {
                "this address follows too many payments already; ask for the payment without /events"
            }
            Self::Followers => "too many clients follow payments; ask for the payment without /events",
        }
    }

    /// Whether it is all callers together that reached it, and not the one that is refused.
    pub fn is_of_all(self) -> bool {
        matches!(self, Self::Work | Self::Payments | Self::Bodies | Self::Waiting | Self::Followers)
    }
}

/// A limit that was reached, and in how many seconds it may be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// Which.
    pub limit: Limit,
    /// At least one.
    pub retry_after_seconds: u64,
}
