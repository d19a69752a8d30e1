use std::collections::{BTreeMap, BTreeSet};

use x402_escrow_interface::{
    Address,
    message::{Capture, Digest, Intent},
};
use x402_escrow_tests::model::{Message, Signed};

/// Who signed what.
#[derive(Default)]
pub(crate) struct Signatures {
    /// By whom, and which digest.
    all: BTreeSet<(Address, Digest)>,
    /// By payment.
    captures: BTreeMap<Digest, Vec<Signed>>,
    /// By digest, whoever signed them.
    pub(crate) intents: BTreeMap<Digest, Intent>,
}

impl Signatures {
    pub(super) fn note(&mut self, signed: &Signed) {
        let digest = match &signed.message {
            Message::Intent(intent) => intent.digest(),
            Message::Capture(capture) => capture.digest(),
            Message::Release(release) => release.digest(),
            Message::Revoke(revoke) => revoke.digest(),
        };
        if !self.all.insert((signed.by, digest)) {
            return;
        }
        match signed.message {
            Message::Intent(intent) => drop(self.intents.insert(digest, intent)),
            Message::Capture(capture) => {
                self.captures.entry(capture.intent_digest).or_default().push(*signed);
            }
            Message::Release(_) | Message::Revoke(_) => {}
        }
    }

    /// Whether `by` signed the message with this digest.
    pub(crate) fn has(&self, by: &Address, digest: Digest) -> bool {
        self.all.contains(&(*by, digest))
    }

    /// The captures of a payment that `by` signed.
    pub(crate) fn captures_of(&self, payment: &Digest, by: &Address) -> Vec<(Capture, Signed)> {
        let of_payment = self.captures.get(payment).into_iter().flatten().filter(|signed| signed.by == *by);
        let captures = of_payment.filter_map(|signed| match signed.message {
            Message::Capture(capture) => Some((capture, *signed)),
            _ => None,
        });
        captures.collect()
    }
}
