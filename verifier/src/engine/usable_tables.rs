//! The lookup tables of this verifier's transactions, and what is learned of accounts that should be in one. Kept in
//! memory: both are learned again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use solana_sdk::message::AddressLookupTableAccount;
use x402_escrow_domain::{lookup_tables::Traffic, transaction::Part};
use x402_escrow_interface::Address;

/// What the sender needs of the tables.
#[derive(Debug, Default)]
pub struct UsableTables {
    usable: Mutex<Arc<[AddressLookupTableAccount]>>,
    traffic: Mutex<Traffic>,
}

impl UsableTables {
    /// Those that transactions can use.
    pub fn get(&self) -> Arc<[AddressLookupTableAccount]> {
        Arc::clone(&self.usable.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on transactions use these.
    pub fn use_only(&self, tables: Vec<AddressLookupTableAccount>) {
        let addresses = tables.iter().flat_map(|table| &table.addresses).copied().collect();
        self.lock_traffic().set_in_tables(addresses);
        *self.usable.lock().unwrap_or_else(PoisonError::into_inner) = tables.into();
    }

    /// Transactions use none until all were looked at again.
    pub fn stop_using(&self) {
        *self.usable.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }

    /// Takes down which accounts `part` names that others may name too: all but its payment's `hold`, and those that no
    /// table can stand for, which are signers and the program.
    pub fn note(&self, part: &Part, hold: Option<Address>, fee_payer: &Address) {
        let mut traffic = self.lock_traffic();
        for account in part.instruction.accounts.iter().filter(|account| !account.is_signer) {
            let address = account.pubkey;
            if Some(address) != hold && address != *fee_payer && address != part.instruction.program_id {
                traffic.note(address);
            }
        }
    }

    /// What transactions named.
    pub fn traffic(&self) -> Traffic {
        self.lock_traffic().clone()
    }

    fn lock_traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
