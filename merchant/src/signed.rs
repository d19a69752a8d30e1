//! Signs requests for a merchant's own payments, on any verifier. Uses nothing of this crate.

use ed25519_dalek::{Signer, SigningKey};
use reqwest::Url;
use x402_escrow_wire::{
    merchant_request::{LONGEST_VALIDITY_SECONDS, signed_text, with_expiry, with_signature},
    text::{Base58, Key},
};

/// Who asks, and where.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The verifier's URL.
    pub verifier: String,
    /// Whose payments.
    pub receiver: Key,
    /// The receiver's key, or that of a receiver authorizer, which sees the payments that name it.
    pub key: SigningKey,
}

/// Why a request can't be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the verifier's URL {url:?}: {message}")]
pub struct NotSigned {
    url: String,
    message: String,
}

impl Asker {
    /// Returns the URL of a request that is good for five minutes after `now`, unix seconds. `rest` follows the receiver in the
    /// path, `/payments` or nothing for the page; each parameter is a name and a value.
    ///
    /// # Errors
    /// If the verifier's URL is none.
    pub fn url(
        &self,
        method: &str,
        rest: &str,
        parameters: &[(&str, String)],
        now: i64,
    ) -> Result<String, NotSigned> {
        let wrong = |message: String| NotSigned { url: self.verifier.clone(), message };
        let mut url = Url::parse(&self.verifier).map_err(|error| wrong(error.to_string()))?;
        let host = url.host_str().ok_or_else(|| wrong("has no host".to_owned()))?;
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        url.set_path(&format!("/merchants/{}{rest}", self.receiver));
        let own = Base58(self.key.verifying_key().to_bytes());
        let authorizer = (own != self.receiver).then(|| ("authorizer", own.to_string()));
        let parameters: Vec<_> = parameters.iter().cloned().chain(authorizer).collect();
        url.set_query(None);
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(&parameters);
        }
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let target = format!("{}{query}", url.path());
        let target = with_expiry(&target, now.saturating_add(LONGEST_VALIDITY_SECONDS));
        let signature = self.key.sign(signed_text(method, &host, &target).as_bytes()).to_bytes();
        Ok(format!("{}://{host}{}", url.scheme(), with_signature(&target, &signature)))
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signature, Verifier};

    use super::*;

    #[test]
    fn a_request_is_signed_as_it_is_sent() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let own = Base58(key.verifying_key().to_bytes());
        let verifier = "https://pay.example:8443/".to_owned();
        let asker = Asker { verifier, receiver: own, key: key.clone() };
        let url =
            asker.url("GET", "/payments", &[("url", "https://a.test/?b=c d".to_owned())], 1000).unwrap();
        let (signed, signature) = url.rsplit_once("&signature=").unwrap();
        let target = signed.strip_prefix("https://pay.example:8443").unwrap();
        let query = "url=https%3A%2F%2Fa.test%2F%3Fb%3Dc+d&expires=1300";
        assert_eq!(target, format!("/merchants/{own}/payments?{query}"));
        let text = signed_text("GET", "pay.example:8443", target);
        let signature = Signature::from_bytes(&signature.parse::<Base58<64>>().unwrap().0);
        key.verifying_key().verify(text.as_bytes(), &signature).unwrap();
        // Another's payments, by a key that may sign for them.
        let asker = Asker { verifier: "http://127.0.0.1:4020".to_owned(), receiver: Base58([9; 32]), key };
        let url = asker.url("GET", "", &[], 1000).unwrap();
        assert!(
            url.starts_with(&format!(
                "http://127.0.0.1:4020/merchants/{}?authorizer={own}&expires=1300&",
                Base58([9; 32])
            )),
            "{url}"
        );
        assert!(Asker { verifier: "pay.example".to_owned(), ..asker }.url("GET", "", &[], 0).is_err());
    }
}
