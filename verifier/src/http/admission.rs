//! Lets requests in, or answers that too much is asked. First an address's rate is charged, then the body is read, and only
//! then the request gets a place among those that are worked on.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    body::HttpBody,
    extract::{ConnectInfo, Request, State},
    http::HeaderMap,
    middleware::Next,
    response::{IntoResponse, Response},
};
use ipnet::IpNet;

use crate::{
    engine::{app::App, limits::Caller},
    http::{body, error::ApiError},
};

/// The layer of what is worked on. The handler finds its `Caller` among the request's extensions.
pub async fn admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match admitted(&app, request).await {
        // The place is free once the answer is made: a client that follows a payment takes none.
        Ok((request, _caller)) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

async fn admitted(app: &App, mut request: Request) -> Result<(Request, Caller), ApiError> {
    let (limits, client) = (&app.limits, client(&request, app.limits.trusted_proxies()));
    limits.count_request(client)?;
    if !request.body().is_end_stream() {
        request = limits.body(client, body::read_ahead(request)).await??;
    }
    let caller = limits.admit(client)?;
    request.extensions_mut().insert(caller.clone());
    Ok((request, caller))
}

/// The layer of what takes no work: it only counts.
pub async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let client = client(&request, app.limits.trusted_proxies());
    match app.limits.count_request(client) {
        Ok(()) => next.run(request).await,
        Err(too_many) => ApiError::from(too_many).into_response(),
    }
}

/// The layer of `/health`, which has a share of its own: who asks too much for other things still learns how the service is.
pub async fn count_health(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let client = client(&request, app.limits.trusted_proxies());
    match app.limits.count_health(client) {
        Ok(()) => next.run(request).await,
        Err(too_many) => ApiError::from(too_many).into_response(),
    }
}

/// Whose request it is. Without a connection, which a listener always has, it is nobody's in particular.
fn client(request: &Request, trusted_proxies: &[IpNet]) -> IpAddr {
    let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() else {
        return Ipv4Addr::UNSPECIFIED.into();
    };
    let peer = peer.ip().to_canonical();
    let client = if is_trusted(peer, trusted_proxies) {
        forwarded_for(request.headers(), trusted_proxies).unwrap_or(peer)
    } else {
        peer
    };
    network(client)
}

fn is_trusted(address: IpAddr, trusted_proxies: &[IpNet]) -> bool {
    trusted_proxies.iter().any(|proxies| proxies.contains(&address))
}

/// The last address that is no trusted proxy's: those before it are whatever the client wrote.
fn forwarded_for(headers: &HeaderMap, trusted_proxies: &[IpNet]) -> Option<IpAddr> {
    let values = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let addresses: Vec<_> = values.flat_map(|value| value.split(',')).collect();
    let address = |text: &&str| text.trim().parse().ok().map(|address: IpAddr| address.to_canonical());
    addresses.iter().rev().map_while(address).find(|address| !is_trusted(*address, trusted_proxies))
}

/// Who has one IPv6 address has the other 2^64 of its network.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(peer: &str, forwarded: &[&str]) -> Request {
        let mut request = Request::new(Body::empty());
        let peer: IpAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer, 1)));
        for value in forwarded {
            request.headers_mut().append("x-forwarded-for", value.parse().unwrap());
        }
        request
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_whom_it_speaks_for() {
        let proxies = ["10.0.0.1/32", "10.1.0.0/16", "2001:db8:ff::/48"].map(|range| range.parse().unwrap());
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &[][..], "192.0.2.1"),
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            // What the client itself wrote stands before what the proxy adds.
            ("10.0.0.1", &["203.0.113.5, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.5", "198.51.100.7, 10.1.0.2"], "198.51.100.7"),
            ("10.1.255.255", &["198.51.100.7, 10.0.0.1, 10.1.7.7"], "198.51.100.7"),
            ("10.2.0.1", &["198.51.100.7"], "10.2.0.1"),
            ("10.1.0.1", &["198.51.100.7, 10.2.0.1"], "10.2.0.1"),
            ("2001:db8:ff:1::9", &["2001:db8:1:2:3::7"], "2001:db8:1:2::"),
            ("10.0.0.1", &["198.51.100.7, nonsense"], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("2001:db8:1:2:3:4:5:6", &[], "2001:db8:1:2::"),
        ] {
            let client = client(&request(peer, forwarded), &proxies);
            let expected: IpAddr = expected.parse().unwrap();
            assert_eq!(client, expected, "{peer} {forwarded:?}");
        }
    }
}
