//! Which accounts a transaction names. The verifier's tests over HTTP use it too.

use litesvm::LiteSVM;
use solana_sdk::message::VersionedMessage;
use x402_escrow_domain::{cluster::Account, lookup_tables::TableState};
use x402_escrow_interface::Address;

/// The accounts that a message names, those in lookup tables included.
pub(super) fn named(svm: &LiteSVM, message: &VersionedMessage) -> Vec<Address> {
    let mut keys = message.static_account_keys().to_vec();
    for lookup in message.address_table_lookups().unwrap_or_default() {
        let table = svm.get_account(&lookup.account_key).and_then(|account| {
            let (owner, data, lamports) = (account.owner, account.data, account.lamports);
            TableState::read(&Account { owner, data, lamports })
        });
        let indexes = lookup.writable_indexes.iter().chain(&lookup.readonly_indexes);
        let found = |index: &u8| table.as_ref()?.addresses.get(usize::from(*index)).copied();
        keys.extend(indexes.filter_map(found));
    }
    keys
}
