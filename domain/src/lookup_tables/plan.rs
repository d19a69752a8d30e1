//! Decides which tables to use, extend, give up and close, and whether to make another.

use std::collections::HashSet;

use solana_address_lookup_table_interface::instruction::derive_lookup_table_address;
use solana_sdk::message::AddressLookupTableAccount;
use x402_escrow_interface::Address;

use super::{
    Change, ChangeKind, MAXIMUM_ADDRESSES, MAXIMUM_TABLES, OwnTable, TableRent, TableState, Traffic,
};
use crate::advance::EXPIRY_MARGIN_BLOCKS;

/// For how long a table is used, in seconds. What is still named then goes into a new one: so nothing stays that nobody
/// uses, whoever put it there, and a table that nobody uses is closed.
pub(super) const LIFE_SECONDS: i64 = 86_400;

/// How many slots after it was given up a table can be closed, if every slot has a block.
pub(super) const COOLDOWN_SLOTS: u64 = 513;

/// How things are, as of a final block.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The tables of the store, oldest first, and what the chain has.
    pub tables: &'a [(OwnTable, Option<TableState>)],
    /// Changes that were sent and that no final block shows yet.
    pub under_way: &'a [Change],
    /// The accounts that transactions name.
    pub traffic: &'a Traffic,
    /// The fee payer.
    pub fee_payer: Address,
    /// All fee payers whose keys are here.
    pub keys: &'a [Address],
    /// How many tables there may be; none where the cluster takes transactions that need none.
    pub maximum: usize,
    /// Unix seconds.
    pub now: i64,
    /// The block's slot.
    pub slot: u64,
    /// At most the block's height.
    pub block_height: u64,
    /// The fee payer's lamports beyond what payments need.
    pub lamports_to_spare: u64,
    /// What tables cost.
    pub rent: TableRent,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What transactions may use from now on.
    pub usable: Vec<AddressLookupTableAccount>,
    /// Tables that are not on chain, and will not be.
    pub forget: Vec<Address>,
    /// What is to be sent.
    pub changes: Vec<Change>,
}

/// Decides what is to be done. Whatever of it is lost is decided again.
pub fn plan(situation: &Situation<'_>) -> Plan {
    let Situation { fee_payer, keys, maximum, .. } = *situation;
    let mut plan = Plan::default();
    let mut is_one_being_made = false;
    for (own, state) in situation.tables {
        let OwnTable { address: table, authority, last_valid_block_height, .. } = *own;
        let last_height = last_valid_block_height.saturating_add(EXPIRY_MARGIN_BLOCKS);
        let change = |kind| Change { table, authority, kind };
        let is_ours = keys.contains(&authority);
        match state {
            // An address is derived of a slot that must be recent: no table comes back.
            None if situation.block_height > last_height => plan.forget.push(table),
            None => is_one_being_made = true,
            Some(TableState { deactivated_at: Some(since), .. }) => {
                if is_ours && situation.slot > since.saturating_add(COOLDOWN_SLOTS) {
                    plan.changes.push(change(ChangeKind::Close));
                }
            }
            Some(_) if !is_ours => {}
            Some(TableState { addresses, .. }) => {
                let is_over = situation.now.saturating_sub(own.created_at) >= LIFE_SECONDS;
                let is_given_up = situation.under_way.contains(&change(ChangeKind::Deactivate));
                if authority != fee_payer || is_over || plan.usable.len() >= maximum {
                    plan.changes.push(change(ChangeKind::Deactivate));
                } else if !is_given_up {
                    plan.usable.push(AddressLookupTableAccount { key: table, addresses: addresses.clone() });
                }
            }
        }
    }
    let may_make =
        !is_one_being_made && plan.usable.len() < maximum && situation.tables.len() < MAXIMUM_TABLES;
    plan.changes.extend(grow(situation, &plan.usable, may_make));
    plan.changes.retain(|change| !situation.under_way.contains(change));
    plan
}

/// What adds to the tables in use, or makes another if it `may_make` one.
fn grow(situation: &Situation<'_>, usable: &[AddressLookupTableAccount], may_make: bool) -> Vec<Change> {
    let Situation { fee_payer: authority, rent, slot, .. } = *situation;
    if situation.maximum == 0 {
        return Vec::new();
    }
    let added = |table: &Address| {
        let changes = situation.under_way.iter().filter(|change| change.table == *table);
        changes.map(|change| change.added().len()).sum::<usize>()
    };
    let free = |table: &AddressLookupTableAccount| {
        let taken = table.addresses.len() + added(&table.key);
        (table.key, MAXIMUM_ADDRESSES.saturating_sub(taken))
    };
    let mut room: Vec<_> = usable.iter().map(free).collect();
    let (mut may_make, mut to_spare) = (may_make, situation.lamports_to_spare);
    let in_tables = usable.iter().flat_map(|table| &table.addresses);
    let under_way = situation.under_way.iter().flat_map(Change::added);
    let known: HashSet<_> = in_tables.chain(under_way).copied().collect();
    let mut changes = Vec::new();
    for addresses in situation.traffic.worth_adding(&known) {
        let count = addresses.len();
        let found = room.iter_mut().find(|(_, free)| *free >= count);
        let (costs, change) = match found {
            Some((table, free)) => {
                *free -= count;
                let kind = ChangeKind::Extend { addresses };
                (rent.address.saturating_mul(count as u64), Change { table: *table, authority, kind })
            }
            None if may_make => {
                may_make = false;
                let (table, _) = derive_lookup_table_address(&authority, slot);
                // The rent of a full table is there, so that it can be filled.
                (
                    rent.full,
                    Change { table, authority, kind: ChangeKind::Create { recent_slot: slot, addresses } },
                )
            }
            None => break,
        };
        let Some(left) = to_spare.checked_sub(costs) else { break };
        to_spare = left;
        changes.push(change);
    }
    changes
}
