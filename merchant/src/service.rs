//! Shows a sale to `tower` as a layer. Uses `browser`, and `sale` in a task for each request.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{extract::Request, http::Method, response::Response};
use futures_util::future::BoxFuture;
use tower::{Layer, Service};
use tracing::error;

use crate::{
    answer::internal_error,
    browser::{self, Asking},
    price::Price,
    sale::respond,
    shared::Shared,
};

/// Puts a price on what it wraps.
#[derive(Clone)]
pub struct PaymentLayer {
    merchant: Arc<Shared>,
    price: Arc<Price>,
}

impl PaymentLayer {
    pub(crate) fn new(merchant: Arc<Shared>, price: Price) -> Self {
        Self { merchant, price: Arc::new(price) }
    }
}

impl<S> Layer<S> for PaymentLayer {
    type Service = PaymentService<S>;

    fn layer(&self, inner: S) -> Self::Service {
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
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The service that was polled ready is the one to call.
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        let PaymentLayer { merchant, price } = self.layer.clone();
        Box::pin(async move {
            if request.method() == Method::OPTIONS {
                return Ok(browser::preflight());
            }
            let asking = Asking::of(&request);
            // A task of its own: a client that hangs up must not break a sale off halfway.
            let task = tokio::spawn(async move {
                let response = respond(&merchant, &price, inner, request).await;
                asking.finish(&merchant, response)
            });
            Ok(task.await.unwrap_or_else(|cause| {
                error!(%cause, "a sale broke off");
                internal_error("the server failed; send the same request again")
            }))
        })
    }
}
