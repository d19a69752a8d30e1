use std::fmt;

use solana_sdk::instruction::Instruction;
use x402_escrow_interface::Address;
use x402_escrow_tests::model::Arguments;

/// One instruction of a sequence.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) at: At,
    pub(crate) arguments: Arguments,
    pub(crate) instruction: Instruction,
    /// Why nobody honest would send this.
    pub(crate) theft: Option<Theft>,
}

/// The accounts that a step is drawn with, as far as its instruction needs them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct At {
    pub(crate) escrow: Address,
    pub(crate) session: Address,
    pub(crate) hold: Address,
    /// Who pays for a new account, deposits or revokes.
    pub(crate) signer: Address,
    /// Where tokens come from or go to.
    pub(crate) tokens: Address,
}

/// How a thief turns something honest into something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Theft {
    /// The thief signs in place of whoever must, or another party of the payment.
    WrongSigner,
    /// Whoever must sign does not.
    MissingSigner,
    /// The thief signs a message in place of whoever must, or another party of the payment.
    ForgedSignature,
    /// Another valid account of the same kind.
    SubstitutedAccount,
    /// What succeeded, once more.
    Replay,
    /// An intent signed for an earlier opening of the session.
    OldIncarnation,
    /// A signature of the right key over another payment.
    OtherPayment,
    /// A transaction signed for another payment, or another opening of a session, at the same
    /// address.
    LingeringTransaction,
    /// A signature of the right key over another kind of message.
    OtherMessage,
    /// A field that differs from what was signed.
    AlteredMessage,
    /// An intent of the other flow.
    OtherFlow,
}

impl Theft {
    pub(crate) const ALL: &[Self] = &[
        Self::WrongSigner,
        Self::MissingSigner,
        Self::ForgedSignature,
        Self::SubstitutedAccount,
        Self::Replay,
        Self::OldIncarnation,
        Self::OtherPayment,
        Self::LingeringTransaction,
        Self::OtherMessage,
        Self::AlteredMessage,
        Self::OtherFlow,
    ];
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(theft) = self.theft {
            writeln!(formatter, "a thief's ({theft:?})")?;
        }
        writeln!(formatter, "{:?}", self.arguments)?;
        for (slot, meta) in self.instruction.accounts.iter().enumerate() {
            let signer = if meta.is_signer { ", signs" } else { "" };
            writeln!(formatter, "  account {slot}: {}{signer}", meta.pubkey)?;
        }
        Ok(())
    }
}
