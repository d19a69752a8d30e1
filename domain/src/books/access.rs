//! Whether a merchant's signed request may see a receiver's books: signed by the receiver or one of its authorizers, for this
//! verifier, and for the next minutes.

use core::net::IpAddr;

use url::form_urlencoded;
use x402_escrow_interface::Address;
use x402_escrow_wire::{
    field::FieldError,
    merchant_request::{LONGEST_VALIDITY_SECONDS, signed_text, split},
    text::{Base58, Key},
};

use crate::signature;

/// A request, as it came.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// Of HTTP.
    pub method: &'a str,
    /// The header `Host`.
    pub host: &'a str,
    /// The path.
    pub path: &'a str,
    /// The whole query.
    pub query: &'a str,
}

/// Which payments a caller may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Of whose payments.
    pub receiver: Address,
    /// Only those that this key may sign for; `None` for all.
    pub authorizer: Option<Address>,
    /// Until when the request is good, unix seconds.
    pub expires: i64,
}

impl Access {
    /// Checks a request to see the payments of `receiver` at `now` (unix seconds). `hosts` are this verifier's names; without
    /// any only names of the machine itself count.
    ///
    /// # Errors
    /// If the request proves nothing; the error names the parameter.
    pub fn check(
        request: SignedRequest<'_>,
        receiver: Address,
        hosts: &[String],
        now: i64,
    ) -> Result<Self, FieldError> {
        let SignedRequest { method, host, path, query } = request;
        let (signed, signature) = split(query).ok_or_else(|| {
            wrong("signature", "must be there, as the last parameter: see docs/http-api.md, Merchants")
        })?;
        let signature: Base58<64> =
            signature.parse().map_err(|message: String| wrong("signature", message))?;
        let value = |name: &str| {
            let mut values = form_urlencoded::parse(signed.as_bytes()).filter(|(found, _)| found == name);
            values.next().map(|(_, value)| value.into_owned())
        };
        let expires: i64 = value("expires")
            .and_then(|expires| expires.parse().ok())
            .ok_or_else(|| wrong("expires", "must be unix seconds"))?;
        if expires <= now {
            return Err(wrong("expires", format!("has passed: it is {now}; sign the request again")));
        }
        if expires > now.saturating_add(LONGEST_VALIDITY_SECONDS) {
            let message = format!("is more than {LONGEST_VALIDITY_SECONDS} seconds ahead: it is {now}");
            return Err(wrong("expires", message));
        }
        let authorizer: Option<Key> = value("authorizer")
            .map(|key| key.parse().map_err(|message: String| wrong("authorizer", message)))
            .transpose()?;
        let key = authorizer.map_or(receiver, Address::from);
        check_host(host, hosts)?;
        let text = signed_text(method, host, &format!("{path}?{signed}"));
        if !signature::is_valid(&key, text.as_bytes(), &signature.0) {
            return Err(wrong("signature", format!("is not by {key} over {text:?}")));
        }
        let authorizer = Some(key).filter(|key| *key != receiver);
        Ok(Self { receiver, authorizer, expires })
    }
}

/// A name of another verifier is refused: the request was signed for that one.
fn check_host(host: &str, hosts: &[String]) -> Result<(), FieldError> {
    let is_ours = if hosts.is_empty() {
        is_local(host)
    } else {
        hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host))
    };
    if is_ours {
        return Ok(());
    }
    let message =
        format!("{host:?} is not among the verifier's names; its operator lists them in public_hosts");
    Err(wrong("host", message))
}

/// Whether a host is this machine, with or without a port.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn wrong(field: &str, message: impl Into<String>) -> FieldError {
    FieldError { field: field.to_owned(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};
    use x402_escrow_wire::merchant_request::with_signature;

    use super::*;

    const NOW: i64 = 1_000_000;
    const PATH: &str = "/merchants/x/payments";

    fn key(seed: u8) -> (SigningKey, Address) {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let address = Address::from(key.verifying_key().to_bytes());
        (key, address)
    }

    fn signed(by: &SigningKey, method: &str, host: &str, query: &str) -> String {
        let text = signed_text(method, host, &format!("{PATH}?{query}"));
        with_signature(query, &by.sign(text.as_bytes()).to_bytes())
    }

    fn check(host: &str, query: &str, hosts: &[&str]) -> Result<Access, String> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let request = SignedRequest { method: "GET", host, path: PATH, query };
        Access::check(request, key(1).1, &hosts, NOW).map_err(|error| error.field)
    }

    #[test]
    fn the_receiver_sees_all_and_an_authorizer_what_it_may_sign_for() {
        let expires = NOW + 60;
        let query = signed(&key(1).0, "GET", "pay.test", &format!("outcome=paid&expires={expires}"));
        let all = Access { receiver: key(1).1, authorizer: None, expires };
        assert_eq!(check("pay.test", &query, &["other.test", "PAY.test"]), Ok(all));
        let query = format!("authorizer={}&expires={expires}", key(2).1);
        let own = Access { authorizer: Some(key(2).1), ..all };
        assert_eq!(check("pay.test", &signed(&key(2).0, "GET", "pay.test", &query), &["pay.test"]), Ok(own));
        assert_eq!(
            check("pay.test", &signed(&key(3).0, "GET", "pay.test", &query), &["pay.test"]),
            Err("signature".to_owned()),
            "another's signature"
        );
    }

    #[test]
    fn a_signature_is_good_for_one_method_host_and_query_and_for_minutes() {
        let by = key(1).0;
        let query = format!("outcome=paid&expires={}", NOW + 60);
        let good = signed(&by, "GET", "pay.test", &query);
        let refused = |host: &str, query: &str, hosts: &[&str]| check(host, query, hosts).unwrap_err();
        assert!(check("pay.test", &good, &["pay.test"]).is_ok());
        assert_eq!(refused("evil.test", &good, &["pay.test"]), "host", "sent on as it was signed");
        assert_eq!(refused("pay.test", &signed(&by, "GET", "evil.test", &query), &["pay.test"]), "signature");
        assert_eq!(refused("pay.test", &signed(&by, "PUT", "pay.test", &query), &["pay.test"]), "signature");
        assert_eq!(refused("pay.test", &good.replace("paid", "void"), &["pay.test"]), "signature");
        assert_eq!(refused("pay.test", &format!("{good}&x=1"), &["pay.test"]), "signature");
        for (expires, is_good) in [(NOW, false), (NOW + 1, true), (NOW + 300, true), (NOW + 301, false)] {
            let query = signed(&by, "GET", "pay.test", &format!("expires={expires}"));
            assert_eq!(check("pay.test", &query, &["pay.test"]).is_ok(), is_good, "{expires}");
        }
        assert_eq!(refused("pay.test", "outcome=paid", &["pay.test"]), "signature");
        assert_eq!(
            refused("pay.test", &signed(&by, "GET", "pay.test", "outcome=paid"), &["pay.test"]),
            "expires"
        );
    }

    #[test]
    fn without_names_only_this_machine_is_known() {
        let query = format!("expires={}", NOW + 60);
        for (host, is_known) in [
            ("127.0.0.1:4020", true),
            ("localhost", true),
            ("[::1]:4020", true),
            ("pay.test", false),
            ("127.0.0.1.pay.test", false),
            ("", false),
        ] {
            let found = check(host, &signed(&key(1).0, "GET", host, &query), &[]);
            assert_eq!(found.is_ok(), is_known, "{host}");
        }
    }
}
