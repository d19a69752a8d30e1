//! The accounts that follow an instruction's own.

use anchor_lang::{address_eq, prelude::*};

/// Accounts that only some calls of an instruction need, in any order and found by their address:
///
/// - each authorizer that consents as signer of the transaction ([`crate::consent::Consent::Signer`]), as a signer;
/// - the fee recipient's associated token account, writable, where a fee is signed for.
#[derive(Clone, Copy)]
pub(crate) struct RemainingAccounts<'a>(pub(crate) &'a [AccountView]);

impl<'a> RemainingAccounts<'a> {
    /// Whether `authorizer` is among them and signed the transaction.
    pub(crate) fn has_signer(self, authorizer: &Address) -> bool {
        self.0.iter().any(|account| account.is_signer() && address_eq(account.address(), authorizer))
    }

    /// The one at `address`.
    pub(crate) fn find(self, address: &Address) -> Option<&'a AccountView> {
        self.0.iter().find(|account| address_eq(account.address(), address))
    }
}
