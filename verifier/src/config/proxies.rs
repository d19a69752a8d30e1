//! The addresses of proxies: single ones, and ranges.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

/// Proxies at an address (`10.0.0.1`), or in a range of addresses (`10.0.0.0/8`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Proxies(IpNet);

impl Proxies {
    /// The range. Addresses of IPv4 are written as such, also where they were given as those of IPv6.
    pub(super) fn range(self) -> IpNet {
        let IpNet::V6(range) = self.0 else { return self.0 };
        match (range.addr().to_ipv4_mapped(), range.prefix_len().checked_sub(96)) {
            (Some(address), Some(length)) => {
                Ipv4Net::new(address, length).map_or(self.0, |range| IpNet::V4(range.trunc()))
            }
            _ => self.0,
        }
    }
}

impl TryFrom<String> for Proxies {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let range = text.parse::<IpNet>().ok();
        let range = range.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        let message = || format!("{text:?} is no address and no range of addresses, as 10.0.0.0/8");
        range.map(|range| Self(range.trunc())).ok_or_else(message)
    }
}

impl From<Proxies> for String {
    fn from(Proxies(range): Proxies) -> Self {
        let is_single = range.prefix_len() == range.max_prefix_len();
        if is_single { range.addr().to_string() } else { range.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_ranges_are_read_and_shown_as_people_write_them() {
        for (text, shown, range) in [
            ("10.0.0.1", "10.0.0.1", "10.0.0.1/32"),
            ("10.1.2.3/8", "10.0.0.0/8", "10.0.0.0/8"),
            ("::1", "::1", "::1/128"),
            ("2001:db8::/32", "2001:db8::/32", "2001:db8::/32"),
            ("::ffff:10.0.0.1", "::ffff:10.0.0.1", "10.0.0.1/32"),
            ("::ffff:10.0.0.0/104", "::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0", "0.0.0.0/0"),
        ] {
            let proxies = Proxies::try_from(text.to_owned()).unwrap();
            assert_eq!((String::from(proxies), proxies.range().to_string()), (shown.into(), range.into()));
        }
        for text in ["", "10.0.0", "10.0.0.0/33", "proxy.example", "10.0.0.0-10.0.0.9"] {
            assert!(Proxies::try_from(text.to_owned()).unwrap_err().contains("as 10.0.0.0/8"), "{text}");
        }
    }
}
