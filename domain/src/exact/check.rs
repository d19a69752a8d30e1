//! Whether a payment is right by itself.

use solana_sdk::transaction::VersionedTransaction;
use x402_escrow_interface::{Address, message::Digest};
use x402_escrow_wire::error_code::ErrorCode;

use super::{
    instructions::{self, Transfer},
    requirements::{Request, Requirements},
    transaction,
};
use crate::{
    identifier::{self, Binding},
    tokens::Tokens,
    verify::{Rejection, Rules, require},
};

/// A payment that is right by itself.
#[derive(Clone, Debug)]
pub struct SoundTransfer {
    /// SHA-256 of the transaction's message.
    pub id: Digest,
    /// Who pays.
    pub payer: Address,
    /// What the transaction does.
    pub transfer: Transfer,
    /// The priority fee that it offers, in lamports.
    pub priority_fee_lamports: u64,
    /// The client's transaction; the fee payer has not signed.
    pub transaction: VersionedTransaction,
}

/// Binds the request's id, if it has one, to what was signed, at `now`, unix seconds.
pub fn bind(request: &Request, checked: &SoundTransfer, now: i64) -> Option<Binding> {
    let identifier = request.identifier.as_ref()?;
    Some(identifier.bind(checked.payer, identifier::hash(&[&checked.id]), request.requirements.amount, now))
}

/// Checks all that can be told without the chain.
///
/// # Errors
/// With the code of the rule that is broken.
pub fn check(request: &Request, rules: &Rules) -> Result<SoundTransfer, Rejection> {
    let transaction = transaction::decode(&request.transaction)?;
    let signer = transaction::check_signers(&transaction, &request.requirements.extra.fee_payer.into())?;
    let (transfer, priority_fee_lamports) =
        instructions::check(&transaction.message, &request.requirements, rules)?;
    transaction::check_authority(signer.as_ref(), &transfer.authority)?;
    let payer = transfer.authority;
    let id = transaction::payment_id(&transaction);
    Ok(SoundTransfer { id, payer, transfer, priority_fee_lamports, transaction })
}

/// Checks that the transaction offers a priority fee of at most `maximum` lamports.
///
/// # Errors
/// If it offers more.
pub fn check_priority_fee(transfer: &SoundTransfer, maximum: u64) -> Result<(), Rejection> {
    let offered = transfer.priority_fee_lamports;
    require(offered <= maximum, ErrorCode::ExactComputePriceTooHigh, || {
        format!(
            "paymentPayload.payload.transaction: offers a priority fee of {offered} lamports (compute unit limit times \
             price); at most {maximum} are paid now, since recent blocks needed no more"
        )
    })
}

/// Checks that the operator pays for transfers of this token, and of so little.
///
/// # Errors
/// If not.
pub fn check_token(requirements: &Requirements, tokens: &Tokens) -> Result<(), Rejection> {
    let minimum = tokens.minimum(&requirements.mint).ok_or_else(|| {
        Rejection::new(
            ErrorCode::ExactUnsupportedAsset,
            format!(
                "paymentRequirements.asset: {} is not served here; ask for one of {} (see GET /supported)",
                requirements.mint,
                tokens.list()
            ),
        )
    })?;
    require(requirements.amount >= minimum, ErrorCode::ExactAmountTooSmall, || {
        let units = if minimum == 1 { "unit" } else { "units" };
        format!(
            "paymentRequirements: the amount must be at least {minimum} base {units} of this token, is {}",
            requirements.amount
        )
    })
}

/// Hash of the memo that may pay only once, if there is one.
pub fn memo_hash(requirements: &Requirements, rules: &Rules) -> Option<Digest> {
    let memo = requirements.extra.memo.as_ref().filter(|_| rules.policy.exact_memo_once)?;
    Some(identifier::hash(&[memo.as_bytes()]))
}

/// The verdict on a payment whose memo another transaction pays for.
pub fn memo_used() -> Rejection {
    Rejection::new(
        ErrorCode::DuplicateSettlement,
        "paymentRequirements.extra.memo: another transaction pays for it, and a memo pays once here; ask for another",
    )
}

/// The verdict on a payment that somebody was already told is paid.
pub fn already_told() -> Rejection {
    Rejection::new(
        ErrorCode::DuplicateSettlement,
        "paymentPayload.payload.transaction: this payment was settled before, and counts once",
    )
}
