//! Where a stranger may have this machine send something: over HTTPS, to addresses that are public when the connection is
//! made. A name that leads elsewhere by then leads nowhere.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use reqwest::{
    Client, ClientBuilder, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use serde::{Deserialize, Serialize};
use x402_escrow_domain::public_address::is_public;

/// How far a webhook of a merchant may reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// Nowhere: merchants have no webhooks here.
    None,
    /// Public addresses, over HTTPS.
    #[default]
    Public,
    /// Any address, also without TLS: for tests on one machine.
    Any,
}

/// The longest URL, in bytes.
const LONGEST_URL: usize = 1024;

/// Looks names up, and leaves out what is not public.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err("it has no public address".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

impl Reach {
    /// A client that reaches so far.
    pub fn client(self, timeout: Duration) -> Client {
        let built = self.client_builder(timeout).build();
        built.unwrap_or_else(|error| unreachable!("these settings are sound: {error}"))
    }

    /// Settings of the client. It follows no redirect, and looks each name up for each request.
    pub fn client_builder(self, timeout: Duration) -> ClientBuilder {
        let builder = Client::builder().timeout(timeout).redirect(redirect::Policy::none()).no_proxy();
        let builder = builder.pool_max_idle_per_host(0);
        match self {
            Self::Any => builder,
            Self::None | Self::Public => builder.https_only(true).dns_resolver(PublicOnly),
        }
    }

    /// Checks an address that a stranger gave.
    ///
    /// # Errors
    /// Why nothing is sent there.
    pub fn check(self, text: &str) -> Result<(), String> {
        if self == Self::None {
            return Err("this verifier has no webhooks for merchants".to_owned());
        }
        if text.len() > LONGEST_URL {
            return Err(format!("is longer than {LONGEST_URL} bytes"));
        }
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must have no user".to_owned());
        }
        if self == Self::Any {
            return if ["http", "https"].contains(&url.scheme()) {
                Ok(())
            } else {
                Err("must start with https://".to_owned())
            };
        }
        if url.scheme() != "https" {
            return Err("must start with https://".to_owned());
        }
        // A client looks up names only: numbers are told here, however they are written.
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        match host.parse::<IpAddr>() {
            Ok(address) if !is_public(address) => Err(format!("{address} is no public address")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_over_https_are_taken() {
        for url in ["https://shop.example/news", "https://1.1.1.1/", "https://shop.example:8443/?a=b"] {
            assert_eq!(Reach::Public.check(url), Ok(()), "{url}");
        }
        for url in [
            "http://shop.example/",
            "ftp://shop.example/",
            "shop.example",
            "https://user@shop.example/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest",
        ] {
            assert!(Reach::Public.check(url).is_err(), "{url}");
            assert!(Reach::None.check(url).is_err(), "{url}");
        }
        assert!(Reach::None.check("https://shop.example/").is_err());
        assert!(Reach::Any.check("http://127.0.0.1:1/").is_ok());
    }

    /// `localhost` is a name that leads to this machine, as a rebound name does.
    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_leads_nowhere() {
        let Err(error) = PublicOnly.resolve("localhost".parse().unwrap()).await else {
            panic!("it was found")
        };
        assert_eq!(error.to_string(), "it has no public address");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = Reach::Public.client(Duration::from_secs(5));
        let sent = client.post(format!("https://localhost:{port}/")).send();
        let connected = tokio::select! {
            sent = sent => { assert!(sent.is_err()); false }
            _ = listener.accept() => true,
        };
        assert!(!connected);
    }
}
