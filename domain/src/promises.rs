//! What was promised of an escrow, and the chain may not show yet. Uses `facts`.

use std::collections::BTreeSet;

use x402_escrow_interface::{Address, message::Intent};

use crate::facts::{Facts, View};

/// An accepted payment that some view of the chain may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// What is promised.
    pub intent: Intent,
    /// The slot of the authorization's block; `None` if it is in none.
    pub slot: Option<u64>,
}

/// The promises of an escrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promises {
    /// Those that some view may lack.
    pub promises: Vec<Promise>,
    /// How many payments of the escrow are not over.
    pub open_holds: u64,
}

impl Promises {
    /// What is promised beyond what each view shows, in base units, in the order of [`Facts::views`].
    pub fn reserved(&self, facts: &Facts) -> Vec<u64> {
        let lacks = |view: &View, promise: &&Promise| promise.slot.is_none_or(|slot| slot > view.slot);
        let reserved = |view| {
            let lacking = self.promises.iter().filter(|promise| lacks(view, promise));
            // A sum that can't be counted promises everything.
            lacking.map(|promise| promise.intent.amount).fold(0, u64::saturating_add)
        };
        facts.views().map(reserved).collect()
    }

    /// The nonces of `session_key` in the session with this incarnation.
    pub fn nonces(&self, session_key: &Address, incarnation: &[u8; 32]) -> BTreeSet<u64> {
        let intents = self.promises.iter().map(|promise| &promise.intent);
        let of_session =
            |intent: &&Intent| intent.session_key == *session_key && intent.incarnation == *incarnation;
        intents.filter(of_session).map(|intent| intent.nonce).collect()
    }
}
