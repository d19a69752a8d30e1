//! An agent that is a page: Chromium opens it at an origin of its own, and it pays merchants and asks the verifier at
//! theirs, with nothing but `fetch` and WebCrypto. Each outcome is held against balances read from the chain.

use std::{
    env,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use axum::{
    Json, Router,
    response::Html,
    routing::{get, post},
};
use serde_json::{Value, json};
use solana_sdk::signature::Signer;
use tempfile::TempDir;

use crate::{shop::Shop, typescript::express::Express};

/// A first start on a busy machine takes long, and a purchase waits for the chain.
const SOON: Duration = Duration::from_secs(120);

/// 0.25 tokens, the price of a report.
const REPORT: u64 = 250_000;

/// The page at an origin, and what it has to say.
struct Page {
    origin: String,
    says: Receiver<Value>,
}

impl Page {
    /// Serves the page, and to it what it needs: the session, the verifier and the URL to buy.
    fn serve(needs: Value) -> Self {
        let (said, says) = channel();
        let (started, origin) = channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let router = Router::new()
                    .route("/", get(async || Html(include_str!("browser/agent.html"))))
                    .route("/needs", get(move || async move { Json(needs) }))
                    .route(
                        "/said",
                        post(move |Json(told): Json<Value>| {
                            said.send(told).unwrap();
                            async {}
                        }),
                    );
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                started.send(format!("http://{}", listener.local_addr().unwrap())).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        Self { origin: origin.recv().unwrap(), says }
    }
}

/// A browser, ended when it is dropped.
struct Browser {
    child: Child,
    _profile: TempDir,
}

impl Browser {
    fn open(url: &str) -> Self {
        let program = env::var("X402_ESCROW_CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
        let profile = tempfile::tempdir().unwrap();
        let child = Command::new(&program)
            // Containers and root have no sandbox; the page is ours.
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(["--remote-debugging-port=0", url])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{program}: {error}; install Debian's chromium, or name one in X402_ESCROW_CHROMIUM")
            });
        Self { child, _profile: profile }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Either fails only if the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a page says that buys `url`.
fn bought_by_a_page(shop: &Shop, url: &str) -> Value {
    let page = Page::serve(json!({
        "url": url,
        "verifier": shop.verifier.url,
        "session": { "escrow": shop.session.escrow, "sessionKey": shop.session.session_key },
        "seed": hex::encode(shop.session.signing_key().to_bytes()),
        "maximumAmount": REPORT.to_string(),
    }));
    let browser = Browser::open(&page.origin);
    let said = page.says.recv_timeout(SOON).unwrap();
    drop(browser);
    said
}

#[test]
fn a_page_of_another_origin_pays_both_kinds_of_merchants() {
    let shop = Shop::open();
    let said = bought_by_a_page(&shop, &shop.url("/report?topic=wheat"));
    assert_eq!((&said["status"], &said["settlement"]["success"]), (&200.into(), &true.into()), "{said}");
    assert!(said["body"].as_str().unwrap().contains("wheat"), "{said}");
    shop.wait_until_earned(&shop.merchant.key.pubkey(), REPORT);
    assert_eq!(shop.earned(), REPORT);

    let express = Express::start(&shop, "examples/server.js");
    let said = bought_by_a_page(&shop, &express.url("/report"));
    assert_eq!((&said["status"], &said["settlement"]["success"]), (&200.into(), &true.into()), "{said}");
    assert_eq!(said["body"], r#"{"report":"wheat is up"}"#);
    express.wait_until_earned(&shop, REPORT);
    assert_eq!(express.earned(&shop), REPORT);
    assert_eq!(shop.escrow().held, 0);
}
