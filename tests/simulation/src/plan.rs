//! What a seed makes of a run.

use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use x402_escrow_domain::cluster::Consensus;

use crate::{
    audit::Budgets,
    cluster::{Access, Outage, Trouble, Weather},
    patience::{BUSY_SECONDS, SETTLE_TIMEOUT},
};

/// What a seed makes of a run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) weather: Weather,
    pub(crate) payments: u64,
    /// How many streams end at the same second.
    pub(crate) rush: u64,
    pub(crate) crashes: u64,
    /// How long before its deadline a stream takes its last voucher.
    pub(crate) margin_seconds: i64,
    pub(crate) review_seconds: u64,
    pub(crate) cheats: bool,
    pub(crate) refunds: u64,
    pub(crate) eager: u64,
    pub(crate) access: Access,
    /// Payers that buy from shops.
    pub(crate) shoppers: u64,
    pub(crate) rogues: u64,
    pub(crate) has_relayer: bool,
    pub(crate) transfers: u64,
    pub(crate) has_small_budgets: bool,
    /// Payments that are charged at once.
    pub(crate) charges: u64,
    /// How many lookup tables there may be: the cluster takes no transactions of version 1.
    pub(crate) lookup_tables: usize,
}

impl Plan {
    pub(crate) fn new(dice: &mut ChaCha8Rng) -> Self {
        let consensus = if dice.random_bool(0.5) { Consensus::TowerBft } else { Consensus::Alpenglow };
        let rough = dice.random_bool(0.7);
        let chance = |dice: &mut ChaCha8Rng, most: f64| {
            if rough { dice.random_range(0.0..most) } else { 0.0 }
        };
        let mut outages = Vec::new();
        if rough && dice.random_bool(0.3) {
            let from = dice.random_range(20..BUSY_SECONDS);
            let trouble = if dice.random_bool(0.5) { Trouble::Halt } else { Trouble::Silence };
            let until = Duration::from_secs(from + dice.random_range(5..40));
            outages.push(Outage { from: Duration::from_secs(from), until, trouble });
        }
        let weather = Weather {
            consensus,
            slot_milliseconds: if dice.random_bool(0.5) { 200 } else { 400 },
            skip: chance(dice, 0.2),
            fork: chance(dice, 0.1),
            lost: chance(dice, 0.3),
            late: chance(dice, 0.15),
            failure: chance(dice, 0.03),
            behind: chance(dice, 0.3),
            nodes: dice.random_range(1..=5),
            outages,
        };
        let rush = if dice.random_bool(0.15) { 240 } else { 0 };
        let access = access(dice, weather.nodes);
        Self {
            // Reviews come as seldom as may be for so many: what a lost call or transaction costs would be too much.
            weather: if rush > 0 {
                Weather { late: 0.0, failure: 0.0, behind: 0.0, ..weather }
            } else {
                weather
            },
            margin_seconds: if rush > 0 { 120 } else { 180 },
            payments: dice.random_range(100..180),
            rush,
            crashes: if dice.random_bool(0.6) { dice.random_range(1..8) } else { 0 },
            review_seconds: if rush > 0 { 60 } else { [10, 30][dice.random_range(0..2)] },
            cheats: dice.random_bool(0.6),
            refunds: if dice.random_bool(0.5) { dice.random_range(1..4) } else { 0 },
            eager: u64::from(dice.random_bool(0.3)),
            access,
            shoppers: if dice.random_bool(0.5) { dice.random_range(5..15) } else { 0 },
            rogues: if dice.random_bool(0.3) { dice.random_range(1..6) } else { 0 },
            has_relayer: dice.random_bool(0.4),
            transfers: if dice.random_bool(0.4) { dice.random_range(5..30) } else { 0 },
            has_small_budgets: dice.random_bool(0.2),
            charges: if dice.random_bool(0.5) { dice.random_range(5..30) } else { 0 },
            lookup_tables: [0, 1, 4, 4][dice.random_range(0..4)],
        }
    }

    pub(crate) fn keys(&self) -> String {
        let Budgets { fees, rent } = self.budgets();
        let limit = |lamports: u64| format!("{{ hour = {lamports}, day = {lamports} }}");
        // Under Alpenglow what is configured is what the nodes' answer selects.
        let finality = match self.weather.consensus {
            Consensus::Alpenglow => "",
            Consensus::TowerBft | Consensus::Unknown => "finality = [{ commitment = \"confirmed\" }]\n",
        };
        format!(
            "settle_timeout_seconds = {}\nvoucher_margin_seconds = {}\nreview_seconds = {}\n\
             status_poll_milliseconds = 1000\nrequests_per_minute_per_client = 0\n\
             payments_per_minute_per_session = 0\n{finality}\
             fee_budget = {}\nrent_budget = {}\nlookup_tables = {}\n",
            SETTLE_TIMEOUT.as_secs(),
            self.margin_seconds,
            self.review_seconds,
            limit(fees),
            limit(rent),
            self.lookup_tables,
        )
    }

    /// What payments may cost the verifier, all together.
    pub(crate) fn budgets(&self) -> Budgets {
        // A hold is charged with about 50,000 lamports of fees, and locks about 3,000,000.
        if self.has_small_budgets {
            Budgets { fees: 5_000_000, rent: 100_000_000 }
        } else {
            Budgets { fees: 2_000_000_000, rent: 50_000_000_000 }
        }
    }
}

/// How the verifier reaches so many nodes. Those that lie are always fewer than half.
fn access(dice: &mut ChaCha8Rng, nodes: usize) -> Access {
    let is_each = nodes >= 3 && dice.random_bool(0.6);
    if is_each { Access::Each { liars: dice.random_range(0..=(nodes - 1) / 2) } } else { Access::Balanced }
}
