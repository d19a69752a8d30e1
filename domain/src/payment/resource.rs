//! What a payment is for, as its client says. Nobody signed that: the payer's word for it.

use url::Url;
use x402_escrow_wire::payment::ResourceInfo;

/// The longest URL and the longest product that are kept, in bytes.
const LONGEST: usize = 512;

/// What a payment is for. Empty where the client did not say it, or said it in a way that can't be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// Where it is sold, without query and fragment: those may hold what is nobody else's business.
    pub url: Option<String>,
    /// What it is, for people.
    pub product: Option<String>,
}

impl Resource {
    /// Reads what came with the payment.
    pub fn of(told: Option<&ResourceInfo>) -> Self {
        let Some(told) = told else { return Self::default() };
        let names = [told.description.as_deref(), told.service_name.as_ref().and_then(|name| name.as_str())];
        Self { url: url(&told.url), product: names.into_iter().flatten().find_map(product) }
    }
}

fn url(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    url.set_query(None);
    url.set_fragment(None);
    Some(String::from(url)).filter(|url| url.len() <= LONGEST)
}

fn product(text: &str) -> Option<String> {
    let text = text.trim();
    let is_shown = !text.is_empty() && text.len() <= LONGEST && !text.contains(char::is_control);
    is_shown.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_may_be_private_or_can_not_be_shown_is_left_out() {
        let told = |url: &str, description: &str| {
            let info = serde_json::from_value(json!({ "url": url, "description": description })).unwrap();
            let resource = Resource::of(Some(&info));
            (resource.url, resource.product)
        };
        let some = |text: &str| Some(text.to_owned());
        let kept = (some("https://a.test/report"), some("A report"));
        assert_eq!(told("https://a.test/report?key=secret#part", " A report "), kept);
        for url in ["https://user:word@a.test/", "ftp://a.test/", "a.test", ""] {
            assert_eq!(told(url, "line\nline"), (None, None), "{url}");
        }
        let long = "x".repeat(600);
        assert_eq!(told(&format!("https://a.test/{long}"), &long), (None, None));
        assert_eq!(Resource::of(None), Resource::default());
    }
}
