//! The status page: what came in, how final it is, and what is stuck. [`read`] asks the store and the chain, the rest
//! is pure: data in, HTML out.

mod page;
mod read;
mod stuck;
mod sums;

use std::collections::BTreeMap;

use x402_escrow_domain::books::{DayTotal, Period, Place};
use x402_escrow_interface::Address;

use crate::{
    page::{Choice, Line, View},
    store::Undelivered,
};

use stuck::Stuck;
use sums::TokenSums;

pub use page::overview;
pub use read::{read, view};

/// How many payments a page lists.
const PAYMENTS_PER_PAGE: u32 = 25;

/// The most payments that sums are made of.
const PAYMENTS_IN_SUMS: u32 = 10_000;

/// The most that is listed of what is stuck, and of what came to nothing.
const LISTED: usize = 50;

/// How many days the chart has.
const CHART_DAYS: i64 = 30;

/// How many days back sums can go.
pub const DAYS: [u16; 3] = [1, 7, 30];

/// What whoever opens the page wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Whose payments; `None` for everybody's.
    pub receiver: Option<Address>,
    /// How far back sums go: one of [`DAYS`].
    pub days: u16,
    /// Which payments to list.
    pub choice: Choice,
    /// Those before this one.
    pub before: Place,
}

/// All that the page shows.
#[derive(Clone, Debug)]
pub struct Overview {
    question: Question,
    /// Unix seconds.
    now: i64,
    /// What is wrong with the verifier, or soon will be.
    warnings: Vec<String>,
    undelivered: Option<Undelivered>,
    /// What needs somebody, most urgent first.
    stuck: Vec<Stuck>,
    /// How many more there are.
    more_stuck: usize,
    /// What came to nothing in the last day.
    fruitless: Vec<Stuck>,
    /// By the token's mint.
    sums: BTreeMap<String, TokenSums>,
    /// Whether sums leave out payments because there were too many.
    sums_are_cut: bool,
    /// Who was paid in that time, and how often.
    receivers: Vec<(Address, usize)>,
    payments: Vec<Line>,
    /// Where older ones begin, if there are any.
    next: Option<Place>,
    /// What was captured day by day, and in which days.
    days: Vec<DayTotal>,
    period: Period,
    view: View,
}
