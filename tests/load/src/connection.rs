//! A connection over HTTP that is kept open.

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
    header,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use x402_escrow_wire::payment::PaymentRequirements;

/// To one server.
pub(crate) struct Connection {
    to: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Connects to an address and a port.
    pub(crate) async fn open(to: &str) -> Result<Self> {
        let socket = TcpStream::connect(to).await.with_context(|| format!("connecting to {to}"))?;
        socket.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(socket)).await?;
        tokio::spawn(connection);
        Ok(Self { to: to.to_owned(), sender })
    }

    /// Sends JSON, and returns what is answered.
    pub(crate) async fn post(&mut self, path: &str, body: Bytes) -> Result<Bytes> {
        let request = Request::post(path)
            .header(header::HOST, &self.to)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        self.send(request).await
    }

    /// Asks for what is at a path, and returns what is answered, whatever its status.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Bytes> {
        let request = Request::get(path).header(header::HOST, &self.to).body(Full::new(Bytes::new()))?;
        self.send(request).await
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Bytes> {
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await.context("it did not answer")?;
        Ok(response.into_body().collect().await.context("reading its answer")?.to_bytes())
    }
}

/// The body of a request that is about `payload`.
pub(crate) fn body(accepted: &PaymentRequirements, payload: &Value) -> String {
    let payment = json!({ "x402Version": 2, "accepted": accepted, "payload": payload });
    json!({ "x402Version": 2, "paymentPayload": payment, "paymentRequirements": accepted }).to_string()
}

/// Whether an answer of `/settle` or `/verify` is a yes.
pub(crate) fn is_yes(answer: &[u8]) -> bool {
    let says = |yes: &[u8]| answer.windows(yes.len()).any(|window| window == yes);
    says(b"\"success\":true") || says(b"\"isValid\":true")
}
