//! What is measured, as it is printed with `--json` and committed as the baseline.

use serde::{Deserialize, Serialize};

/// Everything that one run measures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The program's file, in bytes.
    pub(crate) program_bytes: u64,
    pub(crate) parts: Parts,
    pub(crate) accounts: Vec<AccountRent>,
    pub(crate) rents: Vec<ClusterRent>,
    pub(crate) instructions: Vec<InstructionCost>,
    pub(crate) transactions: Vec<TransactionCost>,
    pub(crate) packing: Vec<Packing>,
}

/// What no escrow can do without, in compute units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parts {
    /// An Ed25519 signature checked in the program: a signed capture less one whose authorizer is the signer.
    pub(crate) signature_check: u64,
    /// `TransferChecked`, as an instruction of its own.
    pub(crate) token_transfer: u64,
    /// `CreateAccount` of a hold's size, as an instruction of its own.
    pub(crate) account_creation: u64,
    /// A vault made by the Associated Token Account program, as an instruction of its own.
    pub(crate) vault_creation: u64,
    /// Each candidate for a derived address that lies on the curve.
    pub(crate) address_try: u64,
    /// What the runtime takes for each call of another program.
    pub(crate) call: u64,
}

/// An account's size and the lamports that it locks while it exists, on LiteSVM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccountRent {
    pub(crate) account: String,
    pub(crate) bytes: u64,
    pub(crate) lamports: u64,
}

/// The rent that a cluster asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClusterRent {
    pub(crate) cluster: String,
    /// For each byte of an account, and for 128 more.
    pub(crate) lamports_per_byte: u64,
}

/// One case of an instruction, measured over several payments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InstructionCost {
    pub(crate) instruction: String,
    pub(crate) case: String,
    pub(crate) samples: u64,
    /// The median over the samples.
    pub(crate) typical_compute_units: u64,
    /// The most of the samples.
    pub(crate) worst_compute_units: u64,
    pub(crate) work: Work,
}

impl InstructionCost {
    /// The instruction and the case, if it has several.
    fn name(&self) -> String {
        if self.case.is_empty() {
            self.instruction.clone()
        } else {
            format!("{}, {}", self.instruction, self.case)
        }
    }
}

/// What an instruction is for: the parts of its cost that no implementation avoids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) signature_checks: u64,
    pub(crate) token_transfers: u64,
    pub(crate) account_creations: u64,
}

impl Work {
    /// The unavoidable compute units.
    pub(crate) fn compute_units(self, parts: &Parts) -> u64 {
        self.signature_checks * parts.signature_check
            + self.token_transfers * (parts.call + parts.token_transfer)
            + self.account_creations * (parts.call + parts.account_creation)
    }
}

/// A transaction with one payment in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TransactionCost {
    pub(crate) transaction: String,
    pub(crate) table: Table,
    pub(crate) bytes: u64,
    pub(crate) accounts: u64,
    pub(crate) compute_units: u64,
    /// 5,000 for each signature that the cluster checks.
    pub(crate) base_fee_lamports: u64,
    /// At the verifier's limit and lowest price.
    pub(crate) priority_fee_lamports: u64,
    /// What the relay locks in the hold's account; below 0 where it gets it back.
    pub(crate) rent_lamports: i64,
}

/// How many payments one transaction carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Packing {
    pub(crate) instruction: String,
    pub(crate) payers: Payers,
    pub(crate) version: u8,
    pub(crate) table: Table,
    pub(crate) payments: u64,
    pub(crate) bytes: u64,
    pub(crate) accounts: u64,
    pub(crate) compute_units: u64,
    /// Of the whole transaction.
    pub(crate) fee_lamports: u64,
    /// Why one more did not fit.
    pub(crate) limit: String,
}

impl Packing {
    /// The base fee that falls on each payment, rounded up.
    pub(crate) fn lamports_per_payment(&self) -> u64 {
        self.fee_lamports.div_ceil(self.payments.max(1))
    }
}

/// Whose payments are packed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Payers {
    /// All of one session.
    One,
    /// Each of a payer of its own.
    Several,
}

/// Which of a transaction's accounts are in a lookup table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Table {
    None,
    /// All but holds, which are new with every payment.
    AllButHolds,
    All,
}

impl Table {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::AllButHolds => "all but holds",
            Self::All => "all accounts",
        }
    }
}

/// One number that is compared with the baseline's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: u64,
    pub(crate) better: Better,
}

/// Which way a figure improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    Lower,
    Higher,
}

impl Report {
    /// Every number that must not get worse. What is measured besides (the reasons why no more fits) is for people.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let mut figures = vec![lower("program", "bytes", self.program_bytes)];
        for rent in &self.accounts {
            figures.push(lower(&rent.account, "bytes", rent.bytes));
            figures.push(lower(&rent.account, "lamports", rent.lamports));
        }
        for cost in &self.instructions {
            let name = cost.name();
            figures.push(lower(&name, "typical compute units", cost.typical_compute_units));
            figures.push(lower(&name, "worst compute units", cost.worst_compute_units));
        }
        for cost in &self.transactions {
            let name = format!("one {}, table: {}", cost.transaction, cost.table.title());
            figures.push(lower(&name, "bytes", cost.bytes));
            figures.push(lower(&name, "accounts", cost.accounts));
            figures.push(lower(&name, "base fee lamports", cost.base_fee_lamports));
        }
        for packing in &self.packing {
            let name = packing.name();
            figures.push(Figure {
                name: format!("{name}: payments"),
                value: packing.payments,
                better: Better::Higher,
            });
            figures.push(lower(&name, "lamports per payment", packing.lamports_per_payment()));
        }
        figures
    }
}

impl Packing {
    pub(crate) fn name(&self) -> String {
        let payers = match self.payers {
            Payers::One => "one payer",
            Payers::Several => "several payers",
        };
        format!("{} of {payers}, version {}, table: {}", self.instruction, self.version, self.table.title())
    }
}

fn lower(name: &str, unit: &str, value: u64) -> Figure {
    Figure { name: format!("{name}: {unit}"), value, better: Better::Lower }
}
