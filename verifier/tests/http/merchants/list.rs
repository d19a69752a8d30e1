//! Which payments are listed.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use solana_sdk::signer::Signer;
use x402_escrow_interface::resource::resource_hash;
use x402_escrow_wire::text::Hex32;

use super::{ask, listed, target};
use crate::{
    exact::wallet,
    world::{HOST, MERCHANT, METHOD, PAYER, URL, World, keypair},
};

/// The ids of a page, in its order.
fn ids(page: &Value) -> Vec<String> {
    let payments = page["payments"].as_array().unwrap();
    payments.iter().map(|payment| payment["paymentId"].as_str().unwrap().to_owned()).collect()
}

/// A merchant with a payment of each outcome that it can bring about, newest last.
async fn sold(world: &World) -> [Hex32; 5] {
    let mut body = world.body(&world.requirements(1000), 1);
    body["paymentPayload"]["resource"] =
        json!({ "url": "https://merchant.example/report?key=secret", "description": "=A \"report\"" });
    world.settled(&body).await;
    let paid = world.payment_id(&body);
    world.settled(&world.capture(paid, 1000, true)).await;
    let partly = world.authorize(2000, 2).await;
    world.settled(&world.capture(partly, 500, true)).await;
    let void = world.authorize(3000, 3).await;
    world.settled(&world.void(void, 0)).await;
    let held = world.authorize(4000, 4).await;
    let exact = wallet::payment(world, 5000, "memo");
    world.settled(&exact).await;
    let exact = wallet::payment_id(&exact);
    for (id, outcome) in
        [(paid, "paid"), (partly, "partly_paid"), (void, "void"), (held, "held"), (exact, "paid")]
    {
        world.until_booked(id, outcome).await;
    }
    [paid, partly, void, held, exact]
}

#[tokio::test]
async fn a_merchant_sees_what_each_of_its_payments_came_to() {
    let world = World::new().await;
    let [paid, partly, void, held, exact] = sold(&world).await;
    let page = listed(&world, "/payments").await;
    assert_eq!(page.get("next"), None);
    let of = |id: Hex32| {
        let payments = page["payments"].as_array().unwrap();
        payments.iter().find(|payment| payment["paymentId"] == json!(id)).unwrap()
    };
    for (id, outcome, amount, captured) in [
        (paid, "paid", "1000", "1000"),
        (partly, "partly_paid", "2000", "500"),
        (void, "void", "3000", "0"),
        (held, "held", "4000", "0"),
        (exact, "paid", "5000", "5000"),
    ] {
        let payment = of(id);
        let found = [&payment["outcome"], &payment["amount"], &payment["captured"]];
        assert_eq!(found, [outcome, amount, captured], "{payment}");
        assert!(payment["transaction"].is_string(), "{payment}");
    }
    assert_eq!(of(paid)["url"], "https://merchant.example/report", "without what may be secret");
    assert_eq!(of(paid)["product"], "=A \"report\"");
    assert_eq!((&of(paid)["scheme"], &of(exact)["scheme"]), (&json!("auth-capture"), &json!("exact")));
    assert_eq!((of(held).get("url"), of(exact).get("resourceHash")), (None, None));
}

#[tokio::test]
async fn filters_find_the_payments_that_they_name_and_no_others() {
    let world = World::new().await;
    let [paid, partly, void, held, exact] = sold(&world).await;
    let now = world.app.now();
    let hash = Hex32(resource_hash(METHOD, URL, b""));
    let (payer, mint) = (keypair(PAYER).pubkey(), world.mint);
    let other = world.fee_payer();
    for (query, wanted) in [
        ("outcome=paid".to_owned(), vec![paid, exact]),
        ("outcome=void".to_owned(), vec![void]),
        ("outcome=partly_paid".to_owned(), vec![partly]),
        ("outcome=refunded".to_owned(), vec![]),
        (format!("from={}", now + 1), vec![]),
        (format!("to={}", now - 3600), vec![]),
        (format!("from={}&to={}", now - 3600, now + 1), vec![paid, partly, void, held, exact]),
        (format!("asset={mint}"), vec![paid, partly, void, held, exact]),
        (format!("asset={other}"), vec![]),
        (format!("resourceHash={hash}"), vec![paid, partly, void, held]),
        (format!("resourceHash={hash}&outcome=held"), vec![held]),
        (format!("payer={payer}"), vec![paid, partly, void, held, exact]),
        (format!("payer={other}"), vec![]),
        ("url=https%3A%2F%2Fmerchant.example%2F".to_owned(), vec![paid]),
        ("url=https%3A%2F%2Fother.example%2F".to_owned(), vec![]),
    ] {
        let found: BTreeSet<_> =
            ids(&listed(&world, &format!("/payments?{query}")).await).into_iter().collect();
        assert_eq!(found, wanted.iter().map(Hex32::to_string).collect(), "{query}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_and_have_each_payment_once() {
    let world = World::new().await;
    let mut all = BTreeSet::new();
    for nonce in 1..=7 {
        let id = world.authorize(1000 + nonce, nonce).await;
        world.until_booked(id, "held").await;
        all.insert(id.to_string());
    }
    for filter in ["", "&outcome=held", &format!("&asset={}", world.mint)] {
        let (mut seen, mut before) = (Vec::new(), String::new());
        for size in [3, 3, 1] {
            let page = listed(&world, &format!("/payments?limit=3{filter}{before}")).await;
            assert_eq!(ids(&page).len(), size, "{filter}: {page}");
            seen.extend(ids(&page));
            before = page["next"].as_str().map(|next| format!("&before={next}")).unwrap_or_default();
        }
        assert!(before.is_empty(), "{filter}: the last page says that it is the last");
        assert_eq!((seen.len(), seen.into_iter().collect()), (7, all.clone()), "{filter}");
    }
}

#[tokio::test]
async fn books_are_exported_as_csv_that_a_spreadsheet_does_not_run() {
    let world = World::new().await;
    let [paid, ..] = sold(&world).await;
    let rest = "/payments?format=csv&limit=4";
    let (status, headers, text) =
        ask(&world, Method::GET, &target(&world, "GET", HOST, rest, MERCHANT)).await;
    assert_eq!(
        (status, &headers["content-type"]),
        (StatusCode::OK, &"text/csv; charset=utf-8".parse().unwrap())
    );
    let first: Vec<_> = text.split_terminator("\r\n").map(str::to_owned).collect();
    assert_eq!(first.len(), 5, "{text}");
    assert!(first[0].starts_with("payment_id,scheme,accepted_at,outcome,"), "{text}");
    let next = headers["x402-next"].to_str().unwrap();
    let rest = format!("/payments?format=csv&before={next}");
    let (_, headers, text) = ask(&world, Method::GET, &target(&world, "GET", HOST, &rest, MERCHANT)).await;
    assert!(!headers.contains_key("x402-next"));
    let lines: Vec<_> = text.split_terminator("\r\n").map(str::to_owned).collect();
    assert_eq!((lines.len(), &lines[0]), (2, &first[0]), "{text}");
    let mut payments = first.iter().chain(&lines).filter(|line| line.starts_with(&paid.to_string()));
    let line = payments.next().unwrap();
    assert!(line.contains(",auth-capture,") && line.contains(",paid,"), "{line}");
    assert!(line.ends_with(",\"https://merchant.example/report\",\"'=A \"\"report\"\"\""), "{line}");
}

#[tokio::test]
async fn a_parameter_that_can_not_be_read_is_named() {
    let world = World::new().await;
    for (query, field) in
        [("outcome=done", "outcome"), ("limit=0", "limit"), ("page=2", "page"), ("asset=x", "asset")]
    {
        let rest = format!("/payments?{query}");
        let (status, _, body) = ask(&world, Method::GET, &target(&world, "GET", HOST, &rest, MERCHANT)).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["error"]["field"]), (StatusCode::BAD_REQUEST, &json!(field)), "{body}");
    }
}
