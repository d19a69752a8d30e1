//! What merchants call this verifier.

/// Names with or without a port, as in the header `Host`.
pub(super) fn hosts(hosts: Vec<String>) -> Result<Vec<String>, String> {
    match hosts.iter().find(|host| !is_host(host)) {
        Some(wrong) => {
            Err(format!("{wrong:?} is no host as in the header Host: verifier.example, or with its port"))
        }
        None => Ok(hosts),
    }
}

fn is_host(text: &str) -> bool {
    let url = reqwest::Url::parse(&format!("http://{text}/"));
    let is_alone = |url: reqwest::Url| {
        url.path() == "/" && url.query().is_none() && url.username().is_empty() && url.password().is_none()
    };
    !text.is_empty() && !text.contains(['/', '?', '#', '@']) && url.is_ok_and(is_alone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_and_without_a_port_are_taken_and_nothing_else() {
        let read = |texts: &[&str]| hosts(texts.iter().map(|text| (*text).to_owned()).collect());
        for right in [&[][..], &["verifier.example"], &["verifier.example:8443", "[::1]:4020", "localhost"]] {
            assert_eq!(read(right).unwrap(), right);
        }
        for wrong in
            [&[""][..], &["https://verifier.example"], &["verifier.example/"], &["a b"], &["u@a.test"]]
        {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
