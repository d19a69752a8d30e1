use alloc::vec::Vec;

use borsh::BorshSerialize;
use solana_address::Address;
use solana_instruction::AccountMeta;

use super::signer;
use crate::message::Digest;

/// An Ed25519 signature.
pub type Signature = [u8; 64];

/// How an authorizer consents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// By a signature over the message; anyone may relay it.
    Signature(Signature),
    /// By signing the transaction.
    Signer,
}

/// A consent as the program reads it. A transaction signer names what it consents to, so that a transaction that lingers
/// can't hit another payment at the same address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize)]
pub(super) enum ConsentArgument {
    Signature(Signature),
    Signer(Digest),
}

impl Consent {
    /// This consent to what `digest` names.
    pub(super) fn to(self, digest: Digest) -> ConsentArgument {
        match self {
            Self::Signature(signature) => ConsentArgument::Signature(signature),
            Self::Signer => ConsentArgument::Signer(digest),
        }
    }

    /// Adds `authorizer` to the remaining accounts where it signs the transaction.
    pub(super) fn push_signer(self, authorizer: Address, metas: &mut Vec<AccountMeta>) {
        if self == Self::Signer {
            metas.push(signer(authorizer));
        }
    }
}
