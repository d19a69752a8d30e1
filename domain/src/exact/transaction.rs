//! The client's transaction: its wire form, its identity, and who signed it.

use base64::{Engine, engine::general_purpose::STANDARD};
use solana_sdk::{
    hash,
    message::VersionedMessage,
    signer::{Signer, keypair::Keypair},
    transaction::VersionedTransaction,
};
use x402_escrow_interface::{Address, message::Digest};
use x402_escrow_wire::error_code::ErrorCode;

use crate::{
    signature,
    transaction::Signed,
    verify::{Rejection, require},
};

/// Most bytes of a transaction: what fits a UDP packet of the least MTU that IPv6 guarantees.
const MAXIMUM_TRANSACTION_BYTES: usize = 1232;

/// Signers of a transaction that only the payer and the fee payer sign.
const SIGNERS: usize = 2;

/// Reads a transaction from base64: legacy or version 0, written the one canonical way, nothing behind it.
///
/// # Errors
/// If it is anything else.
pub fn decode(text: &str) -> Result<VersionedTransaction, Rejection> {
    let refuse = |reason: String| {
        Rejection::new(
            ErrorCode::ExactTransactionNotDecoded,
            format!("paymentPayload.payload.transaction: {reason}"),
        )
    };
    let bytes = STANDARD.decode(text).map_err(|error| refuse(format!("is not base64: {error}")))?;
    if bytes.len() > MAXIMUM_TRANSACTION_BYTES {
        return Err(refuse(format!(
            "has {} bytes, and may have at most {MAXIMUM_TRANSACTION_BYTES}",
            bytes.len()
        )));
    }
    let transaction: VersionedTransaction =
        bincode::deserialize(&bytes).map_err(|error| refuse(format!("is not a transaction: {error}")))?;
    if !matches!(transaction.message, VersionedMessage::Legacy(_) | VersionedMessage::V0(_)) {
        return Err(refuse("is of another version than legacy and 0".to_owned()));
    }
    transaction.sanitize().map_err(|error| refuse(format!("is not a transaction: {error}")))?;
    match bincode::serialize(&transaction) {
        Ok(again) if again == bytes => Ok(transaction),
        _ => Err(refuse("has bytes behind its end, or is not written in the canonical form".to_owned())),
    }
}

/// Writes a transaction.
///
/// # Errors
/// Never of one that [`decode`] read.
pub fn serialize(transaction: &VersionedTransaction) -> Result<Vec<u8>, Rejection> {
    bincode::serialize(transaction).map_err(|error| {
        Rejection::new(ErrorCode::UnexpectedSettleError, format!("the transaction can't be written: {error}"))
    })
}

/// The transaction with the fee payer's signature, which is the transaction's id.
///
/// # Errors
/// Never of one whose fee payer [`check_signers`] found to be `fee_payer`.
pub fn sign(mut transaction: VersionedTransaction, fee_payer: &Keypair) -> Result<Signed, Rejection> {
    let signature = fee_payer.sign_message(&transaction.message.serialize());
    let place = transaction.signatures.first_mut().ok_or_else(|| {
        Rejection::new(ErrorCode::UnexpectedSettleError, "the transaction has no place for the fee payer")
    })?;
    *place = signature;
    Ok(Signed { signature: signature.into(), bytes: serialize(&transaction)? })
}

/// What a payment is known by: SHA-256 of the message. Not of the transaction: anybody can write something else into
/// the fee payer's place, and a payer can sign one message in many ways.
pub fn payment_id(transaction: &VersionedTransaction) -> Digest {
    hash::hash(&transaction.message.serialize()).to_bytes()
}

/// Checks that `fee_payer` is to pay the fee, that at most one other key has to sign, and that it did. Returns that key.
///
/// # Errors
/// If not.
pub fn check_signers(
    transaction: &VersionedTransaction,
    fee_payer: &Address,
) -> Result<Option<Address>, Rejection> {
    let message = &transaction.message;
    let keys = message.static_account_keys();
    let signers = usize::from(message.header().num_required_signatures);
    require(signers <= SIGNERS, ErrorCode::ExactExcessiveSigners, || {
        format!(
            "paymentPayload.payload.transaction: needs {signers} signatures, and may need only the payer's and the \
             fee payer's"
        )
    })?;
    let payer_of_fee = keys.first().copied().unwrap_or_default();
    require(payer_of_fee == *fee_payer, ErrorCode::ExactFeePayerMismatch, || {
        format!(
            "paymentPayload.payload.transaction: its fee payer is {payer_of_fee}, and must be {fee_payer}"
        )
    })?;
    if signers < SIGNERS {
        return Ok(None);
    }
    let key = keys.get(1).copied().unwrap_or_default();
    let signature = transaction.signatures.get(1).copied().unwrap_or_default();
    let is_valid = signature::is_valid(&key, &message.serialize(), &signature.into());
    require(is_valid, ErrorCode::ExactSignatureInvalid, || {
        format!("paymentPayload.payload.transaction: has no valid signature by {key}")
    })?;
    Ok(Some(key))
}

/// Checks that `signer`, the one that signed besides the fee payer, is the transfer's `authority`.
///
/// # Errors
/// If nobody signed, or another key did: the payer's signature is missing.
pub fn check_authority(signer: Option<&Address>, authority: &Address) -> Result<(), Rejection> {
    let by = match signer {
        Some(signer) if signer == authority => return Ok(()),
        Some(signer) => format!("the transaction is signed by {signer}"),
        None => "nobody but the fee payer signs it".to_owned(),
    };
    Err(Rejection::new(
        ErrorCode::ExactSignatureInvalid,
        format!(
            "paymentPayload.payload.transaction: the transfer needs the signature of {authority}, and {by}"
        ),
    ))
}
