//! What a browser brings back after a signed link was opened, so that each further page needs no signature: what may be seen,
//! until when, and a code that only this service's verifiers can make.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use x402_escrow_interface::Address;
use x402_escrow_wire::text::Key;

use super::Access;

/// For how long pages need no new signature, in seconds.
pub const SESSION_SECONDS: i64 = 3600;

/// The cookie's name.
pub const COOKIE: &str = "x402_merchant";

/// Makes codes. All verifiers with one fee payer make the same.
#[derive(Clone)]
pub struct SessionKey([u8; 32]);

impl SessionKey {
    /// Derives the key from a secret, which it does not reveal.
    pub fn of(secret: &[u8]) -> Self {
        Self(code(secret, "x402-escrow merchant pages"))
    }

    /// The cookie's value: `access` at `now` (unix seconds), for an hour.
    pub fn issue(&self, access: &Access, now: i64) -> String {
        let until = now.saturating_add(SESSION_SECONDS);
        let authorizer = access.authorizer.unwrap_or(access.receiver);
        format!("{until}.{authorizer}.{}", self.code(access.receiver, authorizer, until))
    }

    /// What whoever brings this value may see of `receiver` at `now`.
    pub fn check(&self, value: &str, receiver: Address, now: i64) -> Option<Access> {
        let (signed, code) = value.rsplit_once('.')?;
        let (until, authorizer) = signed.split_once('.')?;
        let until: i64 = until.parse().ok()?;
        let authorizer: Address = authorizer.parse::<Key>().ok()?.into();
        // Both are codes of codes, so how long the comparison takes tells nothing.
        let ours = self.code(receiver, authorizer, until);
        let is_ours = self::code(&self.0, code) == self::code(&self.0, &ours);
        let authorizer = Some(authorizer).filter(|key| *key != receiver);
        (is_ours && until > now).then_some(Access { receiver, authorizer, expires: until })
    }

    /// The secret of a webhook that was registered by a request signed until then.
    pub fn webhook_secret(
        &self,
        receiver: Address,
        authorizer: Option<Address>,
        signed_until: i64,
    ) -> [u8; 32] {
        let authorizer = authorizer.unwrap_or(receiver);
        code(&self.0, &format!("webhook.{receiver}.{authorizer}.{signed_until}"))
    }

    fn code(&self, receiver: Address, authorizer: Address, until: i64) -> String {
        let code = code(&self.0, &format!("{receiver}.{authorizer}.{until}"));
        Key::from(Address::from(code)).to_string()
    }
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SessionKey(…)")
    }
}

fn code(key: &[u8], text: &str) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(key);
    let mut mac = mac.unwrap_or_else(|error| unreachable!("any length is a key: {error}"));
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_of_one_receiver_and_key_and_ends_after_an_hour() {
        let [receiver, authorizer, other] = [1, 2, 3].map(|byte| Address::new_from_array([byte; 32]));
        let key = SessionKey::of(b"secret");
        for seen in [None, Some(authorizer)] {
            let value = key.issue(&Access { receiver, authorizer: seen, expires: 0 }, 100);
            let access = Access { receiver, authorizer: seen, expires: 100 + SESSION_SECONDS };
            assert_eq!(key.check(&value, receiver, 100 + SESSION_SECONDS - 1), Some(access));
            assert_eq!(key.check(&value, receiver, 100 + SESSION_SECONDS), None);
            assert_eq!(key.check(&value, other, 100), None);
            assert_eq!(SessionKey::of(b"another").check(&value, receiver, 100), None);
            assert_eq!(key.check(&value.replacen("3700", "9999", 1), receiver, 100), None);
            assert_eq!(
                key.check(&value.replace(&receiver.to_string(), &other.to_string()), receiver, 100).is_some(),
                seen.is_some()
            );
        }
        for value in ["", ".", "1.2.3", "9999"] {
            assert_eq!(key.check(value, receiver, 0), None, "{value}");
        }
    }
}
