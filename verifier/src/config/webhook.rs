//! Where payments are told of, and the secret that signs them: `whsec_` and Base64, as Standard Webhooks has it.

use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};
use x402_escrow_domain::webhook::Webhook;

use super::{ConfigError, secret};

/// What the standard asks of a secret's length.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

const ADVICE: &str = "make one with `(umask 077; echo whsec_$(openssl rand -base64 32) > webhook-secret)`";

/// Where news go, if anywhere. The outer `None` if that can't be told; `error` has why.
pub(super) fn read(
    url: Option<String>,
    secret: Option<&Path>,
    error: &mut ConfigError,
) -> Option<Option<Webhook>> {
    let (url, secret) = match (url, secret) {
        (None, None) => return Some(None),
        (Some(url), Some(secret)) => (url, secret),
        (Some(_), None) => {
            error.note("webhook_secret", "is missing: news are signed with it");
            return None;
        }
        (None, Some(_)) => {
            error.note("webhook_url", "is missing: it says where news go");
            return None;
        }
    };
    if !reqwest::Url::parse(&url).is_ok_and(|url| ["http", "https"].contains(&url.scheme())) {
        error.note("webhook_url", "must be an address that starts with http:// or https://");
    }
    let secret = error.sound("webhook_secret", read_secret(secret))?;
    Some(Some(Webhook { url, secret }))
}

fn read_secret(source: &Path) -> Result<Vec<u8>, String> {
    let shown = source.display();
    let text = String::from_utf8(secret::read(source, ADVICE)?).unwrap_or_default();
    // What is wrong is said without the text: it is a secret.
    let secret = text.trim().strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
    match secret {
        Some(secret) if SECRET_BYTES.contains(&secret.len()) => Ok(secret),
        _ => Err(format!("{shown} must hold whsec_ and 24 to 64 bytes in Base64; {ADVICE}")),
    }
}
