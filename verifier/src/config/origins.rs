//! Whose pages browsers let ask.

/// The origins: `*`, or each as browsers write it.
pub(super) fn origins(origins: Vec<String>) -> Result<Vec<String>, String> {
    let is_any = |origin: &String| origin == "*";
    if origins.iter().any(is_any) && origins.len() > 1 {
        return Err("has * beside others: * is any origin, so give it alone".to_owned());
    }
    match origins.iter().find(|origin| !is_any(origin) && !is_origin(origin)) {
        Some(wrong) => Err(format!("{wrong:?} is neither * nor an origin, as https://shop.example")),
        None => Ok(origins),
    }
}

/// Whether it is written as in the header `Origin`: without a path, in lower case, without the usual port.
fn is_origin(text: &str) -> bool {
    reqwest::Url::parse(text).is_ok_and(|url| {
        ["http", "https"].contains(&url.scheme()) && url.origin().ascii_serialization() == text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_taken_as_browsers_write_them_and_nothing_else() {
        let read = |texts: &[&str]| origins(texts.iter().map(|text| (*text).to_owned()).collect());
        for right in [&[][..], &["*"], &["https://shop.example", "http://localhost:5173"]] {
            assert_eq!(read(right).unwrap(), right);
        }
        for wrong in [
            &["*", "https://shop.example"][..],
            &["https://shop.example/"],
            &["https://Shop.example"],
            &["https://shop.example:443"],
            &["shop.example"],
            &["null"],
            &["ftp://shop.example"],
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
