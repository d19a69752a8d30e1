//! What the log tells, and what it may never have: whoever reads logs could pay, or learn what was bought.

use std::time::Duration;

use serde_json::Value;

use crate::{
    subscriber::{listen, logged},
    wait,
    world::{Options, World},
};

/// The lines with this message.
fn lines(message: &str) -> Vec<Value> {
    let text = logged();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["message"].as_str().is_some_and(|text| text.contains(message))).collect()
}

/// Every text in a body that is a signature.
fn signatures(body: &Value) -> Vec<String> {
    match body {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(text) if name == "signature" => vec![text.clone()],
                value => signatures(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(signatures).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn each_decision_is_one_line_with_its_request_payment_verdict_and_code() {
    listen();
    let world = World::new().await;
    let body = world.body(&world.requirements(1000), 1);
    world.settled(&body).await;
    world.post("/verify", &body).await;
    world.post("/settle", &Value::from(1)).await;
    let answered = lines("answered");
    let shown = |line: &Value| {
        let text = |name: &str| line[name].as_str().map(str::to_owned);
        (line["status"].as_u64().unwrap(), text("verdict"), text("code"), text("payment"))
    };
    let some = |text: &str| Some(text.to_owned());
    let shown: Vec<_> = answered.iter().map(shown).collect();
    let id = world.payment_id(&body).to_string();
    assert_eq!(
        shown,
        [
            (200, some("yes"), None, Some(id)),
            (200, some("no"), some("duplicate_settlement"), None),
            (400, some("error"), some("bad_request"), None),
        ]
    );
    let requests: std::collections::BTreeSet<_> =
        answered.iter().map(|line| line["span"]["id"].as_str().unwrap()).collect();
    assert_eq!(requests.len(), 3, "{answered:#?}");
    assert_eq!(answered[0]["span"]["path"], "/settle");
    assert!(answered[0]["milliseconds"].is_u64());
}

#[tokio::test]
async fn a_capture_near_its_deadline_is_warned_of_once() {
    listen();
    let options = Options { settle_timeout: Duration::from_secs(2), ..Options::default() };
    let world = World::with(options).await;
    let id = world.authorize(1000, 1).await;
    world.cluster.state().loses_transactions = true;
    world.settle(&world.capture(id, 1000, true)).await;
    assert!(lines("near its deadline").is_empty());
    world.backdate_operations(16).await;
    wait::until("a warning", async || !lines("near its deadline").is_empty()).await;
    // Time enough for a second one.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let warnings = lines("near its deadline");
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert_eq!((&warnings[0]["level"], &warnings[0]["payment"]), (&"WARN".into(), &id.to_string().into()));
    assert!((1..=600).contains(&warnings[0]["seconds_left"].as_i64().unwrap()));
}

#[tokio::test]
async fn no_signature_no_body_and_no_key_is_logged_at_any_level() {
    listen();
    let world = World::new().await;
    let payment = world.body(&world.requirements(1000), 1);
    world.post("/verify", &payment).await;
    world.settled(&payment).await;
    let id = world.payment_id(&payment);
    let capture = world.capture(id, 400, true);
    world.settled(&capture).await;
    let mut broken = world.body(&world.requirements(1000), 2);
    broken["paymentPayload"]["payload"]["nonce"] = "3".into();
    world.settle(&broken).await;
    let mut unreadable = world.body(&world.requirements(1000), 4);
    unreadable["paymentPayload"]["payload"]["incarnation"] = "tell-tale".into();
    world.settle(&unreadable).await;
    world.post_raw("/settle", "application/json", r#"{"tell-tale": "tell-tale""#).await;

    let text = logged();
    assert!(text.contains(&id.to_string()), "the payment is not in the log: {text}");
    let bodies = [&payment, &capture, &broken, &unreadable];
    let secrets = bodies.into_iter().flat_map(signatures);
    let secrets: Vec<_> = secrets.chain(["tell-tale".to_owned(), "paymentPayload".to_owned()]).collect();
    assert_eq!(secrets.len(), 6);
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret} is in the log");
    }
    for key in world.secret_keys() {
        for shown in [bs58::encode(&key).into_string(), hex::encode(&key[..32]), format!("{key:?}")] {
            assert!(!text.contains(&shown), "a key is in the log");
        }
    }
}
