//! The page that a person with a browser sees instead of a challenge. Uses the wire; no I/O.

use x402_escrow_wire::{
    amount,
    auth_capture::Extra,
    error_code::ErrorCode,
    facilitator::SettleResponse,
    payment::{PaymentRequired, PaymentRequirements},
    text::Key,
    usdc,
};

/// Both merchant layers fill the same page: `{{name}}` is a value, and a line that starts with `{{?name}}` is
/// left out where the value is empty.
const TEMPLATE: &str = include_str!("page.html");

/// The page for a challenge, and for the payment that was refused with it.
pub(crate) fn page(
    challenge: &PaymentRequired,
    refused: Option<&SettleResponse>,
    method: &str,
    decimals: Option<u8>,
) -> Option<String> {
    let offer: PaymentRequirements = serde_json::from_value(challenge.accepts.first()?.clone()).ok()?;
    let extra = Extra::read(&offer).ok()?;
    let url = challenge.resource.url.replace('\'', "%27");
    let price = extra.request_price.unwrap_or(offer.amount).0;
    let tokens = |units| tokens(units, decimals, &offer.asset, &offer.network);
    let hold = extra.request_price.map(|_| tokens(offer.amount.0)).unwrap_or_default();
    let what = challenge.resource.description.as_deref().filter(|text| !text.is_empty());
    let refund_seconds = extra.refund_deadline.saturating_sub(extra.capture_deadline);
    let values = [
        ("what", what.unwrap_or(&url).to_owned()),
        ("price", tokens(price)),
        ("refusal", refused.map(reason).unwrap_or_default()),
        ("command", command(method, &url, price, offer.amount.0, decimals, !hold.is_empty())),
        ("curl", curl(method, &url)),
        ("hold", hold),
        ("method", method.to_owned()),
        ("token", named(&offer.asset, &offer.network)),
        ("receiver", offer.pay_to.to_string()),
        ("network", offer.network.clone()),
        ("refunds", if extra.refund_deadline > 0 { duration(refund_seconds) } else { String::new() }),
        ("url", url),
    ];
    Some(fill(&values))
}

fn fill(values: &[(&str, String)]) -> String {
    let mut page = String::with_capacity(TEMPLATE.len());
    for line in TEMPLATE.lines() {
        let left_out = |(name, value): &(&str, String)| {
            value.is_empty() && line.starts_with(&format!("{{{{?{name}}}}}"))
        };
        if values.iter().any(left_out) {
            continue;
        }
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("{{") {
            page.push_str(before);
            let (name, after) = after.split_once("}}").unwrap_or((after, ""));
            let value = values.iter().find(|(known, _)| *known == name);
            page.push_str(&escape(value.map_or("", |(_, value)| value)));
            rest = after;
        }
        page.push_str(rest);
        page.push('\n');
    }
    page
}

/// An amount for people: `0.25 USDC`.
pub(crate) fn tokens(units: u64, decimals: Option<u8>, mint: &Key, network: &str) -> String {
    let decimals = decimals.or_else(|| is_usdc(mint, network).then_some(usdc::DECIMALS));
    match decimals {
        Some(decimals) if is_usdc(mint, network) => format!("{} USDC", amount::format(units, decimals)),
        Some(decimals) => format!("{} tokens", amount::format(units, decimals)),
        None => format!("{units} base units"),
    }
}

fn is_usdc(mint: &Key, network: &str) -> bool {
    usdc::mint(network).is_some_and(|usdc| usdc == mint.to_string())
}

fn named(mint: &Key, network: &str) -> String {
    if is_usdc(mint, network) { format!("USDC, {mint}") } else { mint.to_string() }
}

/// The command that pays for one request.
fn command(method: &str, url: &str, price: u64, hold: u64, decimals: Option<u8>, streamed: bool) -> String {
    let amount =
        |units| decimals.map_or_else(|| "AMOUNT".to_owned(), |decimals| amount::format(units, decimals));
    let method = if method == "GET" { String::new() } else { format!(" --method {method} --data @body") };
    let stream = if streamed { format!(" --stream {}", amount(hold)) } else { String::new() };
    format!(
        "agent fetch '{url}'{method} \\\n    --session session.json --max-amount {}{stream}",
        amount(price)
    )
}

fn curl(method: &str, url: &str) -> String {
    let method = if method == "GET" { String::new() } else { format!(" --request {method} --data @body") };
    format!("curl --include '{url}'{method}")
}

/// The code of a refusal.
pub(crate) fn code(refused: &SettleResponse) -> &str {
    refused.error_reason.as_deref().unwrap_or(ErrorCode::UnexpectedSettleError.as_str())
}

fn reason(refused: &SettleResponse) -> String {
    let code = code(refused);
    match refused.error_message.as_deref() {
        Some(message) => format!("{code}: {message}"),
        None => code.to_owned(),
    }
}

/// Seconds in the largest unit that divides them.
fn duration(seconds: i64) -> String {
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let (size, unit) = units.into_iter().find(|(size, _)| seconds % size == 0).unwrap_or((1, "second"));
    let count = seconds / size;
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_and_merchants_wrote_is_no_html() {
        let escaped = escape("<b>&\"'");
        assert_eq!(escaped, "&lt;b&gt;&amp;&quot;&#39;");
        let page = fill(&[("what", "{{url}}<i>".to_owned()), ("url", "secret".to_owned())]);
        assert!(page.contains("<h1>{{url}}&lt;i&gt;</h1>"), "{page}");
    }

    #[test]
    fn durations_are_in_the_largest_unit_that_divides_them() {
        let told = [86_400, 7200, 3660, 1].map(duration);
        assert_eq!(told, ["1 day", "2 hours", "61 minutes", "1 second"]);
    }
}
