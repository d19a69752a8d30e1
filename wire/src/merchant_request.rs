//! A merchant's signed request to a verifier: what is signed, and where the signature goes.
//!
//! The last two parameters of the query are `expires`, unix seconds, and `signature`, base58. The signed text names
//! method, host, path and the whole query before the signature, so it is good for one question at one verifier.

use crate::text::Base58;

/// For how long a request may be signed ahead, in seconds.
pub const LONGEST_VALIDITY_SECONDS: i64 = 300;

/// Starts the signed text. Its first letter keeps it from being read as a transaction, as with the program's messages.
const TAG: &str = "x402:merchant-request:v1";

/// Stands before the signature in the query.
const SIGNATURE: &str = "&signature=";

/// Returns the text that is signed with Ed25519. `host` is the header `Host`; `target` is path and query, without the
/// signature.
pub fn signed_text(method: &str, host: &str, target: &str) -> String {
    format!("{TAG}\n{method} {host}{target}")
}

/// Returns `target` with its expiry: what [`signed_text`] takes.
pub fn with_expiry(target: &str, expires: i64) -> String {
    let separator = if target.contains('?') { '&' } else { '?' };
    format!("{target}{separator}expires={expires}")
}

/// Returns `target` with the signature over it.
pub fn with_signature(target: &str, signature: &[u8; 64]) -> String {
    format!("{target}{SIGNATURE}{}", Base58(*signature))
}

/// Splits a query, or a target, into what was signed and the signature as it is written.
pub fn split(query: &str) -> Option<(&str, &str)> {
    query.rsplit_once(SIGNATURE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_target_splits_into_what_was_signed_and_the_signature() {
        let target = with_expiry("/merchants/a/payments?outcome=paid", 7);
        assert_eq!(target, "/merchants/a/payments?outcome=paid&expires=7");
        let signed = with_signature(&target, &[0; 64]);
        assert_eq!(split(&signed), Some((target.as_str(), "1".repeat(64).as_str())));
        assert_eq!(with_expiry("/merchants/a", 7), "/merchants/a?expires=7");
        assert_eq!(split("/merchants/a?expires=7"), None);
        let text = signed_text("GET", "pay.example:4020", "/merchants/a?expires=7");
        assert_eq!(text, "x402:merchant-request:v1\nGET pay.example:4020/merchants/a?expires=7");
    }
}
