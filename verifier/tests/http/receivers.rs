//! Sessions that may only pay the receivers in a list.

use axum::http::StatusCode;
use serde_json::{Value, json};
use spl_token_interface::state::AccountState;
use x402_escrow_interface::{
    Address, error::EscrowError, instruction::SessionLimits, receivers::ReceiverList,
};
use x402_escrow_wire::{auth_capture::Commitment, text::Hex32};

use crate::{intents::request, verify::assert_refused, world::World};

const CODE: &str = "invalid_auth_capture_svm_receiver_not_allowed";

/// A world whose session pays `count` receivers, the merchant among them, and the proof that it is.
async fn listed(count: u8) -> (World, Vec<Hex32>) {
    let world = World::new().await;
    let others = (1..count).map(|other| Address::new_from_array([other; 32]));
    let list = ReceiverList::new(others.chain([world.merchant()]).collect()).unwrap();
    world.update_session(&SessionLimits { receivers_root: list.root(), ..world.wide_limits() });
    let proof = list.proof(&world.merchant()).unwrap().into_iter().map(Hex32).collect();
    (world, proof)
}

fn with_proof(mut body: Value, proof: &[Hex32]) -> Value {
    body["paymentPayload"]["payload"]["receiverProof"] = json!(proof);
    body
}

#[tokio::test]
async fn a_listed_receiver_is_paid_with_the_proof_and_not_without() {
    for count in [2, 3, 200] {
        let (world, proof) = listed(count).await;
        let body = world.body(&world.requirements(1000), 1);
        assert_refused(&world, &body, CODE, "payload.receiverProof").await;
        assert_refused(&world, &with_proof(body.clone(), &proof[1..]), CODE, "payload.receiverProof").await;
        let id = world.payment_id(&body);
        world.settled(&with_proof(body, &proof)).await;
        world.settled(&world.capture(id, 400, true)).await;
        assert_eq!(world.received(), 400);
    }
}

#[tokio::test]
async fn a_list_of_one_needs_no_proof() {
    let (world, proof) = listed(1).await;
    assert!(proof.is_empty());
    world.authorize(1000, 1).await;
}

#[tokio::test]
async fn a_receiver_that_is_not_listed_is_refused() {
    let (world, proof) = listed(3).await;
    let mut requirements = world.requirements(1000);
    requirements.pay_to = world.fee_payer().into();
    world.set_token_account(world.fee_payer(), AccountState::Initialized, 0);
    let body = with_proof(world.body(&requirements, 1), &proof);
    assert_refused(&world, &body, CODE, "payTo").await;
}

#[tokio::test]
async fn a_session_with_a_list_allows_no_fee() {
    let (world, proof) = listed(3).await;
    let mut requirements = world.requirements(1000);
    requirements.extra.insert("maxFeeBps".to_owned(), json!(1));
    requirements.extra.insert("feeRecipient".to_owned(), json!(world.fee_payer().to_string()));
    let body = with_proof(world.body(&requirements, 1), &proof);
    assert_refused(&world, &body, CODE, "extra.maxFeeBps").await;
}

#[tokio::test]
async fn a_proof_harms_nothing_where_the_session_pays_anyone() {
    let world = World::new().await;
    let body = with_proof(world.body(&world.requirements(1000), 1), &[Hex32([7; 32]); 12]);
    world.settled(&body).await;
}

#[tokio::test]
async fn a_proof_that_no_list_can_have_is_refused() {
    let world = World::new().await;
    let body = with_proof(world.body(&world.requirements(1000), 1), &[Hex32([7; 32]); 13]);
    assert_refused(&world, &body, "invalid_payload", "paymentPayload.payload.receiverProof").await;
}

/// The list was changed after the first try, and the same intent comes with another proof.
#[tokio::test]
async fn the_proof_that_comes_with_another_try_counts() {
    let (world, proof) = listed(3).await;
    let body = world.body(&world.requirements(1000), 1);
    world.cluster.state().level = Commitment::Finalized;
    world.fail_next(0, EscrowError::ReceiverNotListed);
    let answer = world.settle(&with_proof(body.clone(), &proof)).await;
    assert_eq!(answer["errorReason"], CODE, "{answer}");
    let list = ReceiverList::new(vec![world.merchant(), Address::new_from_array([9; 32])]).unwrap();
    world.update_session(&SessionLimits { receivers_root: list.root(), ..world.wide_limits() });
    let proof: Vec<_> = list.proof(&world.merchant()).unwrap().into_iter().map(Hex32).collect();
    world.cluster.outlive_blockhash();
    world.settled(&with_proof(body, &proof)).await;
}

#[tokio::test]
async fn an_intent_is_drafted_with_the_proof() {
    let (world, proof) = listed(3).await;
    let mut body = request(&world, json!([world.requirements(1000)]));
    let (status, answer) = world.post("/intents", &body).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer["passedOver"].to_string().contains("receiver_not_allowed"), "{answer}");
    body["receiverProof"] = json!(proof);
    let (status, answer) = world.post("/intents", &body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["unsigned"]["payload"]["receiverProof"], json!(proof));
    body["receiverProof"] = json!(["00"]);
    let (_, answer) = world.post("/intents", &body).await;
    assert_eq!(answer["error"]["field"], "receiverProof[0]", "{answer}");
}

#[tokio::test]
async fn a_merchant_learns_before_it_sells_whether_it_can_be_paid() {
    let world = World::new().await;
    let (merchant, mint) = (world.merchant(), world.mint);
    let path = |receiver: &Address, mint: &Address| format!("/receivers/{receiver}/{mint}");
    let (status, paid) = world.get(&path(&merchant, &mint)).await;
    assert_eq!(
        (status, &paid["canReceive"], &paid["decimals"]),
        (StatusCode::OK, &json!(true), &json!(6)),
        "{paid}"
    );
    assert!(paid["rentLamports"].as_str().unwrap().parse::<u64>().unwrap() > 0);
    let nobody = Address::new_from_array([7; 32]);
    let (status, unpaid) = world.get(&path(&nobody, &mint)).await;
    assert_eq!((status, &unpaid["canReceive"]), (StatusCode::OK, &json!(false)));
    let account = world.set_token_account(nobody, AccountState::Initialized, 0);
    let (_, now) = world.get(&path(&nobody, &mint)).await;
    assert_eq!((&now["canReceive"], &now["tokenAccount"]), (&json!(true), &json!(account.to_string())));
    world.set_token_account(nobody, AccountState::Frozen, 0);
    assert_eq!(world.get(&path(&nobody, &mint)).await.1["canReceive"], false);
    for no_mint in [nobody, account] {
        let (status, refused) = world.get(&path(&merchant, &no_mint)).await;
        assert_eq!(
            (status, &refused["error"]["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("wrong_mint"))
        );
    }
    let (status, refused) = world.get("/receivers/x/y").await;
    assert_eq!((status, &refused["error"]["field"]), (StatusCode::BAD_REQUEST, &json!("receiver")));
}
