//! Entries as lines of CSV (RFC 4180).

use x402_escrow_wire::text::{Base58, Hex32};

use super::Entry;

/// The first line.
pub const HEADER: &str = "payment_id,scheme,accepted_at,outcome,payer,asset,symbol,amount,captured,fee,refunded,\
                          transaction,resource_hash,url,product\r\n";

/// An entry's line. `symbol` is its token's, where that is known.
pub fn line(entry: &Entry, symbol: Option<&str>) -> String {
    let booked = &entry.booked;
    let values = [
        Hex32(entry.id).to_string(),
        entry.scheme.to_owned(),
        entry.accepted_at.to_string(),
        booked.outcome.as_str().to_owned(),
        entry.payer.to_string(),
        entry.mint.to_string(),
        symbol.map(field).unwrap_or_default(),
        entry.amount.to_string(),
        booked.captured.to_string(),
        booked.fee.to_string(),
        booked.refunded.to_string(),
        booked.transaction.map(|signature| Base58(signature).to_string()).unwrap_or_default(),
        entry.resource_hash.map(|hash| Hex32(hash).to_string()).unwrap_or_default(),
        entry.resource.url.as_deref().map(field).unwrap_or_default(),
        entry.resource.product.as_deref().map(field).unwrap_or_default(),
    ];
    format!("{}\r\n", values.join(","))
}

/// Text of others in quotes. A spreadsheet would calculate what starts like a formula: a stranger's must stay text.
fn field(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_stays_text_in_one_field() {
        assert_eq!(field("a,b\"c"), "\"a,b\"\"c\"");
        assert_eq!(field("=1+1"), "\"'=1+1\"");
        assert_eq!(field("@SUM(A1)"), "\"'@SUM(A1)\"");
    }
}
