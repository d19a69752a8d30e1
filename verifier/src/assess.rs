//! Gathers what a verdict about an intent needs, and has it judged. Changes nothing.

use std::collections::BTreeSet;

use x402_escrow_interface::{
    account::Escrow,
    instruction::Signature,
    message::{Digest, Intent},
};
use x402_escrow_wire::{
    auth_capture::{Extra, IntentPayload, Payload, VoucherPayload},
    error_code::ErrorCode,
    facilitator::FacilitatorRequest,
    payment::PaymentRequirements,
    payment_identifier::PaymentIdentifier,
};

use crate::{
    app::{App, unix_now},
    chain::ChainError,
    facts::{self, Facts, Subject, receiver_token_accounts},
    identifier,
    limits::TooMany,
    policy::Policy,
    store::StoreError,
    verify::{
        Facilitator, Rejection,
        intent::{self, Claim},
        requirements, voucher,
    },
};

/// Why something was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum NotAccepted {
    /// The verdict is no.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The node didn't answer: no verdict.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The store failed: no verdict.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The payer pays too often: no verdict.
    #[error("this payer pays too often")]
    TooMany(TooMany),
    /// The payment's id is another's: no verdict.
    #[error("the id {0} is another payment's")]
    IdentifierTaken(PaymentIdentifier),
}

/// An intent that its session key signed, for requirements that this facilitator can settle.
#[derive(Clone, Debug)]
pub struct SignedIntent {
    /// What was signed.
    pub intent: Intent,
    /// By the session key.
    pub signature: Signature,
    /// Shows that the receiver is in the session's list, where the session has one.
    pub receiver_proof: Vec<Digest>,
    /// The scheme's part of the requirements.
    pub extra: Extra,
    /// What the request that opens the hold costs, where the hold is streamed.
    pub first_voucher: Option<VoucherPayload>,
}

impl SignedIntent {
    /// Hash of all that was signed: two purchases under one id must not differ in any of it.
    pub fn hash(&self) -> Digest {
        let voucher = self.first_voucher.map(|voucher| voucher.signed_bytes());
        let voucher = voucher.as_ref().map_or(&[][..], |bytes| bytes);
        identifier::signed(&[&self.intent.signed_bytes(), voucher])
    }
}

/// What the chain says about an intent that would be authorized.
#[derive(Clone, Debug)]
pub struct Assessed {
    /// What it was judged by.
    pub facts: Facts,
    /// The escrow.
    pub escrow: Escrow,
}

/// Reads the scheme's payload.
///
/// # Errors
/// If version or scheme are others than ours, or the payload is not what belongs there.
pub fn read_payload(request: &FacilitatorRequest) -> Result<Payload, Rejection> {
    requirements::check_version(request.x402_version, "x402Version")?;
    requirements::check_version(request.payment_payload.x402_version, "paymentPayload.x402Version")?;
    // Another scheme has another payload; its name is the better error.
    requirements::check_scheme(&request.payment_requirements)?;
    Payload::read_field(&request.payment_payload.payload).map_err(|error| {
        let message = error.within("paymentPayload.payload").to_string();
        Rejection::new(ErrorCode::InvalidPayload, message)
    })
}

/// Checks all that can be told without the chain.
///
/// # Errors
/// If the payment is not for these requirements, they are not ours to settle, or the session key did not sign.
pub fn read_intent(
    facilitator: &Facilitator,
    request: &FacilitatorRequest,
    payload: &IntentPayload,
) -> Result<SignedIntent, Rejection> {
    let asked = &request.payment_requirements;
    let extra = requirements::check(asked, facilitator)?;
    requirements::check_accepted(&request.payment_payload.accepted, asked)?;
    let signature = payload.signature.ok_or_else(|| {
        Rejection::new(
            ErrorCode::InvalidPayload,
            "paymentPayload.payload.signature: missing field `signature`",
        )
    })?;
    let intent = intent::read(payload, asked, &extra)?;
    intent::check_signature(&intent, &signature.0)?;
    if extra.request_price.is_some() {
        let voucher = payload.voucher.as_ref().ok_or_else(|| {
            Rejection::new(
                ErrorCode::InvalidPayload,
                "paymentPayload.payload.voucher: missing field `voucher`: the request that opens a streamed hold is paid \
                 for too",
            )
        })?;
        voucher::check_first(voucher, &intent, &extra, unix_now(), &facilitator.policy)?;
    }
    let first_voucher = payload.voucher.filter(|_| extra.request_price.is_some());
    Ok(SignedIntent { intent, signature: signature.0, receiver_proof: payload.proof(), extra, first_voucher })
}

/// Checks the intent against the chain, and against what is promised to others already.
///
/// # Errors
/// If it would not be authorized, or can't be judged now.
pub async fn assess(
    app: &App,
    signed: &SignedIntent,
    asked: &PaymentRequirements,
) -> Result<Assessed, NotAccepted> {
    let SignedIntent { intent, receiver_proof, .. } = signed;
    let asset = asked.asset.into();
    let token_accounts = BTreeSet::from(receiver_token_accounts(&intent.receiver, &asset));
    let subject = Subject {
        program: intent.program,
        escrow: intent.escrow,
        session_key: intent.session_key,
        nonce: Some(intent.nonce),
    };
    let facts = facts::read(app.chain.as_ref(), &subject, &token_accounts).await?;
    let reserved = app.store.promises(&intent.escrow, &facts).await?.reserved(&facts);
    let claim = Claim { intent, receiver_proof, asset: &asset };
    let escrow = intent::check(&claim, &facts, &reserved, &app.facilitator.policy)?;
    let open = app.store.open_holds(&intent.escrow).await?;
    if open >= app.facilitator.policy.maximum_open_holds_per_escrow {
        return Err(too_many_open_holds(&app.facilitator.policy).into());
    }
    Ok(Assessed { facts, escrow })
}

/// The refusal of a payment of an escrow whose owner locks as much of the fee payer's rent as one may.
pub fn too_many_open_holds(policy: &Policy) -> Rejection {
    let maximum = policy.maximum_open_holds_per_escrow;
    let message = format!("payload.escrow: has {maximum} payments that are not over, and may have no more");
    Rejection::new(ErrorCode::TooManyOpenHolds, message)
}
