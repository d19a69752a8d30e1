//! The description of a resource for people. A part that breaks a rule of the specification is left out; the rest stays.

use serde_json::Value;
use url::{Host, Url};

/// The longest name and tag, in characters.
const LONGEST_WORD: usize = 32;

/// The most tags.
const MOST_TAGS: usize = 5;

/// The longest URL of a picture, in bytes.
const LONGEST_ICON_URL: usize = 2048;

/// The longest description and media type, in bytes.
const LONGEST_DESCRIPTION: usize = 512;

/// Names of the machine itself.
const OWN_NAMES: [&str; 4] = ["localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"];

pub(super) fn description(text: Option<&str>) -> Option<String> {
    text.filter(|text| text.len() <= LONGEST_DESCRIPTION && !text.contains(char::is_control))
        .map(str::to_owned)
}

pub(super) fn mime_type(text: Option<&str>) -> Option<String> {
    text.filter(|text| text.len() <= LONGEST_DESCRIPTION && is_printable(text)).map(str::to_owned)
}

pub(super) fn service_name(name: Option<&Value>) -> Option<String> {
    name?.as_str().filter(|name| is_word(name)).map(str::to_owned)
}

pub(super) fn tags(tags: Option<&Value>) -> Vec<String> {
    let given = tags.and_then(Value::as_array).into_iter().flatten();
    let mut kept: Vec<String> = Vec::new();
    for tag in given.filter_map(Value::as_str).filter(|tag| is_word(tag)) {
        if kept.len() < MOST_TAGS && !kept.iter().any(|known| known.eq_ignore_ascii_case(tag)) {
            kept.push(tag.to_owned());
        }
    }
    kept
}

/// A URL that a browser may load without reaching into the network that it is in. Numbers are addresses, however they are
/// written: parsing makes them that.
pub(super) fn icon_url(url: Option<&Value>) -> Option<String> {
    let text =
        url?.as_str().filter(|text| text.len() <= LONGEST_ICON_URL && !text.contains(char::is_control))?;
    let url = Url::parse(text).ok()?;
    let is_named =
        matches!(url.host(), Some(Host::Domain(name)) if !OWN_NAMES.contains(&name.trim_end_matches('.')));
    let has_user = !url.username().is_empty() || url.password().is_some();
    (["http", "https"].contains(&url.scheme()) && is_named && !has_user).then(|| text.to_owned())
}

/// A path whose parameters are named: `/users/:id`.
pub(super) fn is_route_template(template: &str) -> bool {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"_/:.-~%".contains(&byte);
    let decoded = template.to_ascii_lowercase().replace("%2e", ".").replace("%3a", ":").replace("%2f", "/");
    template.len() > 1
        && template.len() <= LONGEST_ICON_URL
        && template.starts_with('/')
        && template.bytes().all(is_safe)
        && !decoded.contains("..")
        && !decoded.contains("://")
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_WORD && is_printable(text)
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pictures_of_this_machine_or_of_addresses_are_left_out() {
        let kept = |url: &str| icon_url(Some(&json!(url))).is_some();
        assert!(kept("https://a.test/i.png"));
        for url in [
            "https://127.0.0.1/i",
            "https://2130706433/i",
            "https://0x7f000001/i",
            "https://[::1]/i",
            "https://localhost/i",
            "https://%6cocalhost/i",
            "https://user@a.test/i",
            "data:image/png;base64,AA",
            "file:///i",
            "https://a.test/\u{1}",
        ] {
            assert!(!kept(url), "{url}");
        }
    }

    #[test]
    fn at_most_five_tags_each_once() {
        let given = json!(["a", "A", "b", "", "c", "d", "x".repeat(33), "e", "f", 7, "\u{e9}"]);
        assert_eq!(tags(Some(&given)), ["a", "b", "c", "d", "e"]);
        assert_eq!(tags(Some(&json!("a"))), [""; 0]);
    }

    #[test]
    fn templates_stay_below_their_origin() {
        for (template, is_kept) in [
            ("/users/:id", true),
            ("/", false),
            ("users", false),
            ("/a/../b", false),
            ("/%2E%2e/b", false),
            ("/a?b", false),
            ("/a:%2f%2fb", false),
        ] {
            assert_eq!(is_route_template(template), is_kept, "{template}");
        }
    }
}
