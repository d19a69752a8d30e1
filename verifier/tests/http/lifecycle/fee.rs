//! Captures with a fee, and where captures and releases are signed by two keys.

use serde_json::{Value, json};
use spl_token_interface::state::AccountState;
use x402_escrow_wire::{
    auth_capture::LifecyclePayload,
    text::{Base58, Decimal, Hex32},
};

use super::{CAPTURE, assert_refused, assert_settled, balances};
use crate::world::{FUNDS, World, envelope, sign};

/// A fee of at most 250 basis points, and authorizers that are two keys.
async fn authorize_with_fee(world: &World, receiver_authorizer: Base58<32>) -> Hex32 {
    let mut requirements = world.requirements(1000);
    requirements.extra.insert("maxFeeBps".to_owned(), json!(250));
    requirements.extra.insert("feeRecipient".to_owned(), json!(world.fee_payer().to_string()));
    requirements.extra.insert("receiverAuthorizer".to_owned(), json!(receiver_authorizer));
    let mut payload = world.payload(&requirements, 1);
    payload.authorize_by = world.cluster.now() + 30;
    sign(&mut payload, &requirements);
    let body = envelope(&requirements, json!(payload));
    world.settled(&body).await;
    world.payment_id(&body)
}

fn with_fee(world: &World, payment_id: Hex32, amount: u64, fee: u64) -> Value {
    let signature = Base58([0; 64]);
    let (amount, fee) = (Decimal(amount), Decimal(fee));
    world.lifecycle(LifecyclePayload::Capture { payment_id, amount, fee, last: false, signature })
}

#[tokio::test]
async fn a_fee_goes_to_its_recipient_and_is_bounded_by_the_intent() {
    let world = World::new().await;
    world.set_token_account(world.fee_payer(), AccountState::Initialized, 0);
    let id = authorize_with_fee(&world, world.merchant().into()).await;
    assert_refused(&world, &with_fee(&world, id, 400, 11), CAPTURE, "payload.fee: 11 is above 10").await;
    assert_settled(&world, &with_fee(&world, id, 400, 10), "400", "captured").await;
    assert_eq!(balances(&world), (FUNDS - 400, 600, 390));
    assert_settled(&world, &with_fee(&world, id, 600, 15), "200", "captured").await;
    assert_eq!(balances(&world), (FUNDS - 600, 400, 585));
    assert_eq!(world.payment(id).await["fee"], "15");
}

#[tokio::test]
async fn the_fee_of_a_later_capture_may_be_lower_or_grow_by_more_than_the_capture_pays() {
    let world = World::new().await;
    world.set_token_account(world.fee_payer(), AccountState::Initialized, 0);
    let id = authorize_with_fee(&world, world.merchant().into()).await;
    assert_settled(&world, &with_fee(&world, id, 400, 10), "400", "captured").await;
    assert_settled(&world, &with_fee(&world, id, 600, 0), "200", "captured").await;
    assert_eq!((world.tokens(world.fee_payer()), world.received()), (10, 590), "what is paid stays paid");
    assert_settled(&world, &with_fee(&world, id, 602, 15), "2", "captured").await;
    assert_eq!((world.tokens(world.fee_payer()), world.received()), (12, 590), "as far as the capture pays");
    assert_eq!(world.payment(id).await["fee"], "12");
}

#[tokio::test]
async fn a_fee_recipient_that_can_not_be_paid_holds_up_nobody() {
    let world = World::new().await;
    world.set_token_account(world.fee_payer(), AccountState::Frozen, 0);
    let id = authorize_with_fee(&world, world.merchant().into()).await;
    assert_settled(&world, &with_fee(&world, id, 400, 10), "400", "captured").await;
    assert_eq!((world.tokens(world.fee_payer()), world.received()), (0, 400));
}

#[tokio::test]
async fn a_capture_is_not_the_last_where_another_key_releases() {
    let world = World::new().await;
    let id = authorize_with_fee(&world, world.session_key().into()).await;
    assert_refused(&world, &world.capture(id, 400, true), CAPTURE, "payload.last").await;
    assert_settled(&world, &world.capture(id, 400, false), "400", "captured").await;
    // The merchant signs it, but the receiver authorizer is another.
    let code = "invalid_auth_capture_svm_authorizer_signature";
    assert_refused(&world, &world.void(id, 400), code, "receiver authorizer").await;
}
