//! How an intent is bound to the HTTP request that it pays for.

use solana_sha256_hasher::{hash, hashv};

use crate::message::Digest;

/// `SHA-256(method ‖ "\n" ‖ url ‖ "\n" ‖ SHA-256(body))`.
///
/// `method` is upper case as HTTP sends it, `url` the absolute URL without fragment exactly as the challenge's
/// `resource.url` has it, `body` the request's bytes (empty for none). Neither method nor URL can hold a newline
/// (RFC 9110 5.6.2, RFC 3986 2), so two different requests never make the same input.
pub fn resource_hash(method: &str, url: &str, body: &[u8]) -> Digest {
    resource_hash_of_digest(method, url, &hash(body).to_bytes())
}

/// The same from the body's SHA-256, for whoever has no need to see the body.
pub fn resource_hash_of_digest(method: &str, url: &str, body_digest: &Digest) -> Digest {
    hashv(&[method.as_bytes(), b"\n", url.as_bytes(), b"\n", body_digest]).to_bytes()
}
