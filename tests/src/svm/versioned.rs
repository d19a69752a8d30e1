//! Transactions of version 0, with address lookup tables: what a relay that packs payments sends.

use solana_address_lookup_table_interface::instruction::{create_lookup_table, extend_lookup_table};
use solana_sdk::{
    instruction::Instruction,
    message::{AddressLookupTableAccount, VersionedMessage, v0},
    signature::Keypair,
    transaction::VersionedTransaction,
};
use x402_escrow_interface::Address;

use super::{Chain, Receipt, outcome::Refused};

/// How many addresses one transaction adds to a table: their 32 bytes each have to fit.
const ADDRESSES_PER_EXTENSION: usize = 20;

/// A transaction that succeeded, and what it took.
#[derive(Debug)]
pub struct Sent {
    /// What it left behind.
    pub receipt: Receipt,
    /// Its length on the wire.
    pub bytes: usize,
    /// The accounts it loads, programs and those in tables included.
    pub accounts: usize,
}

impl Chain {
    /// Makes a lookup table of `addresses`, which `authority` pays for, and waits until it can be used.
    pub fn create_lookup_table(
        &mut self,
        authority: &Address,
        addresses: &[Address],
    ) -> AddressLookupTableAccount {
        let (create, key) = create_lookup_table(*authority, *authority, self.slot() - 1);
        self.succeed(&[create]);
        for part in addresses.chunks(ADDRESSES_PER_EXTENSION) {
            self.succeed(&[extend_lookup_table(key, *authority, Some(*authority), part.to_vec())]);
        }
        // What was added in this slot can be looked up from the next one on.
        self.next_slot();
        AddressLookupTableAccount { key, addresses: addresses.to_vec() }
    }

    /// Length on the wire and number of accounts of a transaction of version 0 paid for by `fee_payer`.
    ///
    /// # Panics
    /// If it names more accounts than a message can.
    pub fn size_of_version_0(
        &self,
        fee_payer: &Address,
        instructions: &[Instruction],
        tables: &[AddressLookupTableAccount],
    ) -> (usize, usize) {
        size(&self.version_0(fee_payer, instructions, tables))
    }

    /// Sends a transaction of version 0 paid for by `fee_payer`, with the checks of [`Chain::succeed`]. LiteSVM does
    /// not look at its length: the caller does.
    ///
    /// # Errors
    /// Why it was refused.
    ///
    /// # Panics
    /// If an invariant does not hold, or a refused transaction changed anything.
    #[track_caller]
    pub fn attempt_version_0(
        &mut self,
        fee_payer: &Address,
        instructions: &[Instruction],
        tables: &[AddressLookupTableAccount],
    ) -> Result<Sent, String> {
        self.svm.expire_blockhash();
        let message = self.version_0(fee_payer, instructions, tables);
        let (bytes, accounts) = size(&message);
        let signers = usize::from(message.header.num_required_signatures);
        let signers: Vec<&Keypair> =
            message.account_keys[..signers].iter().map(|address| self.keypair(address)).collect();
        let transaction = VersionedTransaction::try_new(VersionedMessage::V0(message), &signers)
            .expect("the signers are the message's");
        let before = self.ledger();
        let result = self.svm.send_transaction(transaction).map_err(|failed| Refused(Box::new(failed)));
        let after = self.ledger();
        match result {
            Ok(meta) => {
                let receipt = Receipt::new(meta);
                after.check();
                assert_eq!(
                    after.lamports(),
                    before.lamports() - receipt.fee,
                    "lamports appeared or vanished"
                );
                Ok(Sent { receipt, bytes, accounts })
            }
            Err(refused) => {
                after.assert_same_but_for_fee(&before, fee_payer, refused.fee());
                Err(refused.to_string())
            }
        }
    }

    fn version_0(
        &self,
        fee_payer: &Address,
        instructions: &[Instruction],
        tables: &[AddressLookupTableAccount],
    ) -> v0::Message {
        v0::Message::try_compile(fee_payer, instructions, tables, self.svm.latest_blockhash())
            .expect("no more accounts than a message can name")
    }
}

fn size(message: &v0::Message) -> (usize, usize) {
    let signatures = usize::from(message.header.num_required_signatures);
    let looked_up: usize = message
        .address_table_lookups
        .iter()
        .map(|lookup| lookup.writable_indexes.len() + lookup.readonly_indexes.len())
        .sum();
    (1 + 64 * signatures + message.serialize().len(), message.account_keys.len() + looked_up)
}
