//! What the verifier's fee payer spent and locked, against what payments may cost it.

use std::collections::BTreeSet;

use solana_sdk::signer::Signer;
use x402_escrow_domain::lookup_tables::PROGRAM_ID;
use x402_escrow_interface::Address;
use x402_escrow_verifier::engine::app::App;

use crate::{cluster::Landed, people::World, setup::keypair};

/// The most that a run's lookup tables may cost in fees: an extension is made once it pays off, and a run has fewer
/// than a hundred addresses that come back.
const MOST_FEES_OF_TABLES: u64 = 500_000;

/// What payments may cost the verifier, all together, in lamports.
#[derive(Clone, Copy, Debug)]
pub struct Budgets {
    /// In fees.
    pub fees: u64,
    /// In rent that is locked at one time.
    pub rent: u64,
}

/// A run is shorter than an hour, and starts on one.
pub(super) fn check(history: &[Landed], budgets: Budgets) -> Vec<String> {
    let fee_payer = keypair("fee payer").pubkey();
    let pays =
        |landed: &&Landed| landed.transaction.message.static_account_keys().first() == Some(&fee_payer);
    let (tables, payments): (Vec<_>, Vec<_>) =
        history.iter().filter(pays).partition(|landed| names_tables(landed));
    let fees = |of: &[&Landed]| of.iter().map(|landed| landed.fee).sum::<u64>();
    let (fees, of_tables) = (fees(&payments), fees(&tables));
    let (mut locked, mut most) = (0_u64, 0);
    for rent in
        history.iter().flat_map(|landed| &landed.holds).filter(|rent| rent.hold.rent_payer == fee_payer)
    {
        locked = if rent.is_new { locked + rent.lamports } else { locked.saturating_sub(rent.lamports) };
        most = locked.max(most);
    }
    let mut wrong = Vec::new();
    if fees > budgets.fees {
        wrong.push(format!("{fees} lamports went for fees, and only {} may", budgets.fees));
    }
    if of_tables > MOST_FEES_OF_TABLES {
        wrong
            .push(format!("{of_tables} lamports went for lookup tables, and only {MOST_FEES_OF_TABLES} may"));
    }
    if most > budgets.rent {
        wrong.push(format!("{most} lamports of rent were locked, and only {} may be", budgets.rent));
    }
    if locked > 0 {
        wrong.push(format!("{locked} lamports of the verifier's rent are still locked"));
    }
    wrong
}

fn names_tables(landed: &Landed) -> bool {
    landed.transaction.message.static_account_keys().contains(&PROGRAM_ID)
}

fn closes_table(landed: &Landed) -> bool {
    const CLOSE: [u8; 4] = [4, 0, 0, 0];
    let message = &landed.transaction.message;
    let keys = message.static_account_keys();
    message.instructions().iter().any(|instruction| {
        keys.get(usize::from(instruction.program_id_index)) == Some(&PROGRAM_ID) && instruction.data == CLOSE
    })
}

/// Every lookup table that is on chain is known: otherwise nobody would close it, and its rent would be lost.
/// Counts those that there are, those that were closed, and the transactions that used one.
pub(super) async fn check_tables(world: &World, app: &App, history: &[Landed]) -> Vec<String> {
    let uses_tables = |landed: &&Landed| {
        landed.transaction.message.address_table_lookups().is_some_and(|tables| !tables.is_empty())
    };
    history.iter().filter(uses_tables).for_each(|_| world.ledger.count("transactions with lookup tables"));
    let closed = history.iter().filter(|landed| landed.error.is_none() && closes_table(landed));
    closed.for_each(|_| world.ledger.count("lookup tables closed"));
    let known: BTreeSet<_> = match app.store.lookup_tables().await {
        Ok(tables) => tables.iter().map(|table| table.address).collect(),
        Err(error) => return vec![format!("the store can't be read: {error}")],
    };
    let named = history.iter().filter(|landed| names_tables(landed));
    let keys = named.flat_map(|landed| landed.transaction.message.static_account_keys());
    let keys: BTreeSet<_> = keys.copied().collect();
    let is_table =
        |key: &Address| world.cluster.account(key).is_some_and(|account| account.owner == PROGRAM_ID);
    let tables: Vec<_> = keys.into_iter().filter(is_table).collect();
    tables.iter().for_each(|_| world.ledger.count("lookup tables"));
    let unknown = tables.iter().filter(|key| !known.contains(*key));
    unknown.map(|key| format!("the lookup table {key} is on chain and nobody knows it")).collect()
}
