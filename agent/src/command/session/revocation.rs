//! A signed revocation as a file that anyone can relay.

use anyhow::{Context, Result, bail};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use x402_escrow_interface::{
    Address,
    message::{Revoke, RevokeScope},
};
use x402_escrow_wire::text::{Base58, Decimal, Key};

/// A message of an escrow's payer or guardian with its signature. Anyone can relay it, and do
/// nothing else with it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Revocation {
    /// The escrow program.
    pub(super) program: Key,
    /// The escrow whose sessions are revoked.
    pub(super) escrow: Key,
    #[serde(flatten)]
    pub(super) scope: Scope,
    /// Who signed.
    pub(super) revoker: Key,
    /// Over the message that the other fields make.
    pub(super) signature: Base58<64>,
}

/// The sessions that are revoked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(super) enum Scope {
    /// One incarnation of one session.
    Session { session_key: Key, incarnation: Key },
    /// Every session that was opened in this slot or before.
    All { opened_through_slot: Decimal },
}

impl From<Scope> for RevokeScope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Session { session_key, incarnation } => {
                Self::Session { session_key: session_key.into(), incarnation: incarnation.0 }
            }
            Scope::All { opened_through_slot } => Self::OpenedThroughSlot(opened_through_slot.0),
        }
    }
}

/// The message that `revoker` signs.
pub(super) fn message(program: Address, escrow: Address, scope: Scope) -> Revoke {
    Revoke::new(program, escrow, scope.into())
}

impl Revocation {
    /// Reads a file's text.
    ///
    /// # Errors
    /// If it is no revocation, or not signed by its revoker.
    pub(super) fn read(text: &str) -> Result<Self> {
        let revocation: Self =
            serde_json::from_str(text).context("it is not what agent session revoke --sign-only prints")?;
        let Self { program, escrow, scope, revoker, signature } = revocation;
        let message = message(program.into(), escrow.into(), scope);
        let is_signed = VerifyingKey::from_bytes(&revoker.0).is_ok_and(|key| {
            key.verify_strict(&message.signed_bytes(), &Signature::from_bytes(&signature.0)).is_ok()
        });
        if !is_signed {
            bail!("its signature is not by {revoker} over what it says: sign it again");
        }
        Ok(revocation)
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};
    use serde_json::{Value, json};

    use super::*;

    fn revocation(scope: Scope) -> Revocation {
        let key = SigningKey::from_bytes(&[7; 32]);
        let (program, escrow) = (Base58([1; 32]), Base58([2; 32]));
        let signed = key.sign(&message(program.into(), escrow.into(), scope).signed_bytes());
        let revoker = Base58(key.verifying_key().to_bytes());
        Revocation { program, escrow, scope, revoker, signature: Base58(signed.to_bytes()) }
    }

    fn both() -> [Revocation; 2] {
        [
            Scope::Session { session_key: Base58([3; 32]), incarnation: Base58([4; 32]) },
            Scope::All { opened_through_slot: Decimal(5) },
        ]
        .map(revocation)
    }

    #[test]
    fn a_signed_revocation_can_be_relayed() {
        for revocation in both() {
            assert_eq!(Revocation::read(&json!(revocation).to_string()).unwrap(), revocation);
        }
    }

    #[test]
    fn a_changed_or_incomplete_revocation_is_refused() {
        for revocation in both() {
            let honest = json!(revocation);
            for name in honest.as_object().unwrap().keys() {
                let mut changed = honest.clone();
                changed[name] = match &honest[name] {
                    Value::String(text) if text == "5" => json!("6"),
                    _ => json!(Base58([9; 32])),
                };
                assert!(Revocation::read(&changed.to_string()).is_err(), "{name}");
                let mut without = honest.clone();
                without.as_object_mut().unwrap().remove(name);
                assert!(Revocation::read(&without.to_string()).is_err(), "{name}");
            }
        }
    }
}
