//! The page about payments, as HTML.

mod chromium;
mod safety;
mod stuck;

use axum::http::StatusCode;
use x402_escrow_wire::{auth_capture::Commitment, text::Hex32};

use crate::{exact::wallet, world::World};

/// The page at `path`, which is there.
async fn shown(world: &World, path: &str) -> String {
    let (status, headers, page) = world.page(path).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    page
}

/// The text of a page's section, without tags.
fn section(page: &str, id: &str) -> String {
    let (_, rest) =
        page.split_once(&format!("<section id=\"{id}\">")).unwrap_or_else(|| panic!("no {id}: {page}"));
    let (section, _) = rest.split_once("</section>").unwrap();
    let mut text = String::new();
    let mut is_tag = false;
    for letter in section.chars() {
        match letter {
            '<' => is_tag = true,
            '>' => is_tag = false,
            letter if !is_tag => text.push(letter),
            _ => {}
        }
        if letter == '<' {
            text.push(' ');
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Holds `amount` with a capture deadline in `seconds`, and returns the payment's id.
pub(crate) async fn authorize_for(world: &World, amount: u64, seconds: i64) -> Hex32 {
    let mut requirements = world.requirements(amount);
    requirements.extra.insert("captureDeadline".to_owned(), (world.cluster.now() + seconds).into());
    let body = world.body(&requirements, 1);
    world.settled(&body).await;
    world.payment_id(&body)
}

fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[tokio::test]
async fn an_empty_verifier_says_that_there_is_nothing() {
    let page = shown(&World::new().await, "/status").await;
    assert_says(&section(&page, "stuck"), &["Nothing. The verifier is well"]);
    assert_says(&section(&page, "sums"), &["No payments in this time"]);
    assert_says(&section(&page, "payments"), &["No payments yet."]);
    assert_says(&section(&page, "fruitless"), &["Nothing."]);
    assert_says(&section(&page, "receivers"), &["None."]);
}

#[tokio::test]
async fn sums_and_payments_of_both_schemes_are_shown_in_whole_tokens_and_base_units() {
    let world = World::new().await;
    let captured = world.authorize(1_000_000, 1).await;
    world.settled(&world.capture(captured, 250_000, true)).await;
    let held = world.authorize(40_000, 2).await;
    world.settled(&wallet::payment(&world, 5_000, "memo")).await;
    world.until_booked(captured, "partly_paid").await;
    world.until_booked(held, "held").await;
    let page = shown(&world, "/status").await;
    assert_says(
        &section(&page, "sums"),
        &[
            "Came in 1.045 1045000 base units",
            "Of which captured 0.255 255000 base units",
            "Of which refunded 0 0 base units",
            "Promised now 0 ",
            "Held now 0.04 40000 base units",
        ],
    );
    let payments = section(&page, "payments");
    assert_says(
        &payments,
        &["partly paid", "held", "paid", "capture confirmed", "hold confirmed", "auth-capture", "exact"],
    );
    assert_says(&section(&page, "receivers"), &[&world.merchant().to_string(), "3 payments"]);
    assert_says(&section(&page, "stuck"), &["Nothing. The verifier is well"]);
}

#[tokio::test]
async fn payments_are_found_by_what_they_came_to_and_by_what_is_searched_for() {
    let world = World::new().await;
    let paid = world.authorize(1_000_000, 1).await;
    world.settled(&world.capture(paid, 1_000_000, true)).await;
    let void = world.authorize(40_000, 2).await;
    world.settled(&world.void(void, 0)).await;
    world.until_booked(paid, "paid").await;
    world.until_booked(void, "void").await;
    for (query, found) in [
        ("outcome=paid".to_owned(), [true, false]),
        ("outcome=void".to_owned(), [false, true]),
        (format!("search={paid}"), [true, false]),
        ("search=nothing".to_owned(), [false, false]),
    ] {
        let page = shown(&world, &format!("/status?{query}")).await;
        let is_there = [paid, void].map(|id| page.contains(&format!("/status/payments/{id}")));
        assert_eq!(is_there, found, "{query}: {page}");
    }
    let page = shown(&world, "/status").await;
    assert_says(&section(&page, "days"), &["Day by day", "Captured 1 1000000 base units"]);
    assert!(page.contains("<svg") && page.contains("https://explorer.solana.com/tx/"), "{page}");
}

#[tokio::test]
async fn a_receiver_sees_its_own_payments_only() {
    let world = World::new().await;
    world.authorize(1_000_000, 1).await;
    world.settled(&wallet::payment(&world, 5_000, "memo")).await;
    let own = shown(&world, &format!("/status?receiver={}", world.merchant())).await;
    assert_says(&section(&own, "sums"), &["Came in 1.005 "]);
    assert!(!own.contains("id=\"receivers\""), "{own}");
    let other = shown(&world, &format!("/status?receiver={}", world.fee_payer())).await;
    assert_says(&section(&other, "payments"), &["No payments yet."]);
    assert_says(&section(&other, "sums"), &["No payments in this time"]);
    assert!(!other.contains("1000000"), "{other}");
}

#[tokio::test]
async fn older_payments_are_on_further_pages_each_once() {
    let world = World::new().await;
    for nonce in 1..=27 {
        world.authorize(1_000 + nonce, nonce).await;
    }
    let first = shown(&world, "/status").await;
    let link = first.split("href=\"").find(|rest| rest.starts_with("/status?days=1&amp;before=")).unwrap();
    let (link, _) = link.split_once('"').unwrap();
    let second = shown(&world, &link.replace("&amp;", "&")).await;
    let ids = |page: &str| -> Vec<String> {
        let links =
            page.split("<section id=\"payments\">").nth(1).unwrap().split("/status/payments/").skip(1);
        links.map(|rest| rest[..64].to_owned()).collect()
    };
    let (mut all, older) = (ids(&first), ids(&second));
    assert_eq!((all.len(), older.len()), (25, 2));
    all.extend(older);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 27);
    assert!(second.contains(">Newest</a>") && !second.contains(">Older</a>"), "{second}");
}

#[tokio::test]
async fn a_payment_has_a_page_with_its_operations_and_transactions() {
    let world = World::new().await;
    world.cluster.state().level = Commitment::Finalized;
    let id = world.authorize(1_000_000, 1).await;
    let settled = world.settled(&world.capture(id, 250_000, true)).await;
    let page = shown(&world, &format!("/status/payments/{id}")).await;
    assert_says(
        &section(&page, "payment"),
        &[&id.to_string(), &world.merchant().to_string(), "Released 0.75 "],
    );
    let operations = section(&page, "operations");
    assert!(operations.find("hold").unwrap() < operations.find("capture").unwrap(), "{operations}");
    let transactions = section(&page, "transactions");
    assert_says(&transactions, &[settled["transaction"].as_str().unwrap(), "finalized"]);

    let exact = wallet::payment(&world, 5_000, "memo");
    world.settled(&exact).await;
    let page = shown(&world, &format!("/status/payments/{}", wallet::payment_id(&exact))).await;
    assert_says(&section(&page, "payment"), &["exact", "0.005 ", "Told to a merchant yes"]);
}
