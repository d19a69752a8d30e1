use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use litesvm::types::{FailedTransactionMetadata, TransactionMetadata};
use solana_sdk::{instruction::InstructionError, transaction::TransactionError};
use solana_system_interface::error::SystemError;
use spl_token_interface::error::TokenError;
use x402_escrow_interface::{
    error::EscrowError,
    event::{Event, data_lines},
};

use crate::program_id;

/// What a transaction that succeeded left behind.
#[derive(Debug)]
pub struct Receipt {
    /// What the program logged, in order.
    pub events: Vec<Event>,
    /// Compute units of the whole transaction.
    pub compute_units: u64,
    /// The fee in lamports.
    pub fee: u64,
}

impl Receipt {
    pub(super) fn new(meta: TransactionMetadata) -> Self {
        let lines = data_lines(&program_id(), meta.logs.iter().map(String::as_str));
        let decode = |line: &str| {
            let data = BASE64_STANDARD.decode(line).expect("the runtime logs data in Base64");
            Event::decode(&data).unwrap_or_else(|| panic!("not an event of the interface: {line}"))
        };
        Self {
            events: lines.into_iter().map(decode).collect(),
            compute_units: meta.compute_units_consumed,
            fee: meta.fee,
        }
    }
}

/// Why an instruction is refused: by a rule of the program, or by Solana or another program underneath.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A rule of ours.
    Escrow(EscrowError),
    /// Anything else.
    Solana(InstructionError),
}

impl Refusal {
    fn of(error: &InstructionError) -> Self {
        match error {
            InstructionError::Custom(code) => {
                EscrowError::from_code(*code).map_or(Self::Solana(error.clone()), Self::Escrow)
            }
            _ => Self::Solana(error.clone()),
        }
    }
}

impl From<EscrowError> for Refusal {
    fn from(error: EscrowError) -> Self {
        Self::Escrow(error)
    }
}

impl From<InstructionError> for Refusal {
    fn from(error: InstructionError) -> Self {
        Self::of(&error)
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        Self::Solana(InstructionError::Custom(error as u32))
    }
}

impl From<SystemError> for Refusal {
    fn from(error: SystemError) -> Self {
        Self::Solana(InstructionError::Custom(error as u32))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Escrow(error) => write!(formatter, "{} ({})", error.name(), error.code()),
            Self::Solana(error) => write!(formatter, "{error:?}"),
        }
    }
}

/// A transaction that failed.
pub(super) struct Refused(pub(super) Box<FailedTransactionMetadata>);

impl Refused {
    pub(super) fn fee(&self) -> u64 {
        self.0.meta.fee
    }

    /// Why an instruction was refused.
    ///
    /// # Panics
    /// If the transaction did not get as far as its instructions.
    #[track_caller]
    pub(super) fn reason(&self) -> Refusal {
        match &self.0.err {
            TransactionError::InstructionError(_, error) => Refusal::of(error),
            _ => panic!("{self}"),
        }
    }

    #[track_caller]
    pub(super) fn assert_is(&self, instruction: usize, reason: &Refusal) {
        match &self.0.err {
            TransactionError::InstructionError(index, error)
                if usize::from(*index) == instruction && Refusal::of(error) == *reason => {}
            _ => panic!("should have been refused with {reason} at instruction {instruction}: {self}"),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.err {
            TransactionError::InstructionError(index, error) => {
                write!(formatter, "instruction {index} was refused: {}", Refusal::of(error))?;
            }
            error => write!(formatter, "the transaction was refused: {error:?}")?,
        }
        write!(formatter, "\n{}", self.0.meta.logs.join("\n"))
    }
}
