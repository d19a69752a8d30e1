//! News go over real TLS: to a certificate of the right name, by somebody who is trusted, and to no other.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, http::StatusCode, routing::post, serve::Listener};
use reqwest::{Certificate, ClientBuilder};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
    server::TlsStream,
};
use x402_escrow_domain::webhook::{Delivery, Webhook};
use x402_escrow_verifier::engine::{
    reach::Reach,
    webhook::{self, Told},
};

use crate::world::{WEBHOOK_SECRET, World};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Whose certificate it is. It signed itself, with the key beside it, and lasts a hundred years.
const NAME: &str = "shop.example";
const CERTIFICATE: &[u8] = include_bytes!("tls/certificate.pem");
const KEY: &[u8] = include_bytes!("tls/key.pem");

/// Connections that have become TLS.
struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            // A client that refuses the certificate breaks off.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Starts a server that takes news.
async fn server() -> SocketAddr {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listener = TlsListener { listener, acceptor: Arc::new(config).into() };
    let router = Router::new().route("/", post(StatusCode::NO_CONTENT));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test]
async fn news_are_sent_only_to_a_certificate_of_the_name_and_the_reason_is_told() {
    let world = World::new().await;
    let payment_id = world.authorize(1000, 1).await;
    let delivery = Delivery { payment_id, version: 1, attempts: 0, failing_since: None };
    let address = server().await;
    let told = async |builder: ClientBuilder, name: &str| {
        let client = builder.resolve(name, address).build().unwrap();
        let url = format!("https://{name}:{}/", address.port());
        let webhook = Webhook { url, secret: WEBHOOK_SECRET.to_vec() };
        webhook::tell(&world.app, &client, &webhook, &delivery).await.unwrap()
    };
    // As the operator's webhook is told, and as a merchant's.
    let builders: [fn() -> ClientBuilder; 2] =
        [webhook::client_builder, || Reach::Public.client_builder(TIMEOUT)];
    for builder in builders {
        let trusting = || builder().tls_certs_merge([Certificate::from_pem(CERTIFICATE).unwrap()]);
        assert_eq!(told(trusting(), NAME).await, Told::Yes);
        for (builder, name, reason) in
            [(builder(), NAME, "UnknownIssuer"), (trusting(), "other.example", "not valid for name")]
        {
            let outcome = told(builder, name).await;
            let said =
                matches!(&outcome, Told::No(why) if why.contains("certificate") && why.contains(reason));
            assert!(said, "{outcome:?}");
        }
    }
}
