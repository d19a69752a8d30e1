//! How values are written in columns.

use std::str::FromStr;

use borsh::BorshDeserialize;
use sqlx::{Any, Decode, Row, Type, any::AnyRow};
use x402_escrow_domain::payment::{
    Action, Attempt, AttemptState, HoldTerms, Landing, Operation, OperationState, Payment, Problem, Resource,
    Terms, TransferTerms, Voucher,
};
use x402_escrow_interface::message::Intent;
use x402_escrow_wire::{
    auth_capture::{Commitment, Level},
    error_code::ErrorCode,
    text::{Base58, Decimal, Hex32, Key},
};

use super::StoreError;

/// So many places for values, as `IN` has them.
pub(super) fn places(count: usize) -> String {
    let places: Vec<_> = (1..=count).map(|number| format!("${number}")).collect();
    places.join(", ")
}

/// `some`, and the last of them again until they are `count`: then none is found twice by `IN`.
pub(super) fn filled<T>(some: &[T], count: usize) -> impl Iterator<Item = &T> {
    some.iter().chain(some.last().into_iter().cycle()).take(count)
}

/// Reads a column that is stored as it is.
pub(super) fn get<'r, T>(row: &'r AnyRow, column: &'static str) -> Result<T, StoreError>
where
    T: Decode<'r, Any> + Type<Any>,
{
    row.try_get(column).map_err(|error| unreadable(column, error.to_string()))
}

/// Reads a column that is 0 or 1. Flags are integers, since SQLite has no others.
pub(super) fn flag(row: &AnyRow, column: &'static str) -> Result<bool, StoreError> {
    match get::<i64>(row, column)? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(unreadable(column, format!("{other} is neither 0 nor 1"))),
    }
}

/// Reads a column that is text of something.
pub(super) fn parse<T>(row: &AnyRow, column: &'static str) -> Result<T, StoreError>
where
    T: FromStr<Err: ToString>,
{
    parse_text(column, get::<&str>(row, column)?)
}

/// The same where it may be NULL.
pub(super) fn parse_optional<T>(row: &AnyRow, column: &'static str) -> Result<Option<T>, StoreError>
where
    T: FromStr<Err: ToString>,
{
    get::<Option<&str>>(row, column)?.map(|text| parse_text(column, text)).transpose()
}

fn parse_text<T: FromStr<Err: ToString>>(column: &'static str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|error: T::Err| unreadable(column, error.to_string()))
}

pub(super) fn unreadable(column: &'static str, message: impl Into<String>) -> StoreError {
    StoreError::Unreadable { column, message: message.into() }
}

/// A `u64` that is small by nature: slots, heights and counts.
pub(super) fn get_u64(row: &AnyRow, column: &'static str) -> Result<u64, StoreError> {
    u64::try_from(get::<i64>(row, column)?).map_err(|error| unreadable(column, error.to_string()))
}

/// The same to be written.
pub(super) fn integer(column: &'static str, number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|error| unreadable(column, error.to_string()))
}

fn commitment(column: &'static str, text: &str) -> Result<Commitment, StoreError> {
    let commitment = level(column, text)?.on_chain();
    commitment.ok_or_else(|| unreadable(column, format!("{text:?} is no commitment")))
}

pub(super) fn level(column: &'static str, text: &str) -> Result<Level, StoreError> {
    let known = Level::ALL.into_iter().find(|level| level.as_str() == text);
    known.ok_or_else(|| unreadable(column, format!("{text:?} is no level")))
}

fn problem(row: &AnyRow) -> Result<Option<Problem>, StoreError> {
    let Some(code) = get::<Option<&str>>(row, "error_code")? else { return Ok(None) };
    let code = ErrorCode::ALL
        .iter()
        .find(|known| known.as_str() == code)
        .ok_or_else(|| unreadable("error_code", format!("{code:?} is no error code")))?;
    Ok(Some(Problem { code: *code, message: get::<Option<String>>(row, "error")?.unwrap_or_default() }))
}

/// Reads an operation.
pub(super) fn operation(row: &AnyRow) -> Result<Operation, StoreError> {
    let amount = parse::<Decimal>(row, "amount")?.0;
    let signature = || Ok::<_, StoreError>(parse::<Base58<64>>(row, "signature")?.0);
    let action = match get::<&str>(row, "kind")? {
        "authorize" => Action::Authorize,
        "transfer" => Action::Transfer,
        "charge" => Action::Charge {
            amount,
            fee: parse::<Decimal>(row, "fee")?.0,
            last: flag(row, "last")?,
            signature: parse_optional::<Base58<64>>(row, "signature")?.map(|signature| signature.0),
        },
        "capture" => Action::Capture {
            amount,
            fee: parse::<Decimal>(row, "fee")?.0,
            last: flag(row, "last")?,
            signature: signature()?,
        },
        "close" => Action::Close {
            amount,
            bound: parse::<Decimal>(row, "bound")?.0,
            fee: parse::<Decimal>(row, "fee")?.0,
            signature: signature()?,
            release: parse::<Base58<64>>(row, "release_signature")?.0,
        },
        "void" => Action::Void { amount, signature: signature()? },
        "refund" => Action::Refund { amount, returns: parse::<Decimal>(row, "returns")?.0 },
        "reclaim" => Action::Reclaim,
        other => return Err(unreadable("kind", format!("{other:?} is no operation"))),
    };
    let state = match get::<&str>(row, "state")? {
        "queued" => OperationState::Queued,
        "sent" => OperationState::Sent,
        "failed" => OperationState::Failed,
        "refused" => OperationState::Refused,
        other => OperationState::Landed(commitment("state", other)?),
    };
    Ok(Operation {
        id: get(row, "id")?,
        payment_id: parse::<Hex32>(row, "payment_id")?.0,
        action,
        commitment: level("commitment", get(row, "commitment")?)?,
        accepted_at: get(row, "accepted_at")?,
        state,
        closed: flag(row, "closed")?,
        problem: problem(row)?,
    })
}

/// How far a transaction is, as the columns have it.
pub(super) struct StateColumns<'a> {
    /// Of a failed transaction it names how final its block is; that it failed, `error_code` says.
    pub(super) state: &'static str,
    pub(super) slot: Option<i64>,
    pub(super) block_hash: Option<String>,
    pub(super) error_code: Option<&'static str>,
    pub(super) error: Option<&'a str>,
}

impl<'a> StateColumns<'a> {
    pub(super) fn new(state: &'a AttemptState) -> Result<Self, StoreError> {
        let landing = state.landing();
        let problem = landing.and_then(|landing| landing.error.as_ref());
        Ok(Self {
            state: landing.map_or(state.as_str(), |landing| landing.commitment.as_str()),
            slot: landing.map(|landing| integer("slot", landing.slot)).transpose()?,
            block_hash: landing.and_then(|landing| landing.block_hash).map(|hash| Base58(hash).to_string()),
            error_code: problem.map(|problem| problem.code.as_str()),
            error: problem.map(|problem| problem.message.as_str()),
        })
    }
}

/// Reads how far a transaction is.
pub(super) fn attempt_state(row: &AnyRow) -> Result<AttemptState, StoreError> {
    Ok(match get::<&str>(row, "state")? {
        "sent" => AttemptState::Sent,
        "expired" => AttemptState::Expired,
        reached => AttemptState::Landed(Landing {
            slot: get_u64(row, "slot")?,
            block_hash: parse_optional::<Base58<32>>(row, "block_hash")?.map(|hash| hash.0),
            commitment: commitment("state", reached)?,
            error: problem(row)?,
        }),
    })
}

/// Reads a transaction with the first of its bytes.
pub(super) fn attempt(row: &AnyRow) -> Result<Attempt, StoreError> {
    Ok(Attempt {
        signature: parse::<Base58<64>>(row, "signature")?.0,
        operation_id: get(row, "operation_id")?,
        position: get::<Option<i64>>(row, "position")?
            .map(u8::try_from)
            .transpose()
            .map_err(|error| unreadable("position", error.to_string()))?,
        transaction: get(row, "layout")?,
        last_valid_block_height: get_u64(row, "last_valid_block_height")?,
        state: attempt_state(row)?,
        is_blameless: flag(row, "is_blameless")?,
    })
}

/// Reads a payment.
pub(super) fn payment(row: &AnyRow) -> Result<Payment, StoreError> {
    Ok(Payment {
        id: parse::<Hex32>(row, "id")?.0,
        terms: match get::<Option<&[u8]>>(row, "intent")? {
            Some(_) => Terms::of(hold_terms(row)?),
            None => Terms::Transfer(TransferTerms {
                destination: parse::<Key>(row, "destination")?.into(),
                is_told: flag(row, "told")?,
            }),
        },
        payer: parse::<Key>(row, "payer")?.into(),
        mint: parse::<Key>(row, "mint")?.into(),
        receiver: parse::<Key>(row, "receiver")?.into(),
        amount: parse::<Decimal>(row, "amount")?.0,
        accepted_at: get(row, "accepted_at")?,
        claim: parse_optional(row, "claim")?,
        resource: resource(row)?,
    })
}

/// Reads what a payment is for.
pub(super) fn resource(row: &AnyRow) -> Result<Resource, StoreError> {
    Ok(Resource { url: get(row, "resource_url")?, product: get(row, "product")? })
}

fn hold_terms(row: &AnyRow) -> Result<HoldTerms, StoreError> {
    let proof: &[u8] = get(row, "receiver_proof")?;
    let (hashes, rest) = proof.as_chunks();
    if !rest.is_empty() {
        return Err(unreadable("receiver_proof", format!("{} bytes are no hashes", proof.len())));
    }
    let signature = parse::<Base58<64>>(row, "signature")?.0;
    Ok(HoldTerms { intent: intent(row)?, signature, receiver_proof: hashes.to_vec() })
}

/// Reads the intent of a payment that is held or charged.
pub(super) fn intent(row: &AnyRow) -> Result<Intent, StoreError> {
    Intent::try_from_slice(get(row, "intent")?).map_err(|error| unreadable("intent", error.to_string()))
}

/// Reads the capture deadline of a payment, unix seconds: for ever where nothing is to be captured.
pub(super) fn capture_deadline(row: &AnyRow) -> Result<i64, StoreError> {
    match get::<Option<&[u8]>>(row, "intent")? {
        Some(_) => Ok(intent(row)?.capture_deadline),
        None => Ok(i64::MAX),
    }
}

/// Reads a voucher.
pub(super) fn voucher(row: &AnyRow) -> Result<Voucher, StoreError> {
    let signature: &[u8] = get(row, "signature")?;
    let signature = signature.try_into().map_err(|_| unreadable("signature", "it has not 64 bytes"))?;
    Ok(Voucher {
        amount: get::<i64>(row, "amount")?.cast_unsigned(),
        fee: get::<i64>(row, "fee")?.cast_unsigned(),
        signature,
    })
}
