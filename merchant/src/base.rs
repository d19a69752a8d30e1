//! The URL under which clients reach a merchant, written as clients write it. Uses
//! nothing.

use reqwest::Url;

/// Normalises a base URL: scheme and host in lower case, an international name as it is resolved, no
/// default port, no slash at the end. What is hashed for a payment starts with it, and clients hash
/// the URL that they ask for.
///
/// # Errors
/// If it is no URL of HTTP, or has what a base can't have.
pub(crate) fn normalise(text: &str) -> Result<String, String> {
    // Errors are logged, and never show a password.
    let shown = text.rsplit_once('@').map_or(text, |(_user, rest)| rest);
    let url = Url::parse(text).map_err(|error| format!("{shown:?}: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("{:?} has a user; leave it out", url.host_str().unwrap_or_default()));
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("{text:?} must start with http:// or https://"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{text:?} has a query or a fragment; leave it out"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_written_as_clients_write_it() {
        for (text, base) in [
            ("https://shop.example", "https://shop.example"),
            ("HTTPS://Shop.EXAMPLE:443/", "https://shop.example"),
            ("http://shop.example:80/a/", "http://shop.example/a"),
            ("http://shop.example:443", "http://shop.example:443"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("http://127.0.0.1:4030", "http://127.0.0.1:4030"),
        ] {
            assert_eq!(normalise(text).as_deref(), Ok(base), "{text}");
        }
    }

    #[test]
    fn what_is_no_base_is_told() {
        for text in ["shop.example", "ftp://shop.example", "https://shop.example?a", "https://shop.example#a"]
        {
            normalise(text).unwrap_err();
        }
    }

    #[test]
    fn a_password_is_in_no_error() {
        for text in [
            "https://u:p@shop.example",
            "https://u:p@shop.example?a",
            "ftp://u:p@x",
            "https://u:p@",
            "https://u:p@x:99999",
        ] {
            let error = normalise(text).unwrap_err();
            assert!(!error.contains("u:p"), "{error}");
        }
    }
}
