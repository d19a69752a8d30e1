//! Checks whether a payment is what a route asks for. No I/O; time is a field of the terms.

use serde_json::{Value, json};
use x402_escrow_wire::{
    X402_VERSION,
    auth_capture::{Extra, Payload, VoucherPayload},
    error_code::ErrorCode,
    payment::{PaymentPayload, PaymentRequirements},
    text::Hex32,
};

use crate::{config::MerchantConfig, terms::Terms};

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
    /// Last second for captures, unix.
    pub(crate) capture_deadline: i64,
    /// What pays for this request, where the price is streamed.
    pub(crate) voucher: Option<VoucherPayload>,
    /// Whether the payment is an intent, whose hold is still to be made.
    pub(crate) opens_hold: bool,
}

impl Accepted {
    /// What the payment's capture or release is settled with. How final the hold had to be says
    /// nothing of them.
    pub(crate) fn lifecycle_requirements(&self, config: &MerchantConfig) -> PaymentRequirements {
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
                message: format!("accepted.{field}: is not what this request costs"),
            });
        }
        let payload = Payload::read_field(&payment.payload);
        // A hold that is there has a deadline of its own; a voucher's terms may be as old as the
        // hold.
        if let (Ok(Payload::Voucher(voucher)), Some(_)) = (&payload, self.price.hold) {
            let voucher = *voucher;
            return Ok(Accepted {
                payment_id: voucher.payment_id,
                payload: json!(voucher),
                requirements: accepted.clone(),
                capture_deadline: extra.capture_deadline,
                voucher: Some(voucher),
                opens_hold: false,
            });
        }
        if issued_at > self.now || extra.capture_deadline < self.now.saturating_add(MINIMUM_CAPTURE_SECONDS) {
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
                Ok(Accepted {
                    payment_id: Hex32(intent.intent(accepted, &extra).digest()),
                    payload: json!(intent),
                    requirements: accepted.clone(),
                    capture_deadline: extra.capture_deadline,
                    voucher: intent.voucher.filter(|_| self.price.hold.is_some()),
                    opens_hold: true,
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
mod tests {
    use ed25519_dalek::SigningKey;
    use serde_json::Value;
    use x402_escrow_wire::{
        auth_capture::ESCROW_FLOW,
        text::{Base58, Decimal},
    };

    use super::*;
    use crate::{facilitator::Support, price::Price};

    const NOW: i64 = 1_700_000_000;

    fn config() -> MerchantConfig {
        MerchantConfig::new(
            "http://facilitator.test".into(),
            "https://shop.test".into(),
            Base58([2; 32]),
            SigningKey::from_bytes(&[7; 32]),
            "unsettled.json".into(),
        )
    }

    fn support() -> Support {
        Support { network: "solana:test".into(), program: Base58([3; 32]), fee_payer: Base58([4; 32]) }
    }

    /// Checks a payment for terms of `issued`, altered, at `NOW`.
    fn check(issued: i64, alter: impl Fn(&mut PaymentPayload)) -> Result<Accepted, String> {
        let (config, support, price) = (config(), support(), Price::new(1000));
        let terms = |now| Terms {
            config: &config,
            support: &support,
            price: &price,
            url: "https://shop.test/a",
            resource_hash: [6; 32],
            now,
        };
        let mut payment = PaymentPayload {
            x402_version: 2,
            resource: None,
            accepted: terms(issued).requirements(),
            payload: json!({"escrow": Base58([1; 32]), "sessionKey": Base58([1; 32]),
                "incarnation": Base58([1; 32]), "nonce": "1", "authorizeBy": NOW + 60,
                "signature": Base58([1; 64])}),
            extensions: None,
        };
        alter(&mut payment);
        terms(NOW).check(&payment).map_err(|mismatch| mismatch.message)
    }

    #[test]
    fn payment_on_the_terms_is_accepted_while_the_challenge_is_fresh() {
        assert!(check(NOW, |_| {}).is_ok());
        assert!(check(NOW - 3600 + MINIMUM_CAPTURE_SECONDS, |_| {}).is_ok());
    }

    #[test]
    fn old_challenge_and_one_from_the_future_are_refused() {
        for issued in [NOW - 3600 + MINIMUM_CAPTURE_SECONDS - 1, NOW + 1] {
            assert!(check(issued, |_| {}).unwrap_err().contains("captureDeadline"), "{issued}");
        }
    }

    #[test]
    fn every_altered_term_is_refused_by_name() {
        type Alter = fn(&mut PaymentPayload);
        let cases: [(&str, Alter); 9] = [
            ("x402Version", |payment| payment.x402_version = 1),
            ("accepted.scheme", |payment| payment.accepted.scheme = "exact".into()),
            ("accepted.network", |payment| payment.accepted.network = "solana:other".into()),
            ("accepted.amount", |payment| payment.accepted.amount = Decimal(999)),
            ("accepted.asset", |payment| payment.accepted.asset = Base58([9; 32])),
            ("accepted.payTo", |payment| payment.accepted.pay_to = Base58([9; 32])),
            ("accepted.maxTimeoutSeconds", |payment| payment.accepted.max_timeout_seconds = 1),
            ("payload.nonce", |payment| payment.payload["nonce"] = json!("x")),
            ("payload.type", |payment| {
                payment.payload = json!({"type": "void", "paymentId": Hex32([0; 32]), "amount": "0",
                    "signature": Base58([1; 64])});
            }),
        ];
        for (field, alter) in cases {
            let message = check(NOW, alter).unwrap_err();
            assert!(message.starts_with(field), "{field}: {message}");
        }
    }

    #[test]
    fn every_altered_extra_is_refused() {
        let extra = Terms {
            config: &config(),
            support: &support(),
            price: &Price::new(1000),
            url: "",
            resource_hash: [6; 32],
            now: NOW,
        }
        .requirements()
        .extra;
        for name in extra.keys().filter(|name| *name != "captureDeadline") {
            let other = match &extra[name] {
                Value::Number(_) => json!(1),
                Value::String(text) if text.len() == 64 => json!("00".repeat(32)),
                Value::String(text) if text == ESCROW_FLOW => json!("authorization"),
                _ => json!(Base58([9; 32])),
            };
            let result = check(NOW, |payment| _ = payment.accepted.extra.insert(name.clone(), other.clone()));
            assert!(result.unwrap_err().contains(name.as_str()), "{name}");
        }
        assert!(
            check(NOW, |payment| _ = payment.accepted.extra.insert("commitment".into(), json!("processed")))
                .is_err()
        );
    }
}
