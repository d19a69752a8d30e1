//! One builder's instruction, held against the IDL.

use std::collections::BTreeMap;

use serde_json::Value;
use solana_sdk::instruction::{AccountMeta, Instruction};
use x402_escrow_interface::Address;
use x402_escrow_tests::idl::{discriminator, entries, entry};

use super::{encoding, named::named};

/// A built instruction, and what it must be by the IDL.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    instruction: Instruction,
    arguments: Value,
    /// Slots whose address is another than the one called like them.
    accounts: BTreeMap<&'static str, Address>,
    /// A slot whose account signs although the IDL doesn't ask for it.
    signer: Option<&'static str>,
    /// What follows the IDL's slots: the program's documentation names them.
    remaining: Vec<AccountMeta>,
}

impl Case {
    pub(super) fn with<const N: usize>(mut self, accounts: [(&'static str, Address); N]) -> Self {
        self.accounts.extend(accounts);
        self
    }

    pub(super) fn signed_by(mut self, slot: &'static str) -> Self {
        self.signer = Some(slot);
        self
    }

    pub(super) fn and(mut self, remaining: &[AccountMeta]) -> Self {
        self.remaining.extend_from_slice(remaining);
        self
    }

    #[track_caller]
    pub(crate) fn check(&self, idl: &Value) {
        let (name, described) = (self.name, entry(idl, "instructions", self.name));
        assert_eq!(self.instruction.program_id, named("program"), "{name}");

        let mut data = discriminator(described);
        let arguments = entries(described, "args");
        assert_eq!(self.arguments.as_object().map_or(0, |given| given.len()), arguments.len(), "{name}");
        for argument in arguments {
            let key = argument["name"].as_str().expect("an argument has a name");
            data.extend(encoding::encode(idl, &argument["type"], &self.arguments[key]));
        }
        assert_eq!(self.instruction.data, data, "{name}");

        let slots = entries(described, "accounts").iter().map(|slot| {
            let key = slot["name"].as_str().expect("a slot has a name");
            let fixed = slot["address"].as_str().map(|fixed| fixed.parse().expect("it is an address"));
            let pubkey = fixed.or(self.accounts.get(key).copied()).unwrap_or_else(|| named(key));
            let is_true = |flag: &str| slot[flag] == true;
            let is_signer = is_true("signer") || self.signer == Some(key);
            AccountMeta { pubkey, is_signer, is_writable: is_true("writable") }
        });
        let expected: Vec<_> = slots.chain(self.remaining.iter().cloned()).collect();
        assert_eq!(self.instruction.accounts, expected, "{name}");
    }
}

/// Each slot is expected to have the address that bears its name, but for those given to [`Case::with`].
pub(super) fn case(name: &'static str, instruction: Instruction, arguments: Value) -> Case {
    Case { name, instruction, arguments, accounts: BTreeMap::new(), signer: None, remaining: Vec::new() }
}
