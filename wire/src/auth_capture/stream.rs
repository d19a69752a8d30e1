//! Streaming: many requests against one hold. The payer's session key is the capture authorizer, and each request
//! brings a voucher: a capture signed by it, whose amount is all that was bought so far.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use x402_escrow_interface::{
    message::{Capture, Digest, SIGNED_BYTES},
    resource::resource_hash,
};

use crate::text::{Base58, Decimal, Hex32, Key, null_as_default};

/// `extra.captureAuthorizer` where it is the key that signs the intent.
pub const SESSION_KEY: &str = "sessionKey";

/// `payload.type` of a voucher.
pub const VOUCHER: &str = "voucher";

/// Whose signature lets money go to the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureAuthorizer {
    /// This key's.
    Key(Key),
    /// The one's that signs the intent: the hold is streamed.
    SessionKey,
}

impl CaptureAuthorizer {
    /// The key, for an intent signed by `session_key`.
    pub fn key(self, session_key: Key) -> Key {
        match self {
            Self::Key(key) => key,
            Self::SessionKey => session_key,
        }
    }
}

impl From<Key> for CaptureAuthorizer {
    fn from(key: Key) -> Self {
        Self::Key(key)
    }
}

impl fmt::Display for CaptureAuthorizer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(formatter),
            Self::SessionKey => formatter.write_str(SESSION_KEY),
        }
    }
}

impl Serialize for CaptureAuthorizer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CaptureAuthorizer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == SESSION_KEY {
            return Ok(Self::SessionKey);
        }
        text.parse().map(Self::Key).map_err(|error| D::Error::custom(format!("{error}, or {SESSION_KEY:?}")))
    }
}

/// What a client sends for each request on an open hold; `payload.type` is [`VOUCHER`]. The first comes with the intent,
/// since the request that opens the hold is paid for too.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "voucher", rename_all = "camelCase")]
pub struct VoucherPayload {
    /// Digest of the hold's intent.
    pub payment_id: Hex32,
    /// All that is bought so far, in base units: the most that may be captured.
    pub amount: Decimal,
    /// The most of `amount` that goes to the fee recipient, in base units.
    #[serde(default, deserialize_with = "null_as_default")]
    pub fee: Decimal,
    /// By the session key over the capture.
    pub signature: Base58<64>,
}

impl VoucherPayload {
    /// The bytes that the session key signed: a capture that is not the last.
    pub fn signed_bytes(&self) -> [u8; SIGNED_BYTES] {
        let (amount, fee) = (self.amount.0, self.fee.0);
        Capture { intent_digest: self.payment_id.0, amount, fee, last: false }.signed_bytes()
    }
}

/// What a streamed hold is bound to: everything that is sold under `origin` (RFC 6454 6.2, as `https://shop.example`),
/// since one hold pays for many requests. The `resource_hash` of the method `*` and the origin's root.
pub fn stream_resource_hash(origin: &str) -> Digest {
    resource_hash("*", &format!("{origin}/"), b"")
}

/// The origin of an absolute URL, as it is written there: all before the path.
pub fn origin(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |scheme| scheme + "://".len());
    let end = url[authority..].find(['/', '?', '#']).map_or(url.len(), |path| authority + path);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_ends_before_the_path() {
        for url in ["https://a.test:1", "https://a.test:1/", "https://a.test:1/b?c", "https://a.test:1?c"] {
            assert_eq!(origin(url), "https://a.test:1", "{url}");
        }
    }

    #[test]
    fn capture_authorizer_is_a_key_or_the_session_key_by_name() {
        for authorizer in [CaptureAuthorizer::SessionKey, CaptureAuthorizer::Key(Base58([7; 32]))] {
            let json = serde_json::to_value(authorizer).unwrap();
            assert_eq!(serde_json::from_value::<CaptureAuthorizer>(json).unwrap(), authorizer);
        }
        let error = serde_json::from_str::<CaptureAuthorizer>("\"session\"").unwrap_err().to_string();
        assert!(error.contains("sessionKey"), "{error}");
    }
}
