//! What payments come to, by token and day of UTC: the day on which a payment was accepted.

use std::collections::BTreeMap;

use serde::Serialize;
use x402_escrow_interface::Address;
use x402_escrow_wire::text::Key;

/// Seconds of a day.
pub const DAY_SECONDS: i64 = 86_400;

/// The day of a unix second, counted from 1970-01-01.
pub fn day_of(seconds: i64) -> i64 {
    seconds.div_euclid(DAY_SECONDS)
}

/// What some payments come to. A difference may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// How many of which something was captured.
    pub payments: i64,
    /// Captured, the fees included, in base units.
    pub captured: i128,
    /// The fee recipients' part of that.
    pub fee: i128,
    /// Returned by the receiver.
    pub refunded: i128,
}

impl Total {
    /// With `other` as well.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            payments: self.payments.saturating_add(other.payments),
            captured: self.captured.saturating_add(other.captured),
            fee: self.fee.saturating_add(other.fee),
            refunded: self.refunded.saturating_add(other.refunded),
        }
    }

    /// What is to be added to `before` for this.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            payments: self.payments.saturating_sub(before.payments),
            captured: self.captured.saturating_sub(before.captured),
            fee: self.fee.saturating_sub(before.fee),
            refunded: self.refunded.saturating_sub(before.refunded),
        }
    }
}

/// What a token's payments of one day come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayTotal {
    /// The day, counted from 1970-01-01.
    pub day: i64,
    /// The token.
    pub mint: Address,
    /// What they come to.
    pub total: Total,
}

/// What payments come to in a time, by token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals(BTreeMap<Address, Total>);

impl Totals {
    /// Sums up days.
    pub fn of(days: &[DayTotal]) -> Self {
        let mut totals: BTreeMap<Address, Total> = BTreeMap::new();
        for day in days {
            let total = totals.entry(day.mint).or_default();
            *total = total.plus(day.total);
        }
        Self(totals)
    }

    /// Each token's.
    pub fn iter(&self) -> impl Iterator<Item = (&Address, &Total)> {
        self.0.iter()
    }
}

/// Totals, as they are answered.
#[derive(Clone, Debug, Serialize)]
pub struct TotalsReport {
    totals: Vec<TotalReport>,
    days: Vec<TotalReport>,
}

#[derive(Clone, Debug, Serialize)]
struct TotalReport {
    /// When the day begins, unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<i64>,
    asset: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
    payments: i64,
    captured: String,
    fee: String,
    refunded: String,
}

impl TotalsReport {
    /// Reports days and what they come to. `symbol` tells a token's, where that is known.
    pub fn of<'a>(days: &[DayTotal], symbol: impl Fn(&Address) -> Option<&'a str>) -> Self {
        let report = |day: Option<i64>, mint: &Address, total: &Total| TotalReport {
            day: day.map(|day| day.saturating_mul(DAY_SECONDS)),
            asset: (*mint).into(),
            symbol: symbol(mint).map(str::to_owned),
            payments: total.payments,
            captured: total.captured.to_string(),
            fee: total.fee.to_string(),
            refunded: total.refunded.to_string(),
        };
        Self {
            totals: Totals::of(days).iter().map(|(mint, total)| report(None, mint, total)).collect(),
            days: days.iter().map(|day| report(Some(day.day), &day.mint, &day.total)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_of_utc_and_sums_by_token() {
        assert_eq!([-1, 0, 86_399, 86_400].map(day_of), [-1, 0, 0, 1]);
        let [one, other] = [1, 2].map(|byte| Address::new_from_array([byte; 32]));
        let total = |captured| Total { payments: 1, captured, fee: 1, refunded: 0 };
        let day = |day, mint, captured| DayTotal { day, mint, total: total(captured) };
        let totals = Totals::of(&[day(1, one, 5), day(1, other, 7), day(2, one, u64::MAX.into())]);
        let sums: Vec<_> = totals.iter().map(|(mint, total)| (*mint, total.captured)).collect();
        assert_eq!(sums, [(one, i128::from(u64::MAX) + 5), (other, 7)]);
        assert_eq!(total(5).plus(total(7)).since(total(7)), total(5));
    }
}
