//! Lets requests in, or answers that too much is asked.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{engine::app::App, http::error::ApiError};

/// The layer that answers 429 to a client that asks too often, and 503 while too much is worked on.
pub async fn limit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let limits = &app.limits;
    if let Some(client) = client(&request, limits.trusted_proxies())
        && let Err(too_many) = limits.count_request(client)
    {
        return ApiError::too_many_requests("this address asks too often", too_many).into_response();
    }
    let Some(_place) = limits.place() else {
        let message = "too many requests are worked on; try again";
        return ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message)
            .retry_after(1)
            .into_response();
    };
    next.run(request).await
}

/// Whose request it is. `None` only where there is no connection, which a listener always has.
fn client(request: &Request, trusted_proxies: &[IpAddr]) -> Option<IpAddr> {
    let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    let peer = peer.ip().to_canonical();
    let client = if trusted_proxies.contains(&peer) {
        forwarded_for(request.headers(), trusted_proxies).unwrap_or(peer)
    } else {
        peer
    };
    Some(network(client))
}

/// The last address that is no trusted proxy's: those before it are whatever the client wrote.
fn forwarded_for(headers: &HeaderMap, trusted_proxies: &[IpAddr]) -> Option<IpAddr> {
    let values = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let addresses: Vec<_> = values.flat_map(|value| value.split(',')).collect();
    let address = |text: &&str| text.trim().parse().ok().map(|address: IpAddr| address.to_canonical());
    addresses.iter().rev().map_while(address).find(|address| !trusted_proxies.contains(address))
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
        let proxies: Vec<IpAddr> = vec!["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &[][..], "192.0.2.1"),
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            // What the client itself wrote stands before what the proxy adds.
            ("10.0.0.1", &["203.0.113.5, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.5", "198.51.100.7, 10.0.0.2"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7, nonsense"], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("2001:db8:1:2:3:4:5:6", &[], "2001:db8:1:2::"),
        ] {
            let client = client(&request(peer, forwarded), &proxies);
            assert_eq!(client, Some(expected.parse().unwrap()), "{peer} {forwarded:?}");
        }
    }
}
