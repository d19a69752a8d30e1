//! What a client's transaction does: sets its compute budget, transfers the amount, and at most leaves memos and has
//! Lighthouse watch over accounts. The fee payer's signature must do nothing but pay the fee.

use solana_sdk::message::{VersionedMessage, compiled_instruction::CompiledInstruction};
use x402_escrow_interface::{
    Address,
    address::{self, TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID},
};
use x402_escrow_wire::error_code::ErrorCode;

use crate::{
    exact::requirements::Requirements,
    priority_fee,
    verify::{Rejection, require},
};

const COMPUTE_BUDGET_PROGRAM_ID: Address =
    Address::from_str_const("ComputeBudget111111111111111111111111111111");

/// Wallets add its assertions to guard their owner against surprises.
pub const LIGHTHOUSE_PROGRAM_ID: Address =
    Address::from_str_const("L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95");

/// SPL Memo.
pub const MEMO_PROGRAM_ID: Address = Address::from_str_const("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");

/// Compute budget, transfer, and up to four of Lighthouse and Memo (Phantom adds three).
const INSTRUCTIONS: std::ops::RangeInclusive<usize> = 3..=7;

/// The transfer that pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// SPL Token or Token-2022.
    pub token_program: Address,
    /// The token account that is debited.
    pub source: Address,
    /// The token account that is credited.
    pub destination: Address,
    /// Who may debit the source: the payer.
    pub authority: Address,
}

/// Checks that the message pays what is asked and does nothing else, with `signer` as the payer. Returns the transfer and
/// the priority fee that the message offers, in lamports.
///
/// # Errors
/// With the code of the rule that is broken, in the order of the instructions.
pub fn check(
    message: &VersionedMessage,
    signer: &Address,
    requirements: &Requirements,
    maximum_compute_units: u32,
) -> Result<(Transfer, u64), Rejection> {
    let has_lookups = message.address_table_lookups().is_some_and(|lookups| !lookups.is_empty());
    require(!has_lookups, ErrorCode::ExactLookupTables, || {
        "paymentPayload.payload.transaction: loads accounts from lookup tables; name them all in the message"
            .to_owned()
    })?;
    let instructions = message.instructions();
    let [limit, price, transfer, rest @ ..] = instructions else { return Err(wrong_number(instructions)) };
    if !INSTRUCTIONS.contains(&instructions.len()) {
        return Err(wrong_number(instructions));
    }
    let read = |instruction| View::new(instruction, message.static_account_keys());
    let fee_payer = Address::from(requirements.extra.fee_payer);
    let compute_units = read_compute_limit(&read(limit)?, maximum_compute_units)?;
    let price_micro_lamports = read_compute_price(&read(price)?)?;
    let priority_fee_lamports = priority_fee::lamports(price_micro_lamports, compute_units.into());
    let transfer = check_transfer(&read(transfer)?, signer, &fee_payer, requirements)?;
    let rest = rest.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    check_rest(&rest, requirements.extra.memo.as_deref())?;
    for (index, instruction) in instructions.iter().enumerate() {
        check_isolation(index, &read(instruction)?, &fee_payer)?;
    }
    Ok((transfer, priority_fee_lamports))
}

/// An instruction with its accounts by address.
struct View<'a> {
    program: Address,
    accounts: Vec<Address>,
    data: &'a [u8],
}

impl<'a> View<'a> {
    fn new(instruction: &'a CompiledInstruction, keys: &[Address]) -> Result<Self, Rejection> {
        let key = |index: u8| {
            keys.get(usize::from(index)).copied().ok_or_else(|| {
                Rejection::new(
                    ErrorCode::ExactTransactionNotDecoded,
                    format!("paymentPayload.payload.transaction: there is no account {index}"),
                )
            })
        };
        Ok(Self {
            program: key(instruction.program_id_index)?,
            accounts: instruction.accounts.iter().map(|index| key(*index)).collect::<Result<_, _>>()?,
            data: &instruction.data,
        })
    }
}

fn wrong_number(instructions: &[CompiledInstruction]) -> Rejection {
    Rejection::new(
        ErrorCode::ExactInstructionsLength,
        format!(
            "paymentPayload.payload.transaction: has {} instructions, and must have {} to {}",
            instructions.len(),
            INSTRUCTIONS.start(),
            INSTRUCTIONS.end()
        ),
    )
}

fn refuse<T>(code: ErrorCode, number: usize, reason: String) -> Result<T, Rejection> {
    Err(Rejection::new(code, format!("paymentPayload.payload.transaction: instruction {number} {reason}")))
}

/// `SetComputeUnitLimit`: 2, then the limit as `u32`.
fn read_compute_limit(instruction: &View<'_>, maximum: u32) -> Result<u32, Rejection> {
    const SET_COMPUTE_UNIT_LIMIT: u8 = 2;
    let limit = match instruction.data {
        [SET_COMPUTE_UNIT_LIMIT, limit @ ..] if is_compute_budget(instruction) => limit.try_into().ok(),
        _ => None,
    };
    match limit.map(u32::from_le_bytes) {
        None => {
            refuse(ErrorCode::ExactComputeLimit, 1, "must set the compute unit limit and no more".to_owned())
        }
        Some(limit) if limit > maximum => refuse(
            ErrorCode::ExactComputeLimitTooHigh,
            1,
            format!("sets the compute unit limit to {limit}; at most {maximum} are paid for"),
        ),
        Some(limit) => Ok(limit),
    }
}

/// `SetComputeUnitPrice`: 3, then the price as `u64`.
fn read_compute_price(instruction: &View<'_>) -> Result<u64, Rejection> {
    const SET_COMPUTE_UNIT_PRICE: u8 = 3;
    let price = match instruction.data {
        [SET_COMPUTE_UNIT_PRICE, price @ ..] if is_compute_budget(instruction) => price.try_into().ok(),
        _ => None,
    };
    match price.map(u64::from_le_bytes) {
        None => {
            refuse(ErrorCode::ExactComputePrice, 2, "must set the compute unit price and no more".to_owned())
        }
        Some(price) => Ok(price),
    }
}

fn is_compute_budget(instruction: &View<'_>) -> bool {
    instruction.program == COMPUTE_BUDGET_PROGRAM_ID && instruction.accounts.is_empty()
}

/// `TransferChecked`: 12, the amount as `u64`, the decimals; source, mint, destination, authority, and where a mint has
/// a transfer hook the accounts that it needs.
fn check_transfer(
    instruction: &View<'_>,
    signer: &Address,
    fee_payer: &Address,
    requirements: &Requirements,
) -> Result<Transfer, Rejection> {
    const TRANSFER_CHECKED: u8 = 12;
    let is_token = [TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID].contains(&instruction.program);
    let amount = match instruction.data {
        [TRANSFER_CHECKED, amount @ .., _decimals] if is_token => amount.try_into().ok(),
        _ => None,
    };
    let (Some(amount), [source, mint, destination, authority, ..]) =
        (amount, instruction.accounts.as_slice())
    else {
        return refuse(
            ErrorCode::ExactNoTransfer,
            3,
            "must be TransferChecked of SPL Token or Token-2022".to_owned(),
        );
    };
    let amount = u64::from_le_bytes(amount);
    if [source, authority].contains(&fee_payer) {
        return refuse(
            ErrorCode::ExactFeePayerTransferring,
            3,
            format!("would transfer from the fee payer {fee_payer}"),
        );
    }
    if authority != signer {
        // A signer that is not the payer would be one too many, and the payer's signature would be missing.
        return refuse(
            ErrorCode::ExactSignatureInvalid,
            3,
            format!("needs the signature of {authority}, and the transaction is signed by {signer}"),
        );
    }
    if *mint != requirements.mint {
        return refuse(
            ErrorCode::ExactMintMismatch,
            3,
            format!("transfers {mint}; asked is {}", requirements.mint),
        );
    }
    let expected =
        address::associated_token(&requirements.receiver, &requirements.mint, &instruction.program);
    if *destination != expected || source == destination {
        return refuse(
            ErrorCode::ExactRecipientMismatch,
            3,
            format!(
                "transfers from {source} to {destination}; it must go to {expected}, the associated token account of \
                 {}, from another",
                requirements.receiver
            ),
        );
    }
    if amount != requirements.amount {
        return refuse(
            ErrorCode::ExactAmountMismatch,
            3,
            format!("transfers {amount} base units; asked are exactly {}", requirements.amount),
        );
    }
    Ok(Transfer {
        token_program: instruction.program,
        source: *source,
        destination: *destination,
        authority: *authority,
    })
}

fn check_rest(rest: &[View<'_>], memo: Option<&str>) -> Result<(), Rejection> {
    const CODES: [ErrorCode; 4] = [
        ErrorCode::ExactUnknownFourth,
        ErrorCode::ExactUnknownFifth,
        ErrorCode::ExactUnknownSixth,
        ErrorCode::ExactUnknownSeventh,
    ];
    for ((number, code), instruction) in (4..).zip(CODES).zip(rest) {
        if ![LIGHTHOUSE_PROGRAM_ID, MEMO_PROGRAM_ID].contains(&instruction.program) {
            return refuse(
                code,
                number,
                format!("is of {}; only Lighthouse and Memo may follow the transfer", instruction.program),
            );
        }
    }
    let Some(memo) = memo else { return Ok(()) };
    let mut memos = rest.iter().filter(|instruction| instruction.program == MEMO_PROGRAM_ID);
    let (Some(only), None) = (memos.next(), memos.next()) else {
        return Err(Rejection::new(
            ErrorCode::ExactMemoCount,
            "paymentPayload.payload.transaction: must have exactly one memo, which is extra.memo",
        ));
    };
    require(only.data == memo.as_bytes(), ErrorCode::ExactMemoMismatch, || {
        format!("paymentPayload.payload.transaction: its memo must be extra.memo, {memo:?}")
    })
}

/// An account that signs a transaction signs each instruction that names it, read-only or not: whoever gets the fee
/// payer into an instruction can spend what is the fee payer's.
fn check_isolation(index: usize, instruction: &View<'_>, fee_payer: &Address) -> Result<(), Rejection> {
    let named = instruction.program == *fee_payer || instruction.accounts.contains(fee_payer);
    require(!named || watches_only(instruction, fee_payer), ErrorCode::ExactFeePayerNotIsolated, || {
        format!(
            "paymentPayload.payload.transaction: instruction {} names the fee payer {fee_payer}; it may only pay the \
             fee, and be the one account of Lighthouse's AssertAccountInfo",
            index + 1
        )
    })
}

/// Whether the instruction only reads `account`: Phantom has Lighthouse assert that the fee payer's lamports are what
/// its user was shown. These two of Lighthouse's instructions (`programs/lighthouse/src/instruction.rs` of
/// Jac0xb/lighthouse) compare one account with what they are given, and call no other program; the first two of all,
/// which write, take a payer.
fn watches_only(instruction: &View<'_>, account: &Address) -> bool {
    const ASSERT_ACCOUNT_INFO: u8 = 5;
    const ASSERT_ACCOUNT_INFO_MULTI: u8 = 6;
    instruction.program == LIGHTHOUSE_PROGRAM_ID
        && instruction.accounts == [*account]
        && matches!(instruction.data.first(), Some(&(ASSERT_ACCOUNT_INFO | ASSERT_ACCOUNT_INFO_MULTI)))
}
