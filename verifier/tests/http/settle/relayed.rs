//! Intents that another relay puts on chain.

use serde_json::json;
use solana_sdk::signer::Signer;
use x402_escrow_interface::instruction::SessionLimits;

use crate::{
    gather::short,
    world::{FUNDS, Options, World, keypair},
};

/// Another relay's hold is as good: it pays the same receiver, and its rent goes back to that relay.
#[tokio::test]
async fn an_intent_that_another_relay_put_on_chain_is_settled_and_captured_here() {
    let world = World::new().await;
    let body = world.body(&world.requirements(1000), 1);
    let relay = keypair(90);
    world.relay(&body, &relay);
    let lamports = || world.cluster.state().svm.get_balance(&relay.pubkey()).unwrap();
    let before = lamports();
    let (_, answer) = world.post("/verify", &body).await;
    assert_eq!(answer["isValid"], true, "{answer}");
    let answer = world.settle(&body).await;
    assert_eq!(
        (&answer["success"], &answer["extra"]["state"]),
        (&json!(true), &json!("authorized")),
        "{answer}"
    );
    assert_eq!(world.escrow_account().held, 1000, "held once");
    world.settled(&world.capture(world.payment_id(&body), 400, true)).await;
    assert_eq!((world.escrow_account().held, world.received()), (0, 400));
    assert!(lamports() > before, "the relay has its rent back");
}

/// The relay is faster than the verifier's own transaction, which finds the work done.
#[tokio::test]
async fn an_intent_that_is_relayed_while_it_is_settled_here_is_settled() {
    let mut world = World::with(short()).await;
    let body = world.body(&world.requirements(1000), 1);
    world.crash().await;
    assert_eq!(world.settle(&body).await["success"], false, "stored, and not sent");
    world.relay(&body, &keypair(90));
    world.restart(Options::default()).await;
    world.settled(&body).await;
    assert_eq!(world.escrow_account().held, 1000, "held once");
}

/// All of the escrow is held already, by the other relay's hold: nothing more is asked of the balance.
#[tokio::test]
async fn a_relayed_hold_of_the_whole_balance_is_settled() {
    let world = World::new().await;
    world.update_session(&SessionLimits { maximum_payment: FUNDS, ..world.wide_limits() });
    let body = world.body(&world.requirements(FUNDS), 1);
    world.relay(&body, &keypair(90));
    world.settled(&body).await;
    assert_eq!(world.escrow_account().free(), 0);
}

#[tokio::test]
async fn a_nonce_of_another_payments_hold_is_used() {
    let world = World::new().await;
    world.relay(&world.body(&world.requirements(999), 1), &keypair(90));
    let body = world.body(&world.requirements(1000), 1);
    let answer = world.settle(&body).await;
    assert_eq!(answer["errorReason"], "invalid_auth_capture_svm_nonce", "{answer}");
    assert_eq!(world.rows().await, [0, 0, 0]);
}
