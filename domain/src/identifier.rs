//! What a client calls its purchase, by which it asks for it again: the extension `payment-identifier`. Uses nothing of
//! this crate.
//!
//! An id is bound to what was signed for it in the same step that accepts the payment: a purchase that bought nothing
//! has not used its id, and nobody fills the store with ids but by paying. It is the signing key's own: no other key's
//! ids are met or learned of, since ids are looked up only after the signature was checked.

use sha2::{Digest as _, Sha256};
use x402_escrow_interface::{Address, message::Digest};
use x402_escrow_wire::{
    auth_capture::{Payload, VOUCHER},
    facilitator::FacilitatorRequest,
    field::FieldError,
    payment_identifier::{self, Offer, PaymentIdentifier},
};

/// For how long an id is kept.
pub const KEPT_SECONDS: i64 = 86_400;

/// How many ids of one key are kept; of more, the oldest are forgotten.
pub const KEPT_OF_ONE_KEY: i64 = 1000;

/// The id in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier {
    /// As the client has it.
    pub id: PaymentIdentifier,
    /// Whether the server says that it keeps purchases apart by their ids. To another server every yes is a purchase, so
    /// it gets only one of each, whatever the client calls it.
    pub is_told_again: bool,
}

/// An id, bound to what was signed for the payment that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Whose signature pays.
    pub signer: Address,
    /// Its id, one of the signer's.
    pub id: PaymentIdentifier,
    /// Hash of all that was signed for it.
    pub signed_hash: Digest,
    /// What it pays, in base units.
    pub amount: u64,
    /// When it was accepted, unix seconds.
    pub accepted_at: i64,
}

/// Reads the id of a request. A server's own captures and releases have none, and need none.
///
/// # Errors
/// If it is malformed, or missing where the server needs one.
pub fn read(request: &FacilitatorRequest) -> Result<Option<Identifier>, FieldError> {
    let payload = &request.payment_payload;
    // Only theirs have another type than a voucher's.
    let has_other_type = payload.payload.get("type").is_some_and(|kind| kind != VOUCHER);
    if has_other_type && matches!(Payload::read_field(&payload.payload), Ok(Payload::Lifecycle(_))) {
        return Ok(None);
    }
    const PATH: &str = "paymentPayload.extensions";
    let info = payment_identifier::read(payload.extensions.as_ref()).map_err(|error| error.within(PATH))?;
    let info = info.unwrap_or_default();
    let offer = payment_identifier::offer(&request.payment_requirements.extra)
        .map_err(|error| error.within("paymentRequirements.extra"))?;
    match info.id {
        Some(id) => Ok(Some(Identifier { id, is_told_again: offer.is_some() })),
        None if info.required || offer == Some(Offer::Required) => Err(FieldError {
            field: format!("{PATH}.{}.info.id", payment_identifier::EXTENSION),
            message: "missing: the server sells nothing without it".to_owned(),
        }),
        None => Ok(None),
    }
}

/// Hash of what was signed for a payment.
pub fn hash(parts: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

impl Identifier {
    /// Binds this id to what `signer` signed at `now`, unix seconds.
    pub fn bind(&self, signer: Address, signed_hash: Digest, amount: u64, now: i64) -> Binding {
        Binding { signer, id: self.id.clone(), signed_hash, amount, accepted_at: now }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ID: &str = "pay_0123456789abcdef";

    fn read_with(payload: Value, extensions: Value, extra: Value) -> Result<Option<Identifier>, FieldError> {
        let key = Address::default().to_string();
        let requirements = json!({ "scheme": "exact", "network": "n", "amount": "1", "asset": key, "payTo": key,
            "maxTimeoutSeconds": 60, "extra": extra });
        let request = json!({
            "x402Version": 2,
            "paymentPayload": { "x402Version": 2, "accepted": requirements, "payload": payload, "extensions": extensions },
            "paymentRequirements": requirements,
        });
        read(&serde_json::from_value(request).unwrap())
    }

    fn info(info: Value) -> Value {
        json!({ "payment-identifier": { "info": info } })
    }

    #[test]
    fn only_the_server_decides_whether_it_is_told_again() {
        let payload = json!({ "transaction": "" });
        let read = |extra| read_with(payload.clone(), info(json!({ "required": true, "id": ID })), extra);
        let told_again = |extra| read(extra).unwrap().unwrap().is_told_again;
        assert!(!told_again(json!({})));
        assert!(told_again(json!({ "paymentIdentifier": "optional" })));
        assert!(told_again(json!({ "paymentIdentifier": "required" })));
        let error = read(json!({ "paymentIdentifier": true })).unwrap_err();
        assert_eq!(error.field, "paymentRequirements.extra.paymentIdentifier");
    }

    #[test]
    fn a_missing_id_is_an_error_where_either_side_says_that_it_is_needed() {
        let payload = json!({ "transaction": "" });
        let field = "paymentPayload.extensions.payment-identifier.info.id";
        for (extensions, extra) in [
            (info(json!({ "required": true })), json!({})),
            (Value::Null, json!({ "paymentIdentifier": "required" })),
            (info(json!({ "required": false })), json!({ "paymentIdentifier": "required" })),
        ] {
            let error = read_with(payload.clone(), extensions, extra).unwrap_err();
            assert_eq!(error.field, field);
            assert!(error.message.starts_with("missing"), "{error}");
        }
        assert_eq!(read_with(payload, Value::Null, json!({ "paymentIdentifier": "optional" })), Ok(None));
    }

    #[test]
    fn what_a_server_sends_needs_no_id() {
        let void = json!({ "type": "void", "paymentId": "00".repeat(32), "amount": "0", "signature": "1".repeat(64) });
        assert_eq!(read_with(void, Value::Null, json!({ "paymentIdentifier": "required" })), Ok(None));
    }
}
