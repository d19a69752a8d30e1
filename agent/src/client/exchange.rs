//! What goes to a server and what comes back.

use std::net::IpAddr;

use reqwest::{
    Method, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde_json::Value;
use x402_escrow_interface::resource::resource_hash;
use x402_escrow_wire::{
    X402_VERSION,
    facilitator::SettleResponse,
    payment::{PAYMENT_REQUIRED, PAYMENT_RESPONSE, PAYMENT_SIGNATURE, PaymentPayload, PaymentRequired},
    text::{HeaderError, Hex32, decode_header, encode_header},
};

use super::{FetchError, Fetched, Receipt};

/// What is read of a response at most.
const MAXIMUM_RESPONSE_BYTES: usize = 32 * 1024 * 1024;

/// The longest key.
const MAXIMUM_KEY_CHARACTERS: usize = 255;

/// A request to a server that may ask for payment.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method, upper case.
    pub method: String,
    /// Absolute URL.
    pub url: String,
    /// Headers to send along.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// The caller's own name for what it buys, of 1 to 255 characters. It buys once: asked for again, also by another
    /// process, the same payment is sent again.
    pub key: Option<String>,
}

impl Request {
    /// A `GET` request.
    pub fn get(url: &str) -> Self {
        Self { method: "GET".into(), url: url.into(), headers: Vec::new(), body: Vec::new(), key: None }
    }

    /// A `POST` request with a JSON body.
    pub fn post_json(url: &str, body: &Value) -> Self {
        let headers = vec![(CONTENT_TYPE.to_string(), "application/json".into())];
        let body = body.to_string().into_bytes();
        Self { method: "POST".into(), url: url.into(), headers, body, key: None }
    }

    /// The same request under the caller's own key.
    #[must_use]
    pub fn keyed(self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self }
    }
}

/// A request on its way, and what it is to the streams.
pub(super) struct Call<'a> {
    pub(super) request: &'a Request,
    /// Method and URL, as they are sent and hashed.
    pub(super) method: Method,
    pub(super) url: Url,
    /// Scheme, host and port.
    pub(super) origin: String,
    /// Method and path.
    pub(super) route: String,
    /// Hash of method, URL and body.
    pub(super) resource_hash: Hex32,
}

impl<'a> Call<'a> {
    /// # Errors
    /// If the request can't be sent as it is, or anybody could read and change it on its way.
    pub(super) fn new(request: &'a Request, allows_http: bool) -> Result<Self, FetchError> {
        let invalid = |what, message: String| FetchError::InvalidRequest { what, message };
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| invalid("method", format!("{:?} is none", request.method)))?;
        let mut url: Url =
            request.url.parse().map_err(|error| invalid("url", format!("{:?}: {error}", request.url)))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid("url", format!("{:?} must start with http:// or https://", request.url)));
        }
        if !allows_http && !is_private(&url) {
            return Err(FetchError::PlainHttp { url: request.url.clone() });
        }
        url.set_fragment(None);
        for (name, value) in &request.headers {
            let valid = reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_ok()
                && HeaderValue::from_str(value).is_ok();
            if !valid {
                return Err(invalid("headers", format!("{name:?} is not a header")));
            }
        }
        if request
            .key
            .as_deref()
            .is_some_and(|key| !(1..=MAXIMUM_KEY_CHARACTERS).contains(&key.chars().count()))
        {
            return Err(invalid("key", format!("must have 1 to {MAXIMUM_KEY_CHARACTERS} characters")));
        }
        let origin = url.origin().ascii_serialization();
        let route = format!("{method} {}", url.path());
        let resource_hash = Hex32(resource_hash(&request.method, url.as_str(), &request.body));
        Ok(Self { request, method, url, origin, route, resource_hash })
    }

    /// The caller's own name for what it buys.
    pub(super) fn key(&self) -> Option<&'a str> {
        self.request.key.as_deref()
    }
}

/// Whether nobody on the way can read or change what goes to the URL: by TLS, or as it does not leave the machine.
pub(super) fn is_private(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    let is_loopback = address
        .map_or(host == "localhost" || host.ends_with(".localhost"), |address: IpAddr| address.is_loopback());
    url.scheme() == "https" || is_loopback
}

pub(super) fn challenge(headers: &HeaderMap) -> Result<PaymentRequired, FetchError> {
    let header = headers
        .get(PAYMENT_REQUIRED)
        .ok_or_else(|| FetchError::NotX402(format!("the header {PAYMENT_REQUIRED} is missing")))?;
    let text = header.to_str().map_err(|_| FetchError::NotX402(format!("{PAYMENT_REQUIRED} is not text")))?;
    let challenge: PaymentRequired =
        decode_header(text).map_err(|error: HeaderError| FetchError::NotX402(error.to_string()))?;
    if challenge.x402_version != X402_VERSION {
        return Err(FetchError::NotX402(format!("x402Version is {}", challenge.x402_version)));
    }
    Ok(challenge)
}

pub(super) fn payment_header(payment: &PaymentPayload) -> Result<String, FetchError> {
    encode_header(payment)
        .map_err(|error| FetchError::InvalidRequest { what: PAYMENT_SIGNATURE, message: error.to_string() })
}

/// Reads the response; a settlement that it reports goes into the receipt.
pub(super) async fn read(
    mut response: reqwest::Response,
    payment: Option<Receipt>,
) -> Result<Fetched, reqwest::Error> {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let settlement = headers
        .get(PAYMENT_RESPONSE)
        .and_then(|header| header.to_str().ok())
        .and_then(|text| decode_header::<SettleResponse>(text).ok());
    let (body, truncated) = read_body(&mut response, MAXIMUM_RESPONSE_BYTES).await?;
    Ok(Fetched {
        status,
        headers,
        body,
        truncated,
        payment: payment.map(|receipt| Receipt { settlement, ..receipt }),
    })
}

/// The first `maximum` bytes of the body, and whether it is longer.
pub(super) async fn read_body(
    response: &mut reqwest::Response,
    maximum: usize,
) -> Result<(Vec<u8>, bool), reqwest::Error> {
    let mut body = Vec::new();
    while body.len() <= maximum
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    let is_longer = body.len() > maximum;
    body.truncate(maximum);
    Ok((body, is_longer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tls_and_the_machine_itself_are_private() {
        let check = |url: &str| is_private(&url.parse().unwrap());
        for url in [
            "https://a.test",
            "http://127.0.0.1:1/",
            "http://127.9.9.9",
            "http://[::1]:2/a",
            "http://localhost:3",
            "http://shop.localhost/",
        ] {
            assert!(check(url), "{url}");
        }
        for url in [
            "http://a.test",
            "http://10.0.0.1",
            "http://[::2]/",
            "http://127.0.0.1.a.test/",
            "http://localhost.a.test",
            "http://notlocalhost",
        ] {
            assert!(!check(url), "{url}");
        }
    }
}
