//! A verifier that says what is written.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};
use x402_escrow_wire::{
    auth_capture::{Extra, LifecyclePayload, Payload},
    claim::Claim,
    facilitator::FacilitatorRequest,
    text::Decimal,
};

use crate::exchange::Answered;

/// What it says: a status without a verdict, or one of the words of [`said`].
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Said {
    Status(u16),
    Word(String),
}

#[derive(Default)]
pub(super) struct Verifier {
    place: String,
    expected: Vec<(String, Said)>,
    /// What it was asked for and should not have been.
    unexpected: Vec<String>,
    /// Each instance's.
    claims: HashMap<usize, Claim>,
}

impl Verifier {
    pub(super) fn expect(&mut self, place: &str, expected: &[(String, Said)]) {
        (self.place, self.expected) = (place.to_owned(), expected.to_vec());
    }

    pub(super) fn assert_all_was_asked(&self, place: &str) {
        assert!(self.unexpected.is_empty(), "{place}: the verifier was asked for {:?} too", self.unexpected);
        assert!(self.expected.is_empty(), "{place}: the verifier was not asked for {:?}", self.expected);
    }

    /// Answers an instance.
    pub(super) fn answer(&mut self, instance: usize, path: &str, body: &[u8]) -> Answered {
        assert!(!String::from_utf8_lossy(body).contains("junk"), "{}: junk was passed on", self.place);
        let request: FacilitatorRequest = serde_json::from_slice(body).unwrap();
        let requirements = &request.payment_requirements;
        let payload = Payload::read(&request.payment_payload.payload).unwrap();
        let held = requirements.amount.0;
        let (asked, amount) = match &payload {
            Payload::Intent(intent) if path == "/verify" => {
                assert_eq!((intent.capture, request.claim), (None, None), "{}", self.place);
                ("verify".to_owned(), held)
            }
            Payload::Intent(intent) => match intent.capture {
                Some(capture) => (format!("charge {}", capture.amount.0), capture.amount.0),
                None => ("hold".to_owned(), held),
            },
            Payload::Voucher(voucher) => {
                let price = Extra::read(requirements).unwrap().request_price.unwrap();
                (format!("voucher {}", voucher.amount.0), price.0)
            }
            Payload::Lifecycle(LifecyclePayload::Capture { amount, .. }) => {
                (format!("capture {}", amount.0), amount.0)
            }
            Payload::Lifecycle(LifecyclePayload::Close { amount, .. }) => {
                (format!("close {}", amount.0), amount.0)
            }
            Payload::Lifecycle(LifecyclePayload::Void { .. }) => ("void".to_owned(), 0),
        };
        if path != "/verify" {
            self.check_claim(instance, &payload, request.claim);
        }
        let Some(place) = self.expected.iter().position(|(expected, _)| *expected == asked) else {
            self.unexpected.push(asked);
            return Err("this was not expected".to_owned());
        };
        match self.expected.remove(place).1 {
            Said::Status(status) => Ok((status, b"{}".to_vec())),
            Said::Word(word) if word == "lost" => Err("connection reset".to_owned()),
            Said::Word(word) if path == "/verify" => Ok((200, verified(&word).to_string().into_bytes())),
            Said::Word(word) => Ok((200, said(&word, amount).to_string().into_bytes())),
        }
    }

    /// What clients sent is settled with the instance's claim, which it keeps; nothing else has one.
    fn check_claim(&mut self, instance: usize, payload: &Payload, claim: Option<Claim>) {
        if matches!(payload, Payload::Lifecycle(_)) {
            assert_eq!(claim, None, "{}", self.place);
            return;
        }
        let claim = claim.unwrap();
        assert_eq!(*self.claims.entry(instance).or_insert(claim), claim, "{}", self.place);
        let others = self.claims.iter().filter(|(other, _)| **other != instance);
        assert!(others.into_iter().all(|(_, other)| *other != claim), "{}", self.place);
    }
}

/// A verdict of `/verify`.
fn verified(word: &str) -> Value {
    match word {
        "yes" => json!({"isValid": true}),
        reason => json!({"isValid": false, "invalidReason": reason}),
    }
}

/// A verdict.
fn said(word: &str, amount: u64) -> Value {
    let yes = |amount: u64, extra: Value| {
        json!({"success": true, "transaction": "", "network": "solana:test",
            "amount": Decimal(amount), "extra": extra})
    };
    match word {
        "yes" => yes(amount, json!({"status": "confirmed"})),
        "final" => yes(amount, json!({"status": "finalized"})),
        // It was told yes to this claim before.
        "again" => yes(amount, json!({"status": "confirmed", "alreadySettled": true, "claimed": true})),
        // And here to another one.
        "anothers" => yes(amount, json!({"status": "confirmed", "alreadySettled": true})),
        // Less final than any route asks for, and less than a request costs.
        "weak" => yes(0, json!({"status": "unsettled"})),
        reason => {
            json!({"success": false, "errorReason": reason, "transaction": "", "network": "solana:test"})
        }
    }
}
