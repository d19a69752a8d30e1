//! The layer: reads the request, and answers it unless it carries a payment to be settled.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, OriginalUri, Request},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use tower::{Layer, Service};
use x402_escrow_interface::resource::resource_hash;

use super::{Shop, answer::Challenge, payment, price::Price, sale};
use crate::{app::unix_now, error::ApiError};

/// Asks a price for every request to the service that it is put on.
#[derive(Clone)]
pub struct PaymentLayer {
    pub(super) shop: Arc<Shop>,
    pub(super) price: Arc<Price>,
}

impl<S> Layer<S> for PaymentLayer {
    type Service = PaymentService<S>;

    fn layer(&self, inner: S) -> PaymentService<S> {
        PaymentService { layer: self.clone(), inner }
    }
}

/// A service with a price.
#[derive(Clone)]
pub struct PaymentService<S> {
    layer: PaymentLayer,
    inner: S,
}

impl<S> Service<Request> for PaymentService<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let PaymentLayer { shop, price } = self.layer.clone();
        // The clone that was polled ready is the one to call.
        let next = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, next);
        Box::pin(async move { Ok(answer(shop, &price, request, inner).await) })
    }
}

async fn answer<S>(shop: Arc<Shop>, price: &Price, request: Request, inner: S) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible> + Send + 'static,
    S::Future: Send,
{
    let (parts, body) = request.into_parts();
    // The limit is axum's: `DefaultBodyLimit`, 2 MB unless the router sets another.
    let body = match Bytes::from_request(Request::from_parts(parts.clone(), body), &()).await {
        Ok(body) => body,
        Err(rejection) => return rejection.into_response(),
    };
    let url = url(&shop.public_url, &parts);
    let hash = resource_hash(parts.method.as_str(), &url, &body);
    let now = unix_now();
    let challenge = Challenge::new(url, price, &shop.terms.offer(price, hash, now));
    let payload = match payment::decode(&parts.headers) {
        Ok(Some(payload)) => payload,
        Ok(None) => return challenge.ask("payment required"),
        Err(error) => return error.into_response(),
    };
    let payment = match payment::check(&payload, &shop.terms, price, hash, now) {
        Ok(payment) => payment,
        Err(rejection) => return challenge.reject(rejection),
    };
    let request = Request::from_parts(parts, Body::from(body));
    // A task of its own, since a client that hangs up must not stop a sale halfway.
    let sale = tokio::spawn(sale::run(shop, payment, price.commitment, challenge, request, inner));
    sale.await.unwrap_or_else(|cause| {
        tracing::error!(%cause, "a sale broke off; what was held is released");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "the server failed").into_response()
    })
}

/// The URL under which the client asked.
fn url(public_url: &str, parts: &Parts) -> String {
    // A nested router cuts its prefix off the URI; the original is kept beside it.
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
    format!("{public_url}{}", uri.path_and_query().map_or("/", |path| path.as_str()))
}

/// The base URL as clients write it (lower-case host, no default port), without a slash at its end.
pub(super) fn base_url(text: &str) -> Option<String> {
    let url: reqwest::Url = text.parse().ok()?;
    let sound = matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
    sound.then(|| url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_written_as_clients_write_them() {
        for (text, base) in [
            ("https://API.example.com:443/", Some("https://api.example.com")),
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("https://example.com/v1/", Some("https://example.com/v1")),
            ("example.com", None),
            ("ftp://example.com", None),
            ("https://example.com/?a=1", None),
            ("https://example.com/#a", None),
        ] {
            assert_eq!(base_url(text).as_deref(), base, "{text}");
        }
    }

    #[test]
    fn urls_have_the_query_and_the_prefix_that_a_nested_router_cuts_off() {
        let request = Request::builder().uri("/b?c=d%20e").body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        assert_eq!(url("https://x.test", &parts), "https://x.test/b?c=d%20e");
        parts.extensions.insert(OriginalUri("/a/b?c=d%20e".parse().unwrap()));
        assert_eq!(url("https://x.test", &parts), "https://x.test/a/b?c=d%20e");
    }
}
