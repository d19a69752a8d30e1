//! Checks whether a payment is what a route asks for. Uses the terms; no I/O, time is a field of them.

use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Map, Value, json};
use x402_escrow_wire::{
    X402_VERSION,
    auth_capture::{Extra, IntentPayload, Payload, VoucherPayload},
    error_code::ErrorCode,
    payment::{PaymentPayload, PaymentRequirements, ResourceInfo},
    payment_identifier,
    text::Hex32,
};

use crate::{
    config::MerchantConfig,
    price::Price,
    record::{About, CLOCK_TOLERANCE},
    terms::Terms,
};

/// A capture needs this long to be put on chain; a challenge with less left is too old to pay.
const MINIMUM_CAPTURE_SECONDS: i64 = 60;

/// A payment that is what was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Accepted {
    /// The payment's id.
    pub(crate) payment_id: Hex32,
    /// The scheme's payload, with the fields that it has and no others.
    pub(crate) payload: Value,
    /// What the client accepted, which the facilitator is asked to settle.
    pub(crate) requirements: PaymentRequirements,
    /// Last second at which the hold can be made, unix. Of a voucher alone it is not known, nor is
    /// the next.
    pub(crate) authorize_by: Option<i64>,
    /// Last second for captures, unix.
    pub(crate) capture_deadline: Option<i64>,
    /// What pays for this request, where the price is streamed.
    pub(crate) voucher: Option<VoucherPayload>,
    /// Whether the payment is an intent, whose hold is still to be made.
    pub(crate) opens_hold: bool,
    /// What the facilitator is told of the route, where a payment begins.
    pub(crate) resource: Option<ResourceInfo>,
    /// The purchase's id, where the price takes ids, and what is declared of the route. Nothing else of
    /// what the client sent.
    pub(crate) extensions: Option<Map<String, Value>>,
}

impl Accepted {
    /// What the facilitator is asked about.
    pub(crate) fn payment(&self) -> PaymentPayload {
        PaymentPayload {
            x402_version: X402_VERSION,
            resource: self.resource.clone(),
            accepted: self.requirements.clone(),
            payload: self.payload.clone(),
            extensions: self.extensions.clone(),
        }
    }

    /// What the hold's ending needs. A hold that was made before now lasts no longer than one that is
    /// offered now.
    pub(crate) fn about(&self, terms: &Terms<'_>) -> About {
        let window = terms.config.capture_window_seconds.saturating_add(CLOCK_TOLERANCE);
        let latest = terms.now.saturating_add(window);
        About {
            requirements: self.lifecycle_requirements(terms.config),
            authorize_by: self.authorize_by.unwrap_or(latest),
            capture_deadline: self.capture_deadline.unwrap_or(latest),
        }
    }

    /// What a charge needs to be settled again.
    pub(crate) fn about_charge(&self, terms: &Terms<'_>) -> About {
        About { requirements: self.requirements.clone(), ..self.about(terms) }
    }

    /// What the payment's capture or release is settled with. How final the hold had to be says
    /// nothing of them.
    fn lifecycle_requirements(&self, config: &MerchantConfig) -> PaymentRequirements {
        let mut requirements = self.requirements.clone();
        match config.capture_commitment {
            Some(commitment) => _ = requirements.extra.insert("commitment".to_owned(), json!(commitment)),
            None => _ = requirements.extra.remove("commitment"),
        }
        requirements
    }
}

/// Why a payment is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// The code on the wire.
    pub(crate) code: ErrorCode,
    /// What is wrong, with the field.
    pub(crate) message: String,
}

impl Terms<'_> {
    /// Checks that a payment is for this request on these terms.
    ///
    /// A challenge is some time old when it is paid, so its deadlines are those of a moment within
    /// the capture window; everything else must be as it would be asked for now.
    ///
    /// # Errors
    /// Names the first field that is not as asked for.
    pub(crate) fn check(&self, payment: &PaymentPayload) -> Result<Accepted, Mismatch> {
        let mismatch = |code, message: &str| Err(Mismatch { code, message: message.to_owned() });
        if payment.x402_version != X402_VERSION {
            return mismatch(ErrorCode::InvalidX402Version, "x402Version: must be 2");
        }
        let accepted = &payment.accepted;
        let extra = Extra::read(accepted).map_err(|error| Mismatch {
            code: ErrorCode::InvalidExtra,
            message: format!("accepted.extra: {error}"),
        })?;

        let issued_at = extra.capture_deadline.saturating_sub(self.config.capture_window_seconds);
        let asked = Terms { now: issued_at, ..*self }.requirements();
        if let Some(field) = difference(&asked, accepted) {
            return Err(Mismatch {
                code: ErrorCode::InvalidPaymentRequirements,
                message: match field.as_str() {
                    "extra.resourceHash" => format!(
                        "accepted.{field}: is not what this request costs; the payment is for another request, or this \
                         server's public_url (--public-url) is not the URL that clients ask for"
                    ),
                    _ => format!("accepted.{field}: is not what this request costs"),
                },
            });
        }
        let payload = Payload::read_field(&payment.payload);
        let identified = identified(self.price, payment);
        // A hold that is there has a deadline of its own; a voucher's terms may be as old as the
        // hold.
        if let (Ok(Payload::Voucher(voucher)), Some(_)) = (&payload, self.price.hold) {
            let voucher = *voucher;
            return Ok(Accepted {
                payment_id: voucher.payment_id,
                payload: json!(voucher),
                requirements: accepted.clone(),
                authorize_by: None,
                capture_deadline: None,
                voucher: Some(voucher),
                opens_hold: false,
                resource: None,
                extensions: identified,
            });
        }
        let is_ours = issued_at <= self.now.saturating_add(CLOCK_TOLERANCE);
        if !is_ours || extra.capture_deadline < self.now.saturating_add(MINIMUM_CAPTURE_SECONDS) {
            return mismatch(
                ErrorCode::DeadlinesInvalid,
                "accepted.extra.captureDeadline: the challenge is too old or not ours; ask for a new one",
            );
        }

        match payload {
            Ok(Payload::Intent(intent)) => {
                if self.price.hold.is_some() && intent.voucher.is_none() {
                    return mismatch(
                        ErrorCode::InvalidPayload,
                        "payload.voucher: missing: the request that opens a streamed hold is paid for too",
                    );
                }
                let signed = intent.intent(accepted, &extra);
                if !is_signed(&intent, &signed.signed_bytes()) {
                    return mismatch(
                        ErrorCode::SignatureInvalid,
                        "payload.signature: is not the session key's over this intent",
                    );
                }
                Ok(Accepted {
                    payment_id: Hex32(signed.digest()),
                    payload: json!(IntentPayload { capture: None, ..(*intent).clone() }),
                    requirements: accepted.clone(),
                    authorize_by: Some(intent.authorize_by),
                    capture_deadline: Some(extra.capture_deadline),
                    voucher: intent.voucher.filter(|_| self.price.hold.is_some()),
                    opens_hold: true,
                    resource: self.listed(),
                    extensions: self.extensions(identified),
                })
            }
            Ok(Payload::Lifecycle(_) | Payload::Voucher(_)) => mismatch(
                ErrorCode::InvalidPayload,
                "payload.type: a client's payload has none, or is a voucher",
            ),
            Err(error) => Err(Mismatch {
                code: ErrorCode::InvalidPayload,
                message: error.within("payload").to_string(),
            }),
        }
    }
}

/// The purchase's id, where the price takes ids.
fn identified(price: &Price, payment: &PaymentPayload) -> Option<Map<String, Value>> {
    let offer = price.identified?;
    let info = payment_identifier::read(payment.extensions.as_ref()).ok()??;
    Some(payment_identifier::identified(offer, &info.id?))
}

/// Whether the session key signed the intent. Anyone can send what nobody signed: it is not worth a
/// question to the facilitator, nor a line in the record.
fn is_signed(intent: &IntentPayload, bytes: &[u8]) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(&intent.session_key.0) else { return false };
    let signature = intent.signature.map(|signature| Signature::from_bytes(&signature.0));
    signature.is_some_and(|signature| key.verify_strict(bytes, &signature).is_ok())
}

/// The first field in which two ways to pay differ.
fn difference(asked: &PaymentRequirements, accepted: &PaymentRequirements) -> Option<String> {
    let fields = [
        ("scheme", asked.scheme == accepted.scheme),
        ("network", asked.network == accepted.network),
        ("amount", asked.amount == accepted.amount),
        ("asset", asked.asset == accepted.asset),
        ("payTo", asked.pay_to == accepted.pay_to),
        ("maxTimeoutSeconds", asked.max_timeout_seconds == accepted.max_timeout_seconds),
    ];
    if let Some((field, _)) = fields.into_iter().find(|(_, same)| !same) {
        return Some(field.to_owned());
    }
    let names = asked.extra.keys().chain(accepted.extra.keys());
    let mut differing = names.filter(|name| asked.extra.get(*name) != accepted.extra.get(*name));
    differing.next().map(|name| format!("extra.{name}"))
}

#[cfg(test)]
mod tests;
