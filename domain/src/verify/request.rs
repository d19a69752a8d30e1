//! What a request asks for, as far as it can be told without the chain.

use x402_escrow_interface::{
    instruction::Signature,
    message::{Digest, Intent},
};
use x402_escrow_wire::{
    auth_capture::{Extra, IntentPayload, Payload, VoucherPayload},
    error_code::ErrorCode,
    facilitator::FacilitatorRequest,
};

use super::{Rejection, Rules, charge, intent, requirements, voucher};
use crate::{identifier, payment::Action};

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
    /// How the amount is charged, where that is said: of the flow `authorization`.
    pub charge: Option<Action>,
}

impl SignedIntent {
    /// Hash of all that was signed: two purchases under one id must not differ in any of it.
    pub fn hash(&self) -> Digest {
        let voucher = self.first_voucher.map(|voucher| voucher.signed_bytes());
        let voucher = voucher.as_ref().map_or(&[][..], |bytes| bytes);
        identifier::hash(&[&self.intent.signed_bytes(), voucher])
    }
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

/// Checks all that can be told without the chain at `now`, unix seconds.
///
/// # Errors
/// If the payment is not for these requirements, they are not ours to settle, or the session key did not sign.
pub fn read_intent(
    rules: &Rules,
    request: &FacilitatorRequest,
    payload: &IntentPayload,
    now: i64,
) -> Result<SignedIntent, Rejection> {
    let asked = &request.payment_requirements;
    let extra = requirements::check(asked, rules)?;
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
        voucher::check_first(voucher, &intent, &extra, now, &rules.policy)?;
    }
    let charge = charge::read(payload, &intent, &extra)?;
    let first_voucher = payload.voucher.filter(|_| extra.request_price.is_some());
    Ok(SignedIntent {
        intent,
        signature: signature.0,
        receiver_proof: payload.proof(),
        extra,
        first_voucher,
        charge,
    })
}
