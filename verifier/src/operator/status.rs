//! The status page: what came in, how final it is, and what is stuck. [`read`] asks the store and the chain, the rest
//! is pure: data in, HTML out.

mod page;
mod payment;
mod read;
mod stuck;
mod style;
mod sums;
mod text;

use std::collections::BTreeMap;

use x402_escrow_domain::payment::History;
use x402_escrow_interface::Address;

use crate::store::{Place, Undelivered};

use stuck::Stuck;
use sums::TokenSums;

pub use page::{overview, refusal};
pub use payment::payment;
pub use read::{decimals, read};
pub use style::content_security_policy;

/// How many payments a page lists.
const PAYMENTS_PER_PAGE: u32 = 25;

/// The most payments that sums are made of.
const PAYMENTS_IN_SUMS: u32 = 10_000;

/// The most that is listed of what is stuck, and of what came to nothing.
const LISTED: usize = 50;

/// How many days back sums can go.
pub const DAYS: [u16; 3] = [1, 7, 30];

/// What whoever opens the page wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Whose payments; `None` for everybody's.
    pub receiver: Option<Address>,
    /// How far back sums go: one of [`DAYS`].
    pub days: u16,
    /// Which payments to list: those before this one.
    pub before: Place,
}

/// All that the page shows.
#[derive(Clone, Debug)]
pub struct Overview {
    question: Question,
    /// Unix seconds.
    now: i64,
    network: String,
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
    payments: Vec<History>,
    /// Whether there are older ones.
    has_more: bool,
    decimals: Decimals,
}

/// Decimals of tokens, by their mints. One that is absent could not be read.
pub type Decimals = BTreeMap<String, u8>;
