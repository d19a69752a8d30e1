//! What a person with a browser sees, what pages of other origins may do, and what the merchant's log says.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;

use crate::{
    client::{Answer, Ask},
    facilitator::{Answer::No, MINT},
    log::Log,
    shop::{PUBLIC_URL, Shop},
};

/// What browsers send when a person follows a link.
const ACCEPT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

impl Shop {
    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

#[tokio::test]
async fn a_person_sees_what_is_sold_what_it_costs_and_how_to_pay() {
    let shop = Shop::open().await;
    let answer = shop.ask(Method::GET, "/plain?q='&x", &[("accept", ACCEPT)]).await;
    assert_eq!(answer.status, StatusCode::PAYMENT_REQUIRED);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert!(answer.challenge().is_some(), "the header has the terms all the same");
    let page = String::from_utf8(answer.body.to_vec()).unwrap();
    for part in [
        "<h1>a test</h1>",
        "<strong>0.001 tokens</strong>",
        "agent fetch &#39;https://shop.test/plain?q=%27&amp;x&#39; \\\n    --session session.json --max-amount 0.001",
        &Shop::key().to_string(),
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    for part in ["<b>", "<script", "{{", "Refunds", "One hold", "Your payment was not taken"] {
        assert!(!page.contains(part), "{part} is in {page}");
    }
    let stream = shop.ask(Method::GET, "/stream", &[("accept", ACCEPT)]).await;
    let page = String::from_utf8(stream.body.to_vec()).unwrap();
    for part in ["One hold of 0.01 tokens", "--max-amount 0.001 --stream 0.01", "promised for 10 minutes"] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
}

#[tokio::test]
async fn a_machine_gets_json() {
    let shop = Shop::open().await;
    for accept in ["*/*", "application/json", "application/json, text/html"] {
        let answer = shop.ask(Method::GET, "/plain", &[("accept", accept)]).await;
        assert_eq!(answer.json(), serde_json::to_value(answer.challenge().unwrap()).unwrap(), "{accept}");
        assert_eq!(answer.header("vary"), "accept");
    }
}

#[tokio::test]
async fn options_costs_nothing_and_gives_nothing_away() {
    let shop = Shop::open().await;
    let asks = [("origin", "https://page.test"), ("access-control-request-method", "POST")];
    for headers in [&asks[..], &[]] {
        let answer = shop.ask(Method::OPTIONS, "/plain", headers).await;
        assert_eq!((answer.status, answer.body.is_empty()), (StatusCode::NO_CONTENT, true));
        for name in ["allow-origin", "allow-methods", "allow-headers"] {
            assert_eq!(answer.header(&format!("access-control-{name}")), "*", "{name}");
        }
    }
    assert_eq!(shop.work.runs(), 0);
}

#[tokio::test]
async fn pages_of_other_origins_may_read_the_terms_and_what_was_bought() {
    let shop = Shop::open().await;
    let ask = Ask::get("/plain");
    for answer in [shop.send(&ask, None).await, shop.buy(&ask, 1).await] {
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("access-control-expose-headers"), "PAYMENT-REQUIRED, PAYMENT-RESPONSE");
    }
}

#[tokio::test]
async fn the_log_says_why_a_payment_was_refused_and_that_clients_ask_elsewhere() {
    let (log, _guard) = Log::of_this_thread();
    let shop = Shop::open().await;
    shop.facilitator.answer_payments(No("insufficient_funds"));
    let answer = shop.buy(&Ask::get("/plain"), 1).await;
    assert_eq!(answer.refusal().1, "insufficient_funds");
    for host in ["shop.test", "localhost:4021", "localhost:4021"] {
        shop.ask(Method::GET, "/plain", &[("host", host)]).await;
    }
    let text = log.text();
    let refused =
        format!("GET {PUBLIC_URL}/plain: a payment of 0.001 tokens was refused: insufficient_funds");
    assert_eq!(text.matches(&refused).count(), 1, "{text}");
    assert_eq!(text.matches("a request came for localhost:4021").count(), 1, "{text}");
    assert!(!text.contains("a request came for shop.test") && text.contains("--public-url"), "{text}");
}

#[tokio::test]
async fn the_log_says_that_the_token_account_is_lost_while_the_merchant_sells() {
    let (log, _guard) = Log::of_this_thread();
    let shop = Shop::open().await;
    let lost = json!({ "tokenAccount": MINT, "canReceive": false, "decimals": 6, "rentLamports": "2039280" });
    shop.facilitator.say_of_receivers(StatusCode::OK, lost);
    // The merchant has begun to wait for the minute to pass.
    tokio::time::sleep(Duration::from_millis(20)).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(60)).await;
    tokio::time::resume();
    let told = format!("nothing that is held be captured: pay_to: {} has no token account", Shop::key());
    shop.until("the log says it", || log.text().contains(&told)).await;
}
