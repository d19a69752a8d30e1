//! What browsers need: pages of other origins may ask and pay, nobody pays for asking whether they may, and a
//! person sees a page. Logs why payments are refused. Uses `page`; no I/O but the log.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use tracing::warn;
use x402_escrow_wire::{
    facilitator::SettleResponse,
    payment::{PAYMENT_REQUIRED, PAYMENT_RESPONSE, PaymentRequired, PaymentRequirements},
    text::decode_header,
};

use crate::{page, shared::Shared};

const EXPOSED: HeaderValue = HeaderValue::from_static("PAYMENT-REQUIRED, PAYMENT-RESPONSE");
const ANY: HeaderValue = HeaderValue::from_static("*");
/// For how long a browser keeps the answer, in seconds.
const PREFLIGHT_SECONDS: HeaderValue = HeaderValue::from_static("600");
/// The page has no scripts and loads nothing.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
);

/// What matters of a request for how it is answered.
pub(crate) struct Asking {
    method: Method,
    host: Option<String>,
    is_person: bool,
}

impl Asking {
    pub(crate) fn of(request: &Request) -> Self {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| request.uri().authority().map(|authority| authority.as_str()));
        Self {
            method: request.method().clone(),
            host: host.map(str::to_owned),
            is_person: prefers_html(request.headers()),
        }
    }

    /// Makes the answer one that browsers can use, and notes what the merchant should know of it.
    pub(crate) fn finish(&self, merchant: &Shared, mut response: Response) -> Response {
        allow_pages(response.headers_mut());
        if response.status() != StatusCode::PAYMENT_REQUIRED {
            return response;
        }
        response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
        let Some(challenge) = read::<PaymentRequired>(response.headers(), PAYMENT_REQUIRED) else {
            return response;
        };
        let refused =
            read::<SettleResponse>(response.headers(), PAYMENT_RESPONSE).filter(|told| !told.success);
        match &refused {
            Some(refused) => self.log(merchant, &challenge, refused),
            None => merchant.compare_host(self.host.as_deref()),
        }
        let decimals = merchant.decimals();
        let page =
            self.is_person.then(|| page::page(&challenge, refused.as_ref(), self.method.as_str(), decimals));
        match page.flatten() {
            Some(page) => {
                let (mut parts, _) = response.into_parts();
                parts.headers.remove(header::CONTENT_LENGTH);
                let html = HeaderValue::from_static("text/html; charset=utf-8");
                parts.headers.insert(header::CONTENT_TYPE, html);
                parts.headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
                Response::from_parts(parts, Body::from(page))
            }
            None => response,
        }
    }

    fn log(&self, merchant: &Shared, challenge: &PaymentRequired, refused: &SettleResponse) {
        let offer = challenge.accepts.first().cloned().unwrap_or_default();
        let amount = serde_json::from_value::<PaymentRequirements>(offer)
            .map(|offer| page::tokens(offer.amount.0, merchant.decimals(), &offer.asset, &offer.network))
            .unwrap_or_default();
        let url = &challenge.resource.url;
        let code = page::code(refused);
        let message = refused.error_message.as_deref().unwrap_or("no more is known");
        let method = &self.method;
        warn!(code, url, amount, payer = ?refused.payer, "{method} {url}: a payment of {amount} was refused: {code}: {message}");
    }
}

/// The answer to `OPTIONS`: it costs nothing, and never comes from the handler, which would give away what it sells.
pub(crate) fn preflight() -> Response {
    // Pages have no cookies here: without a payment nobody gets anything.
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY),
        (header::ACCESS_CONTROL_ALLOW_METHODS, ANY),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, ANY),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS),
    ];
    (StatusCode::NO_CONTENT, allowed).into_response()
}

fn allow_pages(headers: &mut HeaderMap) {
    if !headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    }
    headers.append(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}

/// Whether a page is wanted rather than JSON: both may be in `Accept`, each with a weight.
fn prefers_html(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    let mut weights = [0.0_f32; 2];
    for kind in accept.flat_map(|accept| accept.split(',')) {
        let mut parts = kind.split(';').map(str::trim);
        let place = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "text/html" => 0,
            "application/json" => 1,
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        weights[place] = weight.map_or(1.0, |weight| weight.trim().parse().unwrap_or(0.0));
    }
    weights[0] > weights[1]
}

fn read<T: DeserializeOwned>(headers: &HeaderMap, name: &str) -> Option<T> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    let json: serde_json::Value = decode_header(headers.get(name)?.to_str().ok()?).ok()?;
    serde_json::from_value(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_for_those_who_prefer_it_to_json() {
        for (accept, expected) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("application/json, text/html;q=0.9", false),
            ("text/html, application/json", false),
            ("text/html, application/json;q=0.5", true),
            ("text/html;q=0", false),
            ("text/html;q=high", false),
            ("*/*", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(prefers_html(&headers), expected, "{accept}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }
}
