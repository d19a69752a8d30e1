//! What accepted payments may cost the operator: budgets of lamports for each payer, each receiver and all together, for
//! an hour and for a day. Several processes share them: each takes slices out of the store and spends them in memory.
//! Uses `priority_fee`, `transaction`.

mod cost;
mod ledger;

use x402_escrow_interface::Address;

pub use cost::{Cost, capture, charge, failed, hold, refund, revocation, transfer};
pub use ledger::{Lease, Ledger, Slice, UsedUp, Verdict};

/// What lamports go for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Fees of transactions, with their priority fees: gone.
    Fees,
    /// Rent of holds: locked until nothing is held.
    Rent,
}

/// Whose budget it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// A payer's.
    Payer(Address),
    /// A receiver's.
    Receiver(Address),
    /// Everybody's.
    Overall,
}

/// For how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Period {
    /// From one full hour of UTC to the next.
    Hour,
    /// From midnight to midnight of UTC.
    Day,
}

/// A budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Budget {
    /// What for.
    pub kind: Kind,
    /// Whose.
    pub owner: Owner,
    /// For how long.
    pub period: Period,
}

/// Lamports an hour and a day; 0 for any number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Lamports an hour.
    pub hour: u64,
    /// Lamports a day.
    pub day: u64,
}

/// The budgets of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Each payer's.
    pub payer: Limit,
    /// Each receiver's.
    pub receiver: Limit,
    /// Everybody's.
    pub overall: Limit,
}

/// All budgets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budgets {
    /// Of fees.
    pub fees: Limits,
    /// Of rent.
    pub rent: Limits,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Fees, Self::Rent];

    /// The name in the store and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fees => "fees",
            Self::Rent => "rent",
        }
    }
}

impl Owner {
    /// The name of the sort in the store and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Payer(_) => "payer",
            Self::Receiver(_) => "receiver",
            Self::Overall => "overall",
        }
    }

    /// Who it is; `None` for everybody.
    pub fn address(self) -> Option<Address> {
        match self {
            Self::Payer(address) | Self::Receiver(address) => Some(address),
            Self::Overall => None,
        }
    }
}

impl Period {
    /// Every period.
    pub const ALL: [Self; 2] = [Self::Hour, Self::Day];

    /// The name in the store and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// Its length.
    pub fn seconds(self) -> i64 {
        match self {
            Self::Hour => 3600,
            Self::Day => 86_400,
        }
    }

    /// When the one that `now` is in ends. Both in unix seconds.
    pub fn end(self, now: i64) -> i64 {
        now.saturating_sub(now.rem_euclid(self.seconds())).saturating_add(self.seconds())
    }
}

impl Budgets {
    /// What the budget has, in lamports; `None` for any number.
    pub fn limit(&self, budget: &Budget) -> Option<u64> {
        let limits = match budget.kind {
            Kind::Fees => self.fees,
            Kind::Rent => self.rent,
        };
        let limit = match budget.owner {
            Owner::Payer(_) => limits.payer,
            Owner::Receiver(_) => limits.receiver,
            Owner::Overall => limits.overall,
        };
        let lamports = match budget.period {
            Period::Hour => limit.hour,
            Period::Day => limit.day,
        };
        (lamports > 0).then_some(lamports)
    }

    /// The budgets that `cost` is taken out of for these owners, with what is taken out of each.
    pub fn charges(&self, owners: &[Owner], cost: Cost) -> Vec<(Budget, u64)> {
        let of_kind = |kind| match kind {
            Kind::Fees => cost.fees,
            Kind::Rent => cost.rent,
        };
        let budgets = Kind::ALL.into_iter().flat_map(|kind| {
            owners.iter().flat_map(move |owner| {
                Period::ALL.into_iter().map(move |period| Budget { kind, owner: *owner, period })
            })
        });
        let charged = budgets.map(|budget| (budget, of_kind(budget.kind)));
        charged.filter(|(budget, lamports)| *lamports > 0 && self.limit(budget).is_some()).collect()
    }
}
