//! A signed revocation, which anyone can relay.

use serde::{Deserialize, Serialize};
use x402_escrow_interface::message::{Revoke, RevokeScope};

use crate::text::{Base58, Decimal, Key};

/// A message of an escrow's payer or guardian with its signature. Whoever has it can revoke these sessions and do nothing
/// else: the body of `POST /revocations`, and the file that `agent session revoke --relay` takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revocation {
    /// The escrow program.
    pub program: Key,
    /// The escrow whose sessions are revoked.
    pub escrow: Key,
    /// Which of them.
    #[serde(flatten)]
    pub scope: Scope,
    /// Who signed.
    pub revoker: Key,
    /// Over the message that the other fields make.
    pub signature: Base58<64>,
}

/// The sessions that are revoked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
#[serde(expecting = "sessionKey and incarnation, or openedThroughSlot")]
pub enum Scope {
    /// One incarnation of one session.
    Session {
        /// The session's key.
        session_key: Key,
        /// Its incarnation.
        incarnation: Key,
    },
    /// Every session that was opened in this slot or before.
    All {
        /// The slot.
        opened_through_slot: Decimal,
    },
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

impl Revocation {
    /// The message that the revoker signs.
    pub fn message(&self) -> Revoke {
        Revoke::new(self.program.into(), self.escrow.into(), self.scope.into())
    }
}

/// Answer of `POST /revocations`: the sessions authorize nothing any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revoked {
    /// The transaction that revoked them; absent if they were revoked before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<Base58<64>>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_revocation_without_its_sessions_says_what_is_missing() {
        let key: Key = Base58([1; 32]);
        let mut text = json!({ "program": key, "escrow": key, "revoker": key, "signature": Base58([2; 64]) });
        let error = serde_json::from_value::<Revocation>(text.clone()).unwrap_err().to_string();
        assert!(error.contains("sessionKey and incarnation, or openedThroughSlot"), "{error}");
        text["openedThroughSlot"] = json!("7");
        let revocation: Revocation = serde_json::from_value(text.clone()).unwrap();
        assert_eq!(revocation.scope, Scope::All { opened_through_slot: Decimal(7) });
        assert_eq!(json!(revocation), text);
    }
}
