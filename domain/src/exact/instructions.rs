//! What a client's transaction does: sets its compute budget, transfers the amount, and at most leaves memos and has
//! Lighthouse watch over accounts. The fee payer's signature must do nothing but pay the fee.

use solana_sdk::message::VersionedMessage;
use x402_escrow_interface::{
    Address,
    address::{TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID},
};
use x402_escrow_wire::error_code::ErrorCode;

use super::{
    requirements::Requirements,
    view::{self, View},
};
use crate::{
    derived, priority_fee,
    verify::{Rejection, Rules, require},
};

pub use super::view::LIGHTHOUSE_PROGRAM_ID;

const COMPUTE_BUDGET_PROGRAM_ID: Address =
    Address::from_str_const("ComputeBudget111111111111111111111111111111");

/// SPL Memo.
pub const MEMO_PROGRAM_ID: Address = Address::from_str_const("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");

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

/// Checks that the message pays what is asked and does nothing else. Returns the transfer, whose authority has yet to be
/// found to have signed, and the priority fee that the message offers, in lamports.
///
/// # Errors
/// With the code of the rule that is broken: of the first in the reference implementation's order, where several are.
pub fn check(
    message: &VersionedMessage,
    requirements: &Requirements,
    rules: &Rules,
) -> Result<(Transfer, u64), Rejection> {
    let parts = view::read(message)?;
    let [limit, price, transfer, rest @ ..] = parts.payment.as_slice() else {
        return Err(parts.wrong_number());
    };
    let fee_payer = Address::from(requirements.extra.fee_payer);
    let compute_units = read_compute_limit(limit, rules.policy.exact_fee_bounds.maximum_compute_units)?;
    let price_micro_lamports = read_compute_price(price)?;
    let priority_fee_lamports = priority_fee::lamports(price_micro_lamports, compute_units.into());
    let transfer = check_transfer(transfer, requirements, rules)?;
    check_rest(rest, requirements.extra.memo.as_deref())?;
    for instruction in parts.payment.iter().chain(&parts.guards) {
        check_isolation(instruction, &fee_payer)?;
    }
    Ok((transfer, priority_fee_lamports))
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
            Err(instruction
                .refused(ErrorCode::ExactComputeLimit, "must set the compute unit limit and no more"))
        }
        Some(limit) if limit > maximum => Err(instruction.refused(
            ErrorCode::ExactComputeLimitTooHigh,
            &format!("sets the compute unit limit to {limit}; at most {maximum} are paid for"),
        )),
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
    price.map(u64::from_le_bytes).ok_or_else(|| {
        instruction.refused(ErrorCode::ExactComputePrice, "must set the compute unit price and no more")
    })
}

fn is_compute_budget(instruction: &View<'_>) -> bool {
    instruction.program == COMPUTE_BUDGET_PROGRAM_ID && instruction.accounts.is_empty()
}

/// `TransferChecked`: 12, the amount as `u64`, the decimals; source, mint, destination, authority, and where a mint has
/// a transfer hook the accounts that it needs.
fn check_transfer(
    instruction: &View<'_>,
    requirements: &Requirements,
    rules: &Rules,
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
        return Err(instruction
            .refused(ErrorCode::ExactNoTransfer, "must be TransferChecked of SPL Token or Token-2022"));
    };
    let amount = u64::from_le_bytes(amount);
    let debits = |fee_payer: &&Address| authority == *fee_payer || is_of(source, fee_payer, mint);
    if let Some(fee_payer) = rules.fee_payers().find(debits) {
        return Err(instruction.refused(
            ErrorCode::ExactFeePayerTransferring,
            &format!("would transfer from the fee payer {fee_payer}"),
        ));
    }
    if *mint != requirements.mint {
        return Err(instruction.refused(
            ErrorCode::ExactMintMismatch,
            &format!("transfers {mint}; asked is {}", requirements.mint),
        ));
    }
    let expected =
        derived::associated_token(&requirements.receiver, &requirements.mint, &instruction.program);
    if *destination != expected || source == destination {
        return Err(instruction.refused(
            ErrorCode::ExactRecipientMismatch,
            &format!(
                "transfers from {source} to {destination}; it must go to {expected}, the associated token account of \
                 {}, from another",
                requirements.receiver
            ),
        ));
    }
    if amount != requirements.amount {
        return Err(instruction.refused(
            ErrorCode::ExactAmountMismatch,
            &format!("transfers {amount} base units; asked are exactly {}", requirements.amount),
        ));
    }
    Ok(Transfer {
        token_program: instruction.program,
        source: *source,
        destination: *destination,
        authority: *authority,
    })
}

/// Whether `source` is the fee payer or its associated token account, of either program. A delegate that the operator
/// once approved could debit it.
fn is_of(source: &Address, fee_payer: &Address, mint: &Address) -> bool {
    let associated = |program| derived::associated_token(fee_payer, mint, program);
    source == fee_payer
        || [TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID].iter().any(|program| *source == associated(program))
}

fn check_rest(rest: &[View<'_>], memo: Option<&str>) -> Result<(), Rejection> {
    const CODES: [ErrorCode; 4] = [
        ErrorCode::ExactUnknownFourth,
        ErrorCode::ExactUnknownFifth,
        ErrorCode::ExactUnknownSixth,
        ErrorCode::ExactUnknownSeventh,
    ];
    for (code, instruction) in CODES.into_iter().zip(rest) {
        if instruction.program != MEMO_PROGRAM_ID {
            return Err(instruction.refused(
                code,
                &format!("is of {}; only Lighthouse and Memo may follow the transfer", instruction.program),
            ));
        }
    }
    let Some(memo) = memo else { return Ok(()) };
    let [only] = rest else {
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
fn check_isolation(instruction: &View<'_>, fee_payer: &Address) -> Result<(), Rejection> {
    let named = instruction.program == *fee_payer || instruction.accounts.contains(fee_payer);
    if named && !watches_only(instruction, fee_payer) {
        return Err(instruction.refused(
            ErrorCode::ExactFeePayerNotIsolated,
            &format!(
                "names the fee payer {fee_payer}; it may only pay the fee, and be the one account of Lighthouse's \
                 AssertAccountInfo"
            ),
        ));
    }
    Ok(())
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
