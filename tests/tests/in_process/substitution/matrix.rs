use std::{collections::BTreeSet, fmt};

use serde_json::Value;
use solana_sdk::instruction::{AccountMeta, Instruction, InstructionError};
use spl_token_interface::error::TokenError;
use x402_escrow_interface::error::EscrowError;
use x402_escrow_tests::{
    idl,
    svm::{Refusal, World},
};

use super::neighbours::{Kind, Neighbours};

/// An instruction that succeeds, and what becomes of it with another account in one of its slots.
pub(crate) struct Case {
    /// The instruction's name in the IDL.
    pub(crate) instruction: &'static str,
    /// What tells it from other cases of the same instruction; empty for the only one.
    pub(crate) shape: &'static str,
    /// The accounts behind those that the IDL lists, by the names they have in the program's documentation.
    pub(crate) remaining: &'static [&'static str],
    /// What must be there before the neighbours move in.
    pub(crate) world: fn() -> World,
    /// Goes to where the instruction succeeds, and builds it.
    pub(crate) build: fn(&mut World) -> Instruction,
    /// What the instruction says to each substitute.
    pub(crate) rows: &'static [&'static [Row]],
}

/// A slot, the substitute in it (or [`ANY`]), and the answer. A row that names the substitute goes before one that
/// doesn't.
pub(crate) type Row = (&'static str, &'static str, Verdict);

/// Every substitute that no other row names.
pub(crate) const ANY: &str = "any";
/// No account at all in a slot behind those of the IDL.
pub(crate) const NOTHING: &str = "nothing";

/// The shape of a case in which an authorizer signs the transaction and no message.
pub(crate) const BY_A_SIGNER: &str = "by a signer";

/// The same account in two slots that are written.
pub(crate) const DUPLICATE: Verdict = {
    /// Anchor's `ConstraintDuplicateMutableAccount`.
    const CONSTRAINT_DUPLICATE_MUTABLE_ACCOUNT: u32 = 2040;
    Verdict::Solana(InstructionError::Custom(CONSTRAINT_DUPLICATE_MUTABLE_ACCOUNT))
};

/// What an instruction says to a substitute.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// Refused by a rule of ours.
    Rule(EscrowError),
    /// Refused by the token program.
    Token(TokenError),
    /// Refused by Anchor or Solana.
    Solana(InstructionError),
    /// Accepted: why nobody is wronged.
    Right(&'static str),
}

impl Verdict {
    fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Rule(error) => Some((*error).into()),
            Self::Token(error) => Some(error.clone().into()),
            Self::Solana(error) => Some(error.clone().into()),
            Self::Right(_) => None,
        }
    }
}

/// What was tried of a case, and what did not go as its table says.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) refused: usize,
    pub(crate) accepted: Vec<String>,
    pub(crate) wrong: Vec<String>,
}

impl Outcome {
    pub(crate) fn add(&mut self, other: Self) {
        self.refused += other.refused;
        self.accepted.extend(other.accepted);
        self.wrong.extend(other.wrong);
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shape {
            "" => write!(formatter, "{}", self.instruction),
            shape => write!(formatter, "{} {shape}", self.instruction),
        }
    }
}

impl Case {
    /// Tries every substitute of every slot, then the instruction as it was, which must succeed.
    pub(crate) fn run(&self, idl: &Value) -> Outcome {
        let slots = self.slots(idl);
        let mut stage = Stage::of(self);
        stage.check_flags(self, &slots);
        let mut outcome = Outcome::default();
        let mut used = BTreeSet::new();
        for (index, slot) in slots.iter().enumerate() {
            let trials = stage.trials(index, slot);
            let is_other = |substitute| substitute != NOTHING && slot.common(substitute).is_none();
            assert!(trials.iter().any(|trial| is_other(trial.0)), "{self}: {} has no substitute", slot.name);
            for (substitute, instruction) in trials {
                self.judge(&mut stage, slot, substitute, &instruction, &mut used, &mut outcome);
            }
        }
        for (row, (slot, substitute, _)) in self.rows().enumerate() {
            if !used.contains(&row) {
                outcome.wrong.push(format!("{self}: no trial fits the row ({slot}, {substitute})"));
            }
        }
        stage.world.succeed(&[stage.instruction]);
        outcome
    }

    fn rows(&self) -> impl Iterator<Item = &'static Row> {
        self.rows.iter().copied().flatten()
    }

    fn judge(
        &self,
        stage: &mut Stage,
        slot: &Slot,
        substitute: &str,
        instruction: &Instruction,
        used: &mut BTreeSet<usize>,
        outcome: &mut Outcome,
    ) {
        let row = |of: &str| self.rows().enumerate().find(|(_, row)| row.0 == slot.name && row.1 == of);
        let verdict = match (row(substitute), slot.common(substitute)) {
            (None, Some(common)) => Some(common),
            (exact, _) => exact.or_else(|| row(ANY)).map(|(number, row)| {
                used.insert(number);
                row.2.clone()
            }),
        };
        let trial = format!("{self}: {} <- {substitute}", slot.name);
        let answer = match verdict {
            // Where it has succeeded, the instruction can't be tried again.
            Some(Verdict::Right(_)) => Stage::of(self).world.chain.attempt(instruction),
            _ => stage.world.chain.attempt(instruction),
        };
        match (verdict, answer) {
            (Some(Verdict::Right(reason)), Ok(_)) => outcome.accepted.push(format!("{trial}: {reason}")),
            (Some(verdict), Err(refusal)) if verdict.refusal().as_ref() == Some(&refusal) => {
                outcome.refused += 1;
            }
            (verdict, Ok(_)) => outcome.wrong.push(format!("{trial}: accepted, not {verdict:?}")),
            (verdict, Err(refusal)) => outcome.wrong.push(format!("{trial}: {refusal}, not {verdict:?}")),
        }
    }

    fn slots(&self, idl: &Value) -> Vec<Slot> {
        let listed = idl::entries(idl::entry(idl, "instructions", self.instruction), "accounts");
        let listed = listed.iter().map(|entry| Slot {
            name: entry["name"].as_str().expect("an account of the IDL has a name").to_owned(),
            // Who may sign the message instead is no signer in the IDL.
            signer: entry["signer"] == true || (entry["name"] == "revoker" && self.shape == BY_A_SIGNER),
            writable: entry["writable"] == true,
            listed: true,
        });
        let remaining = self.remaining.iter().map(|name| Slot {
            name: (*name).to_owned(),
            signer: name.ends_with("authorizer"),
            writable: name.ends_with("token_account"),
            listed: false,
        });
        listed.chain(remaining).collect()
    }
}

/// A place in an instruction's list of accounts.
pub(crate) struct Slot {
    name: String,
    signer: bool,
    writable: bool,
    /// Whether the IDL lists it.
    listed: bool,
}

impl Slot {
    /// Of a signer.
    pub(crate) const UNSIGNED: &str = "the same, not signing";
    /// Of an account that is written.
    pub(crate) const READ_ONLY: &str = "the same, read-only";
    /// What every slot says alike, unless a row names the substitute.
    fn common(&self, substitute: &str) -> Option<Verdict> {
        /// Anchor's `ConstraintMut`.
        const CONSTRAINT_MUT: u32 = 2000;
        let error = match substitute {
            Self::UNSIGNED if self.listed => InstructionError::MissingRequiredSignature,
            // Anchor checks a signer for both at once.
            Self::READ_ONLY if self.listed && self.signer => InstructionError::MissingRequiredSignature,
            Self::READ_ONLY if self.listed => InstructionError::Custom(CONSTRAINT_MUT),
            Neighbours::SMALLER_TYPE => InstructionError::AccountDataTooSmall,
            Neighbours::OTHER_TYPE => InstructionError::InvalidAccountData,
            Neighbours::FORGED => InstructionError::IllegalOwner,
            _ => return None,
        };
        Some(Verdict::Solana(error))
    }
}

/// A case set up.
struct Stage {
    world: World,
    neighbours: Neighbours,
    instruction: Instruction,
}

impl Stage {
    fn of(case: &Case) -> Self {
        let mut world = (case.world)();
        let neighbours = Neighbours::of(&mut world);
        let instruction = (case.build)(&mut world);
        Self { world, neighbours, instruction }
    }

    /// The instruction has the IDL's slots, with the IDL's flags.
    fn check_flags(&self, case: &Case, slots: &[Slot]) {
        let metas = &self.instruction.accounts;
        let names: Vec<_> = slots.iter().map(|slot| &slot.name).collect();
        assert_eq!(metas.len(), slots.len(), "{case}: the slots are {names:?}");
        for (AccountMeta { is_signer, is_writable, .. }, slot) in metas.iter().zip(slots) {
            assert_eq!((*is_signer, *is_writable), (slot.signer, slot.writable), "{case}: {}", slot.name);
        }
    }

    /// The instruction with something else in the slot at `index`, by what that is.
    fn trials(&mut self, index: usize, slot: &Slot) -> Vec<(&'static str, Instruction)> {
        let right = self.instruction.accounts[index].pubkey;
        let substitutes = self.neighbours.substitutes(&mut self.world, Kind::of(&slot.name), &right);
        let with = |change: &dyn Fn(&mut AccountMeta)| {
            let mut instruction = self.instruction.clone();
            change(&mut instruction.accounts[index]);
            instruction
        };
        let mut trials: Vec<_> = substitutes
            .into_iter()
            .map(|(substitute, address)| (substitute, with(&|meta| meta.pubkey = address)))
            .collect();
        if slot.signer {
            trials.push((Slot::UNSIGNED, with(&|meta| meta.is_signer = false)));
        }
        if slot.writable {
            trials.push((Slot::READ_ONLY, with(&|meta| meta.is_writable = false)));
        }
        if !slot.listed {
            let mut instruction = self.instruction.clone();
            instruction.accounts.truncate(index);
            trials.push((NOTHING, instruction));
        }
        trials
    }
}
