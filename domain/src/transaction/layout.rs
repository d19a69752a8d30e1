//! How a transaction is laid out: how much it takes, and where its operations are.

use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_sdk::{
    hash::Hash,
    instruction::Instruction,
    message::{AddressLookupTableAccount, Message, VersionedMessage, v0, v1},
    signer::{Signer, keypair::Keypair},
    transaction::{Transaction, VersionedTransaction},
};
use x402_escrow_interface::Address;

use super::{Part, Signed, Terms};
use crate::priority_fee::{self, LAMPORTS_PER_SIGNATURE};

/// How a transaction is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version<'a> {
    /// The one that every cluster takes.
    #[default]
    Legacy,
    /// Version 0, which names accounts by their place in these lookup tables.
    Zero(&'a [AddressLookupTableAccount]),
    /// Version 1 (SIMD-0385), with room for more, and without lookup tables.
    One,
}

/// Most bytes of a transaction that is not of version 1: what is left of IPv6's least packet. Fewer than 38 accounts
/// fit a legacy one, so the cluster's limit is never reached there.
const MAXIMUM_BYTES: usize = 1232;

/// Most accounts of a transaction, those in lookup tables included.
const MAXIMUM_ACCOUNTS: usize = 64;

/// Most compute units of a transaction.
const MAXIMUM_COMPUTE_UNITS: u32 = 1_400_000;

/// Most instructions of a transaction, with those that they call (the runtime's limit of a trace).
const MAXIMUM_TRACE: usize = 64;

/// Most bytes of the accounts that a transaction of version 1 may load: it has to say. Whoever is paid can name large
/// accounts; those that are too large together go alone.
const LOADED_BYTES_LIMIT: u32 = 32 * 1024 * 1024;

/// Index of the first operation's instruction in a transaction that is not of version 1: after those that set the
/// compute budget.
pub const ESCROW_INSTRUCTION: u8 = 2;

/// Index of the first operation's instruction in a signed transaction.
pub fn first_operation(transaction: &[u8]) -> u8 {
    if transaction.first() == Some(&v1::V1_PREFIX) { 0 } else { ESCROW_INSTRUCTION }
}

/// Returns how to write a transaction that carries as many as fit of the first of `parts`, and how many these are.
/// Lookup tables are used only where they make room for more: each is something else that can go wrong.
///
/// # Errors
/// If they can't be serialised.
pub fn widest<'a>(
    version: Version<'a>,
    fee_payer: &Address,
    parts: &[&Part],
) -> Result<(Version<'a>, usize), SignError> {
    let fitting = self::fitting(version, fee_payer, parts)?;
    if let Version::Zero(_) = version {
        let without_tables = self::fitting(Version::Legacy, fee_payer, parts)?;
        if without_tables >= fitting {
            return Ok((Version::Legacy, without_tables));
        }
    }
    Ok((version, fitting))
}

/// How many of the first of `parts` fit one transaction, at least one.
fn fitting(version: Version<'_>, fee_payer: &Address, parts: &[&Part]) -> Result<usize, SignError> {
    let mut fitting = 1;
    while fitting < parts.len() {
        let more = &parts[..=fitting];
        if unit_limit(more) > MAXIMUM_COMPUTE_UNITS
            || trace(version, more) > MAXIMUM_TRACE
            || !fits(version, fee_payer, more)?
        {
            break;
        }
        fitting += 1;
    }
    Ok(fitting)
}

fn fits(version: Version<'_>, fee_payer: &Address, parts: &[&Part]) -> Result<bool, SignError> {
    // Price and blockhash take as many bytes whatever they are.
    match version {
        Version::Legacy => {
            let transaction =
                Transaction::new_unsigned(Message::new(&with_budget(0, parts), Some(fee_payer)));
            Ok(bincode::serialized_size(&transaction)? <= MAXIMUM_BYTES as u64)
        }
        Version::Zero(tables) => {
            let message = version_0(fee_payer, tables, 0, Hash::default(), parts)?;
            let looked_up = message.address_table_lookups.iter();
            let looked_up =
                looked_up.map(|table| table.writable_indexes.len() + table.readonly_indexes.len());
            let accounts = message.account_keys.len() + looked_up.sum::<usize>();
            // With the number of signatures, and the one.
            let bytes = 1 + v1::SIGNATURE_SIZE + VersionedMessage::V0(message).serialize().len();
            Ok(bytes <= MAXIMUM_BYTES && accounts <= MAXIMUM_ACCOUNTS)
        }
        Version::One => {
            let message = version_1(fee_payer, 0, Hash::default(), parts)?;
            // With the byte that says the version.
            let bytes = 1 + message.size() + v1::SIGNATURE_SIZE;
            Ok(bytes <= v1::MAX_TRANSACTION_SIZE
                && message.account_keys.len() <= usize::from(v1::MAX_ADDRESSES)
                && message.instructions.len() <= usize::from(v1::MAX_INSTRUCTIONS))
        }
    }
}

/// The transaction of `parts`, in their order.
///
/// # Errors
/// If it can't be serialised.
pub fn sign(version: Version<'_>, terms: Terms<'_>, parts: &[&Part]) -> Result<Signed, SignError> {
    let (price, fee_payer) = (terms.compute_unit_price_micro_lamports, terms.fee_payer);
    let blockhash = Hash::new_from_array(terms.blockhash.hash);
    match version {
        Version::Legacy => sign_legacy(terms, &[fee_payer], parts),
        Version::Zero(tables) => {
            let message = version_0(&fee_payer.pubkey(), tables, price, blockhash, parts)?;
            let message = VersionedMessage::V0(message);
            let signature = fee_payer.sign_message(&message.serialize());
            let transaction = VersionedTransaction { signatures: vec![signature], message };
            Ok(Signed { signature: signature.into(), bytes: bincode::serialize(&transaction)? })
        }
        Version::One => {
            let message = version_1(&fee_payer.pubkey(), price, blockhash, parts)?;
            let mut bytes = VersionedMessage::V1(message).serialize();
            let signature = fee_payer.sign_message(&bytes);
            bytes.extend_from_slice(signature.as_ref());
            Ok(Signed { signature: signature.into(), bytes })
        }
    }
}

/// The legacy transaction of `parts`, signed by the fee payer, who is the first of `signers`, and the others.
pub(crate) fn sign_legacy(
    terms: Terms<'_>,
    signers: &[&Keypair],
    parts: &[&Part],
) -> Result<Signed, SignError> {
    let instructions = with_budget(terms.compute_unit_price_micro_lamports, parts);
    let blockhash = Hash::new_from_array(terms.blockhash.hash);
    let payer = Some(&terms.fee_payer.pubkey());
    let transaction = Transaction::new_signed_with_payer(&instructions, payer, signers, blockhash);
    Ok(Signed { signature: transaction.signatures[0].into(), bytes: bincode::serialize(&transaction)? })
}

fn version_0(
    fee_payer: &Address,
    tables: &[AddressLookupTableAccount],
    price_micro_lamports: u64,
    blockhash: Hash,
    parts: &[&Part],
) -> Result<v0::Message, SignError> {
    let instructions = with_budget(price_micro_lamports, parts);
    Ok(v0::Message::try_compile(fee_payer, &instructions, tables, blockhash)?)
}

fn version_1(
    fee_payer: &Address,
    price_micro_lamports: u64,
    blockhash: Hash,
    parts: &[&Part],
) -> Result<v1::Message, SignError> {
    let units = unit_limit(parts);
    let config = v1::TransactionConfig::empty()
        .with_priority_fee(priority_fee::lamports(price_micro_lamports, units.into()))
        .with_compute_unit_limit(units)
        .with_loaded_accounts_data_size_limit(LOADED_BYTES_LIMIT);
    let instructions: Vec<_> = parts.iter().map(|part| part.instruction.clone()).collect();
    Ok(v1::Message::try_compile_with_config(fee_payer, &instructions, blockhash, config)?)
}

/// The fee of a signed transaction of ours, in lamports; `None` if the transaction can't be read.
pub fn fee_lamports(transaction: &[u8]) -> Option<u64> {
    let priority_fee = match first_operation(transaction) {
        0 => {
            let message = transaction.get(1..transaction.len().checked_sub(v1::SIGNATURE_SIZE)?)?;
            v1::deserialize(message).ok()?.config.priority_fee?
        }
        _ => {
            let transaction: VersionedTransaction = bincode::deserialize(transaction).ok()?;
            let instructions = transaction.message.instructions();
            let mut budget = instructions.iter().map(|instruction| &instruction.data);
            let units = u32::from_le_bytes(*budget.next()?.get(1..)?.first_chunk()?);
            let price = u64::from_le_bytes(*budget.next()?.get(1..)?.first_chunk()?);
            priority_fee::lamports(price, units.into())
        }
    };
    Some(LAMPORTS_PER_SIGNATURE.saturating_add(priority_fee))
}

/// How many instructions are carried out, with those that set the budget where instructions do.
fn trace(version: Version<'_>, parts: &[&Part]) -> usize {
    let before = if matches!(version, Version::One) { 0 } else { ESCROW_INSTRUCTION };
    parts.iter().fold(before.into(), |sum: usize, part| sum + 1 + usize::from(part.calls))
}

fn unit_limit(parts: &[&Part]) -> u32 {
    parts.iter().fold(0, |sum: u32, part| sum.saturating_add(part.compute_unit_limit))
}

/// The instructions of a transaction that is not of version 1.
pub(super) fn with_budget(price_micro_lamports: u64, parts: &[&Part]) -> Vec<Instruction> {
    let budget = [
        ComputeBudgetInstruction::set_compute_unit_limit(unit_limit(parts)),
        ComputeBudgetInstruction::set_compute_unit_price(price_micro_lamports),
    ];
    budget.into_iter().chain(parts.iter().map(|part| part.instruction.clone())).collect()
}

/// Why a transaction can't be written.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// It is no legacy transaction and none of version 0.
    #[error("the transaction can't be serialised: {0}")]
    Serialise(#[from] bincode::Error),
    /// It is no transaction of version 0 or 1.
    #[error("the transaction can't be compiled: {0}")]
    Compile(#[from] solana_sdk::message::CompileError),
}

#[cfg(test)]
mod tests;
