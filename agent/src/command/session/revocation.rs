//! A signed revocation as a file that anyone can relay.

use anyhow::{Context, Result};
use ed25519_dalek::{Signature, VerifyingKey};
use x402_escrow_wire::revocation::Revocation;

use crate::problem::{Code, Problem};

/// Reads a file's text.
///
/// # Errors
/// If it is no revocation, or not signed by its revoker.
pub(super) fn read(text: &str) -> Result<Revocation> {
    let revocation: Revocation =
        serde_json::from_str(text).context("it is not what agent session revoke --sign-only prints")?;
    let Revocation { revoker, signature, .. } = revocation;
    let is_signed = VerifyingKey::from_bytes(&revoker.0).is_ok_and(|key| {
        let bytes = revocation.message().signed_bytes();
        key.verify_strict(&bytes, &Signature::from_bytes(&signature.0)).is_ok()
    });
    if !is_signed {
        let message = format!("its signature is not by {revoker} over what it says");
        return Err(Problem::new(Code::Failed, message)
            .named("invalid_signature")
            .remedy("sign it again")
            .into());
    }
    Ok(revocation)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};
    use serde_json::{Value, json};
    use x402_escrow_wire::{
        revocation::Scope,
        text::{Base58, Decimal},
    };

    use super::*;

    fn revocation(scope: Scope) -> Revocation {
        let key = SigningKey::from_bytes(&[7; 32]);
        let (program, escrow) = (Base58([1; 32]), Base58([2; 32]));
        let revoker = Base58(key.verifying_key().to_bytes());
        let unsigned = Revocation { program, escrow, scope, revoker, signature: Base58([0; 64]) };
        let signed = key.sign(&unsigned.message().signed_bytes());
        Revocation { signature: Base58(signed.to_bytes()), ..unsigned }
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
            assert_eq!(read(&json!(revocation).to_string()).unwrap(), revocation);
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
                assert!(read(&changed.to_string()).is_err(), "{name}");
                let mut without = honest.clone();
                without.as_object_mut().unwrap().remove(name);
                assert!(read(&without.to_string()).is_err(), "{name}");
            }
        }
    }
}
