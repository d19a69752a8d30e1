//! The part of an intent that says on which terms its receiver is paid.

use anchor_lang::prelude::*;
use x402_escrow_interface::message::Digest;

/// Who is paid besides the receiver, or what shows that the session may pay the receiver. A session that may only pay
/// listed receivers pays no fee, so an intent never needs both.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy)]
pub enum ReceiverTerms<'a> {
    /// Nobody: the receiver gets everything.
    NoFee,
    /// The fee recipient, at most these basis points of what is captured.
    FeeUpTo(u16),
    /// Nobody, and this Merkle proof shows that the receiver is in the session's list.
    Listed(&'a [[u8; 32]]),
}

impl<'a> ReceiverTerms<'a> {
    /// The most of what is captured that may be fee, in basis points.
    pub(crate) fn maximum_fee_bps(&self) -> u16 {
        match self {
            Self::NoFee | Self::Listed(_) => 0,
            Self::FeeUpTo(maximum_fee_bps) => *maximum_fee_bps,
        }
    }

    /// Empty for a list of one receiver, and where no list is needed.
    pub(crate) fn proof(&self) -> &'a [Digest] {
        match self {
            Self::NoFee | Self::FeeUpTo(_) => &[],
            Self::Listed(proof) => proof,
        }
    }
}
