//! What a log may never have: whoever reads logs could pay, or learn what was bought.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use serde_json::Value;

use crate::world::World;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
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
async fn no_signature_no_body_and_no_key_is_logged_at_any_level() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // All that this test starts runs on its thread.
    let _guard = tracing::subscriber::set_default(subscriber);

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

    let text = log.text();
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
