//! Captures that fail beside others: the others are paid.

use serde_json::{Value, json};
use solana_sdk::signer::Signer;
use spl_token_interface::state::AccountState;
use x402_escrow_interface::error::EscrowError;
use x402_escrow_wire::auth_capture::Commitment;

use super::{accept_all, amount, holds, short, until_all_ended};
use crate::world::{World, keypair};

#[tokio::test]
async fn a_frozen_receiver_holds_up_no_other_and_is_paid_once_thawed() {
    let mut world = World::new().await;
    let other = keypair(77).pubkey();
    world.set_token_account(other, AccountState::Initialized, 0);
    let mut requirements = world.requirements(1000);
    requirements.pay_to = other.into();
    let body = world.body(&requirements, 50);
    world.settled(&body).await;
    let frozen = world.payment_id(&body);
    let ids = holds(&world, 4).await;

    accept_all(&mut world, &ids).await;
    let mut capture = world.capture(frozen, 900, true);
    for place in ["/paymentRequirements/payTo", "/paymentPayload/accepted/payTo"] {
        *capture.pointer_mut(place).unwrap() = json!(other.to_string());
    }
    world.settle(&capture).await;
    world.set_token_account(other, AccountState::Frozen, 0);
    world.restart(short()).await;
    let payments = until_all_ended(&world, &ids).await;
    assert_eq!((world.received(), world.tokens(other)), ((0..4).map(amount).sum(), 0));
    let stuck = world.until(frozen, |payment| !payment["operations"][1]["error"].is_null()).await;
    assert_eq!(stuck["operations"][1]["status"], "unsettled", "{stuck}");
    let last_of =
        |payment: &Value| payment["transactions"].as_array().unwrap().last().unwrap()["signature"].clone();
    assert!(payments.iter().all(|payment| last_of(payment) == last_of(&payments[0])), "together, without it");

    world.set_token_account(other, AccountState::Initialized, 0);
    world.until(frozen, |payment| payment["state"] == "ended").await;
    assert_eq!((world.tokens(other), world.escrow_account().held), (900, 0));
}

#[tokio::test]
async fn where_a_block_fails_one_of_them_the_others_go_on_together() {
    let mut world = World::new().await;
    let ids = holds(&world, 5).await;
    let sent = world.cluster.distinct_sent();
    accept_all(&mut world, &ids).await;
    world.fail_next(3, EscrowError::CaptureDeadlinePassed);
    world.cluster.state().level = Commitment::Finalized;
    world.restart(short()).await;
    let payments = until_all_ended(&world, &[ids[0], ids[1], ids[2], ids[4]]).await;
    assert_eq!(world.received(), amount(0) + amount(1) + amount(2) + amount(4));
    assert_eq!(world.cluster.distinct_sent() - sent, 1 + 1);
    let failed = world.until(ids[3], |payment| payment["operations"][1]["status"] == "failed").await;
    let error = &failed["operations"][1]["error"];
    assert_eq!(error["code"], "invalid_auth_capture_svm_capture", "{failed}");
    let transactions = payments[0]["transactions"].as_array().unwrap();
    let statuses: Vec<_> = transactions.iter().map(|one| &one["status"]).collect();
    assert_eq!(statuses, ["finalized", "failed", "finalized"]);
    assert_eq!(transactions[1]["error"]["code"], "settlement_pending");
    // Each keeps what the transaction meant for it.
    let failed = world.payment(ids[3]).await;
    assert_eq!(failed["transactions"][1]["error"]["code"], "invalid_auth_capture_svm_capture", "{failed}");
}
