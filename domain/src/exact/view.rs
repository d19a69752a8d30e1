//! A transaction's instructions, each with its accounts by address, and those that wallets add apart from those that pay.

use solana_sdk::message::{VersionedMessage, compiled_instruction::CompiledInstruction};
use x402_escrow_interface::Address;
use x402_escrow_wire::error_code::ErrorCode;

use crate::verify::{Rejection, require};

/// Wallets add its assertions to guard their owner against surprises.
pub const LIGHTHOUSE_PROGRAM_ID: Address =
    Address::from_str_const("L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95");

/// Instructions besides guards: compute budget, transfer, and up to four memos.
const INSTRUCTIONS: std::ops::RangeInclusive<usize> = 3..=7;

/// Most guards of a wallet. Phantom adds four, three of them before the transfer.
const GUARDS: usize = 4;

/// An instruction with its accounts by address.
pub(super) struct View<'a> {
    /// Which of the transaction's, from 1.
    pub(super) number: usize,
    pub(super) program: Address,
    pub(super) accounts: Vec<Address>,
    pub(super) data: &'a [u8],
}

/// A transaction's instructions by what they are for, each group in its order.
pub(super) struct Parts<'a> {
    /// Those that the client writes: at least three.
    pub(super) payment: Vec<View<'a>>,
    /// What Lighthouse asserts for the payer's wallet, anywhere among them. It can only make the transaction fail.
    pub(super) guards: Vec<View<'a>>,
}

/// Reads the instructions of `message`, which loads no accounts from elsewhere.
pub(super) fn read(message: &VersionedMessage) -> Result<Parts<'_>, Rejection> {
    let has_lookups = message.address_table_lookups().is_some_and(|lookups| !lookups.is_empty());
    require(!has_lookups, ErrorCode::ExactLookupTables, || {
        "paymentPayload.payload.transaction: loads accounts from lookup tables; name them all in the message"
            .to_owned()
    })?;
    let keys = message.static_account_keys();
    let views =
        (1..).zip(message.instructions()).map(|(number, instruction)| View::new(number, instruction, keys));
    let views = views.collect::<Result<Vec<_>, _>>()?;
    let (guards, payment): (Vec<_>, Vec<_>) =
        views.into_iter().partition(|view| view.program == LIGHTHOUSE_PROGRAM_ID);
    let parts = Parts { payment, guards };
    let is_right = INSTRUCTIONS.contains(&parts.payment.len()) && parts.guards.len() <= GUARDS;
    if is_right { Ok(parts) } else { Err(parts.wrong_number()) }
}

impl Parts<'_> {
    /// Why the transaction is refused for how many instructions it has.
    pub(super) fn wrong_number(&self) -> Rejection {
        Rejection::new(
            ErrorCode::ExactInstructionsLength,
            format!(
                "paymentPayload.payload.transaction: has {} instructions, and must have {} to {}; has {} guards of \
                 Lighthouse besides, and may have {GUARDS}",
                self.payment.len(),
                INSTRUCTIONS.start(),
                INSTRUCTIONS.end(),
                self.guards.len()
            ),
        )
    }
}

impl<'a> View<'a> {
    fn new(number: usize, instruction: &'a CompiledInstruction, keys: &[Address]) -> Result<Self, Rejection> {
        let key = |index: u8| {
            keys.get(usize::from(index)).copied().ok_or_else(|| {
                Rejection::new(
                    ErrorCode::ExactTransactionNotDecoded,
                    format!("paymentPayload.payload.transaction: there is no account {index}"),
                )
            })
        };
        Ok(Self {
            number,
            program: key(instruction.program_id_index)?,
            accounts: instruction.accounts.iter().map(|index| key(*index)).collect::<Result<_, _>>()?,
            data: &instruction.data,
        })
    }

    /// Why the transaction is refused for this instruction.
    pub(super) fn refused(&self, code: ErrorCode, reason: &str) -> Rejection {
        Rejection::new(
            code,
            format!("paymentPayload.payload.transaction: instruction {} {reason}", self.number),
        )
    }
}
