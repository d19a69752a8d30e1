use std::fmt;

use solana_sdk::instruction::Instruction;
use x402_escrow_interface::Address;
use x402_escrow_tests::model::{Arguments, Call, Slot};

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
    /// Who pays for a new account, or deposits.
    pub(crate) signer: Address,
    /// Where tokens come from or go to.
    pub(crate) tokens: Address,
}

impl Step {
    /// What the model is asked. A key that signs anywhere in a transaction signs everywhere in it; the same holds for
    /// writing.
    pub(crate) fn call(&self) -> Call {
        let metas = &self.instruction.accounts;
        let slot = |address: Address| Slot {
            address,
            signer: metas.iter().any(|meta| meta.pubkey == address && meta.is_signer),
            writable: metas.iter().any(|meta| meta.pubkey == address && meta.is_writable),
        };
        let accounts = metas.iter().map(|meta| slot(meta.pubkey)).collect();
        Call { accounts, arguments: self.arguments }
    }
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
