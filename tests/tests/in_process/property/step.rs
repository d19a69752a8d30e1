use std::fmt;

use solana_sdk::instruction::Instruction;
use x402_escrow_interface::Address;
use x402_escrow_tests::model::Arguments;

use super::theft::Theft;

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
