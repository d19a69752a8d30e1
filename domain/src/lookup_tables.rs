//! Lookup tables, by which transactions of version 0 name accounts in one byte instead of 32: which addresses go into
//! one, and when a table is made, extended and closed. Uses `advance`, `cluster`, `facts`, `transaction`.

mod change;
mod plan;
mod traffic;

use solana_address_lookup_table_interface::state::{AddressLookupTable, LOOKUP_TABLE_META_SIZE};
use x402_escrow_interface::Address;

use crate::{cluster::Account, facts};

pub use solana_address_lookup_table_interface::program::ID as PROGRAM_ID;

pub use change::{Change, ChangeKind};
pub use plan::{Plan, Situation, plan};
pub use traffic::Traffic;

/// How many addresses a table can have.
pub const MAXIMUM_ADDRESSES: usize = 256;

/// How many tables are looked at together; no more are made. Each has an account, and a node shows 100 at once.
pub const MAXIMUM_TABLES: usize = 90;

/// How many addresses one transaction adds: their 32 bytes each have to fit.
const ADDRESSES_PER_CHANGE: usize = 24;

/// A table that this service makes or made, as the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnTable {
    /// Where it is.
    pub address: Address,
    /// The fee payer that made it; nobody else can change or close it.
    pub authority: Address,
    /// Unix seconds.
    pub created_at: i64,
    /// Height of the last block that can have made it.
    pub last_valid_block_height: u64,
}

/// A table as the chain has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableState {
    /// The slot since which it is given up; it can be closed some minutes later.
    pub deactivated_at: Option<u64>,
    /// Its addresses, by index. They are only ever added.
    pub addresses: Vec<Address>,
}

impl TableState {
    /// Reads a table's account; none if it is no table.
    pub fn read(account: &Account) -> Option<Self> {
        const NEVER: u64 = u64::MAX;
        if account.owner != PROGRAM_ID {
            return None;
        }
        let table = AddressLookupTable::deserialize(&account.data).ok()?;
        let slot = table.meta.deactivation_slot;
        Some(Self {
            deactivated_at: (slot != NEVER).then_some(slot),
            addresses: table.addresses.iter().copied().take(MAXIMUM_ADDRESSES).collect(),
        })
    }
}

/// Rent that a table locks while it exists, in lamports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableRent {
    /// Of a table with as many addresses as it can have.
    pub full: u64,
    /// Of each address.
    pub address: u64,
}

impl TableRent {
    /// As the rent sysvar says.
    pub fn read(rent: &Account) -> Option<Self> {
        const ADDRESS_BYTES: u64 = 32;
        let empty = LOOKUP_TABLE_META_SIZE as u64;
        let full = facts::rent(rent, empty + ADDRESS_BYTES * MAXIMUM_ADDRESSES as u64)?;
        let address = facts::rent(rent, empty + ADDRESS_BYTES)?.saturating_sub(facts::rent(rent, empty)?);
        Some(Self { full, address })
    }
}

#[cfg(test)]
mod tests;
