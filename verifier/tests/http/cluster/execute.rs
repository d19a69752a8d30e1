//! Executes transactions, each in a block of its own.

use std::collections::HashMap;

use solana_sdk::{
    program_pack::Pack,
    transaction::{TransactionError, VersionedTransaction},
};
use spl_token_interface::state::Account as TokenAccount;
use x402_escrow_domain::cluster::{Executed, Logged, TokenBalance};
use x402_escrow_interface::{Address, instruction::Signature};

use super::{State, named::named};

impl State {
    pub(crate) fn execute(&mut self, signature: Signature, transaction: VersionedTransaction) {
        let keys = named(&self.svm, &transaction.message);
        let message = transaction.message.serialize();
        let before = self.token_amounts(&keys);
        // Only a transaction that has the instruction can fail for it.
        let count = transaction.message.instructions().len();
        let is_meant = |error: &mut TransactionError| match error {
            TransactionError::InstructionError(index, _) => usize::from(*index) < count,
            _ => true,
        };
        let outcome = match self.next_error.take_if(is_meant) {
            Some(error) => Some(error),
            None => match self.svm.send_transaction(transaction) {
                Ok(done) => {
                    self.logged
                        .push((keys.clone(), Logged { signature, slot: self.slot + 1, logs: done.logs }));
                    None
                }
                Err(failed) => match failed.err {
                    // Not in any block.
                    TransactionError::AlreadyProcessed | TransactionError::BlockhashNotFound => return,
                    error => Some(error),
                },
            },
        };
        self.slot += 1;
        self.block_height += 1;
        let token_balances = self
            .token_amounts(&keys)
            .into_iter()
            .map(|(account, (mint, after))| {
                let before = before.get(&account).map_or(0, |(_, before)| *before);
                TokenBalance { account, mint, before, after }
            })
            .collect();
        let mut hash = [u8::try_from(self.slot % 256).unwrap(); 32];
        hash[31] = hash[31].wrapping_add(self.races);
        self.block_hashes.insert(self.slot, hash);
        self.executed.insert(signature, Executed { message, error: outcome.clone(), token_balances });
        self.landed.insert(signature, (self.slot, outcome));
    }

    /// Mint and amount of those of these accounts that are token accounts.
    fn token_amounts(&self, keys: &[Address]) -> HashMap<Address, (Address, u64)> {
        let read = |key: &Address| {
            let account = self.svm.get_account(key)?;
            // Token-2022 has the same layout, and extensions behind it.
            let token = TokenAccount::unpack_from_slice(account.data.get(..TokenAccount::LEN)?).ok()?;
            Some((*key, (token.mint, token.amount)))
        };
        keys.iter().filter_map(read).collect()
    }
}
