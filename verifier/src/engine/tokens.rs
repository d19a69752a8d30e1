//! What pages need to know of tokens.

use std::collections::{BTreeMap, BTreeSet};

use x402_escrow_domain::facts;
use x402_escrow_interface::Address;
use x402_escrow_wire::auth_capture::Commitment;

use crate::engine::app::App;

/// The most accounts that a node answers at once.
const MAXIMUM_MINTS: usize = 100;

/// What is known of some tokens, by their mints.
#[derive(Clone, Debug, Default)]
pub struct Described {
    /// As far as the chain tells them.
    pub decimals: BTreeMap<String, u8>,
    /// What people call them, where the operator or everybody does.
    pub symbols: BTreeMap<String, String>,
}

/// Describes the tokens with these mints.
pub async fn describe(app: &App, mints: impl IntoIterator<Item = String>) -> Described {
    let mints: BTreeSet<String> = mints.into_iter().collect();
    let addresses: Vec<Address> =
        mints.iter().filter_map(|mint| mint.parse().ok()).take(MAXIMUM_MINTS).collect();
    let symbol = |mint: &Address| app.rules.tokens.symbol(&app.rules.network, mint);
    let symbols = addresses.iter().filter_map(|mint| Some((mint.to_string(), symbol(mint)?.to_owned())));
    Described { decimals: decimals(app, &addresses).await, symbols: symbols.collect() }
}

async fn decimals(app: &App, mints: &[Address]) -> BTreeMap<String, u8> {
    if mints.is_empty() {
        return BTreeMap::new();
    }
    let Ok(snapshot) = app.chain.accounts(mints, Commitment::Processed).await else {
        return BTreeMap::new();
    };
    let told = mints.iter().zip(snapshot.accounts);
    told.filter_map(|(mint, account)| Some((mint.to_string(), facts::decimals(&account?)?))).collect()
}
