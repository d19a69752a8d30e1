//! How a transaction is laid out: how much it takes, and where its operations are.

use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_sdk::{
    hash::Hash,
    instruction::Instruction,
    message::{Message, VersionedMessage, v1},
    signer::Signer,
    transaction::Transaction,
};
use x402_escrow_interface::Address;

use super::{Part, Signed, Terms};
use crate::priority_fee::{self, LAMPORTS_PER_SIGNATURE};

/// How a transaction is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// The one that every cluster takes.
    #[default]
    Legacy,
    /// Version 1 (SIMD-0385), with room for more.
    One,
}

/// Most bytes of a legacy transaction: what is left of IPv6's least packet. Fewer than 38 accounts fit, so the cluster's
/// limit of 64 is never reached.
const MAXIMUM_LEGACY_BYTES: u64 = 1232;

/// Most compute units of a transaction.
const MAXIMUM_COMPUTE_UNITS: u32 = 1_400_000;

/// Most instructions of a transaction, with those that they call (the runtime's limit of a trace).
const MAXIMUM_TRACE: usize = 64;

/// Most bytes of the accounts that a transaction of version 1 may load: it has to say. Whoever is paid can name large
/// accounts; those that are too large together go alone.
const LOADED_BYTES_LIMIT: u32 = 32 * 1024 * 1024;

/// Index of the first operation's instruction in a legacy transaction: after those that set the compute budget.
pub const ESCROW_INSTRUCTION: u8 = 2;

/// Index of the first operation's instruction in a signed transaction.
pub fn first_operation(transaction: &[u8]) -> u8 {
    if transaction.first() == Some(&v1::V1_PREFIX) { 0 } else { ESCROW_INSTRUCTION }
}

/// How many of the first of `parts` fit one transaction, at least one.
///
/// # Errors
/// If they can't be serialised.
pub fn fitting(version: Version, fee_payer: &Address, parts: &[&Part]) -> Result<usize, SignError> {
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

fn fits(version: Version, fee_payer: &Address, parts: &[&Part]) -> Result<bool, SignError> {
    // Price and blockhash take as many bytes whatever they are.
    match version {
        Version::Legacy => {
            let transaction =
                Transaction::new_unsigned(Message::new(&with_budget(0, parts), Some(fee_payer)));
            Ok(bincode::serialized_size(&transaction)? <= MAXIMUM_LEGACY_BYTES)
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
pub fn sign(version: Version, terms: Terms<'_>, parts: &[&Part]) -> Result<Signed, SignError> {
    let (price, fee_payer) = (terms.compute_unit_price_micro_lamports, terms.fee_payer);
    let blockhash = Hash::new_from_array(terms.blockhash.hash);
    match version {
        Version::Legacy => {
            let instructions = with_budget(price, parts);
            let payer = Some(&fee_payer.pubkey());
            let transaction =
                Transaction::new_signed_with_payer(&instructions, payer, &[fee_payer], blockhash);
            let bytes = bincode::serialize(&transaction)?;
            Ok(Signed { signature: transaction.signatures[0].into(), bytes })
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
            let transaction: Transaction = bincode::deserialize(transaction).ok()?;
            let mut budget = transaction.message.instructions.iter().map(|instruction| &instruction.data);
            let units = u32::from_le_bytes(*budget.next()?.get(1..)?.first_chunk()?);
            let price = u64::from_le_bytes(*budget.next()?.get(1..)?.first_chunk()?);
            priority_fee::lamports(price, units.into())
        }
    };
    Some(LAMPORTS_PER_SIGNATURE.saturating_add(priority_fee))
}

/// How many instructions are carried out, with those that set a legacy transaction's budget.
fn trace(version: Version, parts: &[&Part]) -> usize {
    let before = if version == Version::Legacy { ESCROW_INSTRUCTION } else { 0 };
    parts.iter().fold(before.into(), |sum: usize, part| sum + 1 + usize::from(part.calls))
}

fn unit_limit(parts: &[&Part]) -> u32 {
    parts.iter().fold(0, |sum: u32, part| sum.saturating_add(part.compute_unit_limit))
}

/// The instructions of a legacy transaction.
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
    /// It is no legacy transaction.
    #[error("the transaction can't be serialised: {0}")]
    Serialise(#[from] bincode::Error),
    /// It is no transaction of version 1.
    #[error("the transaction can't be compiled: {0}")]
    Compile(#[from] solana_sdk::message::CompileError),
}

#[cfg(test)]
mod tests {
    use solana_sdk::{instruction::AccountMeta, signer::keypair::Keypair};

    use super::*;
    use crate::cluster::Blockhash;

    /// Parts of 200 bytes and two accounts of their own each.
    fn parts(count: u8, compute_unit_limit: u32) -> Vec<Part> {
        let part = |index: u8| Part {
            instruction: Instruction {
                program_id: Address::new_from_array([250; 32]),
                accounts: [index, 100 + index]
                    .map(|byte| AccountMeta::new([byte; 32].into(), false))
                    .to_vec(),
                data: vec![index; 200],
            },
            compute_unit_limit,
            calls: 1,
        };
        (1..=count).map(part).collect()
    }

    const VERSIONS: [(Version, usize); 2] = [(Version::Legacy, 1232), (Version::One, 4096)];

    fn signed(version: Version, parts: &[&Part]) -> Signed {
        let terms = Terms {
            fee_payer: &Keypair::new_from_array([200; 32]),
            compute_unit_price_micro_lamports: u64::MAX,
            blockhash: Blockhash { hash: [255; 32], last_valid_block_height: 0 },
        };
        sign(version, terms, parts).unwrap()
    }

    fn fit(version: Version, parts: &[&Part]) -> usize {
        fitting(version, &Keypair::new_from_array([200; 32]).pubkey(), parts).unwrap()
    }

    #[test]
    fn as_many_fit_as_their_bytes_allow() {
        for (version, most) in VERSIONS {
            let parts = parts(32, 10_000);
            let parts: Vec<_> = parts.iter().collect();
            let fitting = fit(version, &parts);
            assert!((2..32).contains(&fitting), "{fitting}");
            assert!(signed(version, &parts[..fitting]).bytes.len() <= most);
            assert!(signed(version, &parts[..=fitting]).bytes.len() > most);
            assert_eq!(fit(version, &parts[..1]), 1);
        }
    }

    #[test]
    fn no_more_fit_than_their_accounts_allow() {
        let mut parts = parts(60, 10_000);
        parts.iter_mut().for_each(|part| part.instruction.data.clear());
        // Each has two, and the fee payer and the program are the others.
        assert_eq!(fit(Version::One, &parts.iter().collect::<Vec<_>>()), 31);
    }

    #[test]
    fn no_more_fit_than_their_calls_allow() {
        let mut parts = parts(60, 10_000);
        for part in &mut parts {
            part.instruction.data.clear();
            part.calls = 2;
        }
        assert_eq!(fit(Version::One, &parts.iter().collect::<Vec<_>>()), 21);
    }

    #[test]
    fn as_many_fit_as_their_compute_units_allow() {
        for (limit, expected) in [(700_000, 2), (700_001, 1), (u32::MAX, 1)] {
            for (version, _) in VERSIONS {
                let parts = parts(3, limit);
                assert_eq!(fit(version, &parts.iter().collect::<Vec<_>>()), expected, "{limit}");
            }
        }
    }

    #[test]
    fn the_fee_is_read_out_of_what_was_signed() {
        for (version, _) in VERSIONS {
            let parts = parts(2, 30_000);
            let terms = Terms {
                fee_payer: &Keypair::new_from_array([200; 32]),
                compute_unit_price_micro_lamports: 10_000,
                blockhash: Blockhash { hash: [255; 32], last_valid_block_height: 0 },
            };
            let bytes = sign(version, terms, &parts.iter().collect::<Vec<_>>()).unwrap().bytes;
            assert_eq!(fee_lamports(&bytes), Some(5000 + 600), "{version:?}");
            assert_eq!(fee_lamports(&bytes[..40]), None);
        }
        assert_eq!(fee_lamports(&[]), None);
    }
}
