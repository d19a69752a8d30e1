//! Checks the budgets of fees and rent.

use x402_escrow_domain::budget::{self, Limit, Limits};

use super::ranges::check_range;
use crate::config::{
    ConfigError,
    keys::{Keys, LimitKey},
};

/// A budget that one payment exceeds would refuse them all.
pub(super) fn check_budgets(keys: &Keys, error: &mut ConfigError) {
    /// Above the rent of a hold on any cluster.
    const LEAST_RENT: u64 = 10_000_000;
    let hold = budget::hold(keys.maximum_compute_unit_price_micro_lamports, 0).fees;
    let least_fees = hold.max(budget::transfer(keys.exact_priority_fee_lamports).fees);
    for (key, LimitKey { hour, day }, least) in [
        ("fee_budget_per_payer", keys.fee_budget_per_payer, least_fees),
        ("fee_budget_per_receiver", keys.fee_budget_per_receiver, least_fees),
        ("fee_budget", keys.fee_budget, least_fees),
        ("rent_budget_per_payer", keys.rent_budget_per_payer, LEAST_RENT),
        ("rent_budget_per_receiver", keys.rent_budget_per_receiver, LEAST_RENT),
        ("rent_budget", keys.rent_budget, LEAST_RENT),
    ] {
        for lamports in [hour, day] {
            if lamports > 0 {
                check_range(key, lamports, &(least..=1_000_000_000_000_000_000), error);
            }
        }
    }
}

pub(super) fn limits(payer: LimitKey, receiver: LimitKey, overall: LimitKey) -> Limits {
    let [payer, receiver, overall] =
        [payer, receiver, overall].map(|LimitKey { hour, day }| Limit { hour, day });
    Limits { payer, receiver, overall }
}
