use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;
use x402_escrow_wire::auth_capture::Commitment;

use crate::{
    wait,
    world::{Options, World},
};

/// The page's lines about `name`, without the comments.
pub(crate) async fn lines(world: &World, name: &str) -> Vec<String> {
    let (status, headers, page) = world.page("/metrics").await;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert_eq!(headers["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(page.ends_with("# EOF\n"), "{page}");
    let documented = documented();
    for name in page.lines().filter_map(|line| line.strip_prefix("# TYPE x402_")?.split(' ').next()) {
        assert!(documented.iter().any(|known| known == name), "{name} is not in docs/operations.md");
    }
    let is_of = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
    page.lines().filter(is_of).map(str::to_owned).collect()
}

/// The value of the only line about `name`.
pub(crate) async fn value(world: &World, name: &str) -> Option<f64> {
    let lines = lines(world, name).await;
    assert!(lines.len() < 2, "{lines:?}");
    lines.first().map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn money_is_promised_then_held_then_captured_and_counted_once_that_is_final() {
    let world = World::with(Options { settle_timeout: Duration::from_secs(2), ..Options::default() }).await;
    let asset = world.mint;
    world.cluster.state().loses_transactions = true;
    let body = world.body(&world.requirements(1000), 1);
    let id = world.payment_id(&body);
    assert_eq!(world.settle(&body).await["errorReason"], "settlement_pending");
    let amount =
        |name: &str, amount: &str| vec![format!("{name}{{asset=\"{asset}\",age=\"under_1m\"}} {amount}")];
    let promised =
        format!(r#"x402_promised_base_units{{scheme="auth-capture",asset="{asset}",age="under_1m"}} 1000.0"#);
    assert_eq!(lines(&world, "x402_promised_base_units").await, [promised]);
    assert!(lines(&world, "x402_held_base_units").await.is_empty());
    assert_eq!(
        lines(&world, "x402_operations").await,
        [r#"x402_operations{kind="authorize",state="sent"} 1.0"#]
    );

    world.cluster.state().loses_transactions = false;
    world.settled(&body).await;
    world.until_booked(id, "held").await;
    assert_eq!(lines(&world, "x402_held_base_units").await, amount("x402_held_base_units", "1000.0"));
    assert!(lines(&world, "x402_promised_base_units").await.is_empty());

    world.cluster.state().loses_transactions = true;
    let capture = world.capture(id, 300, false);
    assert_eq!(world.settle(&capture).await["errorReason"], "settlement_pending");
    assert_eq!(
        lines(&world, "x402_uncaptured_base_units").await,
        amount("x402_uncaptured_base_units", "300.0")
    );
    world.cluster.state().loses_transactions = false;
    world.settled(&capture).await;
    assert_eq!(value(&world, "x402_uncaptured_base_units").await, None);
    world.until_booked(id, "partly_paid").await;
    assert_eq!(value(&world, "x402_held_base_units").await, Some(700.0));
    assert_eq!(value(&world, "x402_captured_base_units_total").await, None, "confirmed is not final");

    world.cluster.state().level = Commitment::Finalized;
    world.settled(&world.capture(id, 500, true)).await;
    // The second capture's amount includes the first's.
    let captured = async || value(&world, "x402_captured_base_units_total").await;
    wait::until("both captures to be counted", async || captured().await == Some(500.0)).await;
    let held = async || value(&world, "x402_held_base_units").await;
    wait::until("nothing to be held", async || held().await.is_none()).await;
    wait::until("the hold to be final", async || lines(&world, "x402_operations").await.is_empty()).await;
    assert!(value(&world, "x402_tracking_seconds_count").await.unwrap() > 0.0);
    assert_eq!(world.received(), 500);
}

#[tokio::test]
async fn requests_and_refusals_are_counted_by_route_and_code() {
    let world = World::new().await;
    let mut body = world.body(&world.requirements(1000), 1);
    world.settled(&body).await;
    assert_eq!(world.post("/verify", &body).await.1["invalidReason"], "duplicate_settlement");
    body["paymentPayload"]["payload"]["nonce"] = json!("2");
    world.settle(&body).await;
    world.post("/settle", &json!(1)).await;
    world.get("/payments/../../secret").await;
    let requests = lines(&world, "x402_requests_total").await;
    for line in [
        r#"x402_requests_total{route="/settle",status="200"} 2"#,
        r#"x402_requests_total{route="/settle",status="400"} 1"#,
        r#"x402_requests_total{route="/verify",status="200"} 1"#,
        r#"x402_requests_total{route="none",status="404"} 1"#,
    ] {
        assert!(requests.iter().any(|known| known == line), "{line} is not in {requests:#?}");
    }
    let refusals = lines(&world, "x402_refusals_total").await;
    for line in [
        r#"x402_refusals_total{route="/settle",code="invalid_auth_capture_svm_signature"} 1"#,
        r#"x402_refusals_total{route="/settle",code="bad_request"} 1"#,
        r#"x402_refusals_total{route="/verify",code="duplicate_settlement"} 1"#,
        r#"x402_refusals_total{route="none",code="not_found"} 1"#,
    ] {
        assert!(refusals.iter().any(|known| known == line), "{line} is not in {refusals:#?}");
    }
    assert!(!requests.iter().chain(&refusals).any(|line| line.contains("secret")));
}

#[tokio::test]
async fn a_node_that_is_behind_and_one_that_is_gone_are_seen() {
    let world = World::new().await;
    let slot = world.cluster.state().slot;
    assert_eq!(value(&world, "x402_chain_slot").await, Some(slot as f64));
    assert!(value(&world, "x402_chain_seconds_behind").await.unwrap() < 30.0);
    world.cluster.pass_seconds(-30);
    assert!(value(&world, "x402_chain_seconds_behind").await.unwrap() >= 30.0);
    assert!(value(&world, "x402_fee_payer_lamports").await.unwrap() > 9e9);
    assert_eq!(value(&world, "x402_fee_payer_seconds_left").await, None, "not known yet");

    world.cluster.state().is_down = true;
    assert_eq!(value(&world, "x402_chain_slot").await, None, "absent, not zero");
    assert_eq!(value(&world, "x402_fee_payer_lamports").await, None);
    let rpc = lines(&world, "x402_rpc_requests_total").await;
    for outcome in ["ok", "error"] {
        let labels = format!(r#"{{method="getMultipleAccounts",outcome="{outcome}"}}"#);
        assert!(rpc.iter().any(|line| line.contains(&labels)), "{labels} is not in {rpc:#?}");
    }
    assert!(!lines(&world, "x402_rpc_seconds_count").await.is_empty());
}

#[tokio::test]
async fn a_capture_that_is_not_confirmed_near_its_deadline_is_an_alarm() {
    let world = World::with(Options { settle_timeout: Duration::from_secs(2), ..Options::default() }).await;
    let id = world.authorize(1000, 1).await;
    world.cluster.state().loses_transactions = true;
    world.settle(&world.capture(id, 1000, true)).await;
    assert_eq!(value(&world, "x402_captures_near_deadline").await, Some(0.0), "it has just come");
    // The deadline is 600 seconds away.
    world.backdate_operations(16).await;
    assert_eq!(value(&world, "x402_captures_near_deadline").await, Some(1.0));
    assert!(value(&world, "x402_oldest_unsettled_seconds").await.unwrap() >= 16.0);
    world.cluster.state().loses_transactions = false;
    world.settled(&world.capture(id, 1000, true)).await;
    assert_eq!(value(&world, "x402_captures_near_deadline").await, Some(0.0));
}

/// The numbers in the tables of `docs/operations.md`.
fn documented() -> Vec<String> {
    let page = include_str!("../../../docs/operations.md");
    // The table of alarms has conditions: a name, and what follows.
    let name = |line: &str| {
        let rest = line.strip_prefix("| `x402_")?;
        let end = rest.find(|next: char| !next.is_ascii_lowercase() && next != '_')?;
        Some(rest[..end].trim_end_matches("_total").to_owned())
    };
    page.lines().filter_map(name).collect()
}

#[test]
fn every_documented_number_is_there() {
    // A number that has no value yet is not on the page.
    let source =
        [include_str!("../../src/engine/metrics.rs"), include_str!("../../src/operator/scrape.rs")].concat();
    assert!(documented().len() > 15);
    for name in documented() {
        assert!(source.contains(&format!("\"{name}\"")), "{name}");
    }
}
