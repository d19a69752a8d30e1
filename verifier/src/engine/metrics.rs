//! Numbers about the service for Prometheus. What this process has seen is counted here; what is stored or on chain
//! is read when it is asked for, so that it can't drift. Names and units: `docs/operations.md`.

mod measured;
mod runway;

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets, linear_buckets},
    },
    registry::Registry,
};
use x402_escrow_domain::budget::Budget;

pub use measured::Measured;
pub use runway::Runway;

/// What this process has seen.
#[derive(Debug)]
pub struct Metrics {
    /// All but what is read when it is asked for.
    pub registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram>,
    refusals: Family<RefusalLabels, Counter>,
    limited: Family<LimitLabels, Counter>,
    rpc_requests: Family<RpcLabels, Counter>,
    rpc_seconds: Family<MethodLabels, Histogram>,
    captured: Family<CapturedLabels, Counter>,
    budget_refusals: Family<BudgetLabels, Counter>,
    deny_list_checks: Family<OutcomeLabels, Counter>,
    transaction_operations: Histogram,
    tracking_seconds: Histogram,
    /// Operations that wait for others, to be sent with them.
    pub gathering: Gauge,
    /// What the fee payer spends.
    pub runway: Mutex<Runway>,
    /// One scrape at a time: each reads all operations under way.
    pub scraping: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    route: String,
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    limit: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RpcLabels {
    method: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabels {
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BudgetLabels {
    kind: &'static str,
    owner: &'static str,
    period: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CapturedLabels {
    scheme: &'static str,
    asset: String,
}

/// 5 ms to 41 s: from an answer out of memory to one that waits for a final block.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.005, 2.0, 14))
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("x402");
        let metrics = Self {
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(seconds),
            refusals: Family::default(),
            limited: Family::default(),
            rpc_requests: Family::default(),
            rpc_seconds: Family::new_with_constructor(seconds),
            captured: Family::default(),
            budget_refusals: Family::default(),
            deny_list_checks: Family::default(),
            transaction_operations: Histogram::new(linear_buckets(1.0, 1.0, 8)),
            tracking_seconds: seconds(),
            gathering: Gauge::default(),
            runway: Mutex::default(),
            scraping: tokio::sync::Mutex::default(),
            registry: Registry::default(),
        };
        registry.register("requests", "Requests answered", metrics.requests.clone());
        registry.register("request_seconds", "Time to answer", metrics.request_seconds.clone());
        registry.register("refusals", "Answers of no and errors", metrics.refusals.clone());
        registry.register("limited", "Limits that were reached", metrics.limited.clone());
        registry.register("rpc_requests", "Requests to Solana nodes", metrics.rpc_requests.clone());
        registry.register("rpc_seconds", "Time until Solana nodes answered", metrics.rpc_seconds.clone());
        registry.register(
            "captured_base_units",
            "Captured or transferred for good since the process started, fees included",
            metrics.captured.clone(),
        );
        registry.register(
            "budget_refusals",
            "Payments and refunds refused because a budget was used up",
            metrics.budget_refusals.clone(),
        );
        registry.register(
            "deny_list_checks",
            "Payments that the deny list was asked about",
            metrics.deny_list_checks.clone(),
        );
        registry.register(
            "transaction_operations",
            "Operations that a transaction carries, of those handed to a node",
            metrics.transaction_operations.clone(),
        );
        registry.register(
            "tracking_seconds",
            "Time of a look at the operations under way",
            metrics.tracking_seconds.clone(),
        );
        registry.register(
            "gathering_operations",
            "Operations that wait for others, to be sent with them",
            metrics.gathering.clone(),
        );
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// Counts what a capture or a transfer that is now final added to what was captured before, in base units.
    pub fn count_captured(&self, scheme: &'static str, asset: String, amount: u64) {
        self.captured.get_or_create(&CapturedLabels { scheme, asset }).inc_by(amount);
    }

    /// Counts a payment that the deny list was asked about.
    pub fn count_deny_list(&self, outcome: &'static str) {
        self.deny_list_checks.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Counts what was refused because `budget` was used up.
    pub fn count_used_up(&self, budget: &Budget) {
        let Budget { kind, owner, period } = budget;
        let labels = BudgetLabels { kind: kind.as_str(), owner: owner.as_str(), period: period.as_str() };
        self.budget_refusals.get_or_create(&labels).inc();
    }

    /// Counts a transaction that was handed to a node.
    pub fn count_transaction(&self, operations: usize) {
        self.transaction_operations.observe(operations as f64);
    }

    /// Counts a look at the operations under way.
    pub fn count_look(&self, time: Duration) {
        self.tracking_seconds.observe(time.as_secs_f64());
    }

    /// Counts a request that was answered, with the code of a "no" or of an error.
    pub fn count_request(&self, route: String, status: u16, time: Duration, code: Option<String>) {
        self.requests.get_or_create(&RequestLabels { route: route.clone(), status }).inc();
        let labels = RouteLabels { route: route.clone() };
        self.request_seconds.get_or_create(&labels).observe(time.as_secs_f64());
        if let Some(code) = code {
            self.refusals.get_or_create(&RefusalLabels { route, code }).inc();
        }
    }

    /// Counts that a limit was reached, by its key in the configuration.
    pub fn count_limited(&self, limit: &'static str) {
        self.limited.get_or_create(&LimitLabels { limit }).inc();
    }

    fn count_rpc(&self, method: &'static str, since: Instant, succeeded: bool) {
        let outcome = if succeeded { "ok" } else { "error" };
        self.rpc_requests.get_or_create(&RpcLabels { method, outcome }).inc();
        self.rpc_seconds.get_or_create(&MethodLabels { method }).observe(since.elapsed().as_secs_f64());
    }
}
