//! How the pages look, and what a browser may load for them: nothing but that.

use base64::{Engine, prelude::BASE64_STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

const CSS: &str = include_str!("style.css");

/// The header `Content-Security-Policy`: this style sheet, known by its hash, and forms that lead back here.
pub fn content_security_policy() -> String {
    let hash = BASE64_STANDARD.encode(Sha256::digest(CSS));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
}

/// A whole page.
pub fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – x402-escrow verifier" }
                // Browsers ask for an icon where none is named.
                link rel="icon" href="data:,";
                style { (PreEscaped(CSS)) }
            }
            body { (body) }
        }
    }
}

/// A page that says why there is no other. `home` is where people go on, if there is such a place.
pub fn refusal(title: &str, message: &str, home: Option<&str>) -> Markup {
    let body = html! {
        header { h1 { (title) } }
        main {
            p { (message) }
            @if let Some(home) = home { p { a href=(home) { "All payments" } } }
        }
    };
    document(title, &body)
}
