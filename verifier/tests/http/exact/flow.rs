//! In which order a server verifies, serves and settles.

use serde_json::json;

use super::wallet::{assert_refused, body, draft, requirements};
use crate::world::World;

#[tokio::test]
async fn upfront_is_settled_without_being_verified() {
    let world = World::new().await;
    for (paid, flow) in [(1, "upfront"), (2, "authorization")] {
        let mut requirements = requirements(&world, 1000);
        requirements.extra.insert("paymentFlow".to_owned(), json!(flow));
        let payment = body(&requirements, &draft(&world, &requirements, flow).signed(&world));
        world.settled(&payment).await;
        assert_eq!(world.received(), paid * 1000);
    }
}

#[tokio::test]
async fn a_flow_that_exact_does_not_have_is_refused() {
    let world = World::new().await;
    for flow in [json!("escrow"), json!("later"), json!(1)] {
        let mut requirements = requirements(&world, 1000);
        requirements.extra.insert("paymentFlow".to_owned(), flow);
        let payment = body(&requirements, &draft(&world, &requirements, "nonce").signed(&world));
        assert_refused(&world, &payment, "invalid_payment_requirements", "extra.paymentFlow").await;
    }
}

/// A client that agreed to pay only for what it is served must not be charged up front.
#[tokio::test]
async fn the_flow_is_the_one_that_the_client_accepted() {
    let world = World::new().await;
    let requirements = requirements(&world, 1000);
    let mut payment = body(&requirements, &draft(&world, &requirements, "nonce").signed(&world));
    payment["paymentRequirements"]["extra"]["paymentFlow"] = json!("upfront");
    assert_refused(&world, &payment, "invalid_payment_requirements", "extra").await;
}
