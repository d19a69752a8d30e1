//! The transactions that make, extend and close tables.

use solana_address_lookup_table_interface::instruction::{
    close_lookup_table, create_lookup_table, deactivate_lookup_table, extend_lookup_table,
};
use solana_sdk::{
    instruction::Instruction,
    signer::{Signer, keypair::Keypair},
};
use x402_escrow_interface::Address;

use super::TableState;
use crate::transaction::{Part, SignError, Signed, Terms, sign_legacy};

/// Compute units that one instruction may use: two to three times what LiteSVM measures.
const COMPUTE_UNIT_LIMIT: u32 = 30_000;

/// A change of a table, made by one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The table.
    pub table: Address,
    /// Whose table it is.
    pub authority: Address,
    /// The change.
    pub kind: ChangeKind,
}

/// The kinds of change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is made, with its first addresses.
    Create {
        /// The slot of a recent block, of which its address is derived.
        recent_slot: u64,
        /// In this order.
        addresses: Vec<Address>,
    },
    /// It gets more addresses.
    Extend {
        /// In this order.
        addresses: Vec<Address>,
    },
    /// It is given up: new transactions can use it for some more minutes, and then nobody.
    Deactivate,
    /// It ends, and its rent comes back.
    Close,
}

impl Change {
    /// Short name, for people.
    pub const fn name(&self) -> &'static str {
        match self.kind {
            ChangeKind::Create { .. } => "create",
            ChangeKind::Extend { .. } => "extend",
            ChangeKind::Deactivate => "deactivate",
            ChangeKind::Close => "close",
        }
    }

    /// The addresses it adds.
    pub fn added(&self) -> &[Address] {
        match &self.kind {
            ChangeKind::Create { addresses, .. } | ChangeKind::Extend { addresses } => addresses,
            ChangeKind::Deactivate | ChangeKind::Close => &[],
        }
    }

    /// Whether it is done, or can't be done any more, where the table is now as `state` says.
    pub fn is_done(&self, state: Option<&TableState>) -> bool {
        match (&self.kind, state) {
            (ChangeKind::Create { .. }, state) => state.is_some(),
            (ChangeKind::Extend { addresses }, Some(state)) => {
                addresses.first().is_none_or(|first| state.addresses.contains(first))
            }
            (ChangeKind::Deactivate, Some(state)) => state.deactivated_at.is_some(),
            (ChangeKind::Close, Some(_)) => false,
            (_, None) => true,
        }
    }

    fn instructions(&self, fee_payer: &Address) -> Vec<Instruction> {
        let Self { table, authority, kind } = self;
        let extend = |addresses: &[Address]| {
            extend_lookup_table(*table, *authority, Some(*fee_payer), addresses.to_vec())
        };
        match kind {
            ChangeKind::Create { recent_slot, addresses } => {
                let (create, _) = create_lookup_table(*authority, *fee_payer, *recent_slot);
                vec![create, extend(addresses)]
            }
            ChangeKind::Extend { addresses } => vec![extend(addresses)],
            ChangeKind::Deactivate => vec![deactivate_lookup_table(*table, *authority)],
            ChangeKind::Close => vec![close_lookup_table(*table, *authority, *fee_payer)],
        }
    }

    /// The transaction that makes it. Rent is paid by the fee payer of `terms`, and comes back to it.
    ///
    /// # Errors
    /// If it can't be serialised.
    pub fn sign(&self, terms: Terms<'_>, authority: &Keypair) -> Result<Signed, SignError> {
        let fee_payer = terms.fee_payer.pubkey();
        let parts: Vec<_> = self
            .instructions(&fee_payer)
            .into_iter()
            .map(|instruction| Part { instruction, compute_unit_limit: COMPUTE_UNIT_LIMIT, calls: 0 })
            .collect();
        let mut signers = vec![terms.fee_payer];
        if authority.pubkey() != fee_payer {
            signers.push(authority);
        }
        sign_legacy(terms, &signers, &parts.iter().collect::<Vec<_>>())
    }
}
