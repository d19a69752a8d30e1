//! Who is told yes again: the installation of a merchant that settled first.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use x402_escrow_wire::auth_capture::Commitment;

use crate::{
    stream::{self, Channel, PRICE},
    world::{Options, World},
};

const DUPLICATE: &str = "duplicate_settlement";
const REPEATED: &str = "invalid_auth_capture_svm_voucher_repeated";

/// `body` as the installation with this number settles it.
fn claimed(mut body: Value, number: u8) -> Value {
    body["claim"] = json!(hex::encode([number; 16]));
    body
}

fn again(answer: &Value) -> (&Value, &Value) {
    (&answer["extra"]["alreadySettled"], &answer["extra"]["claimed"])
}

#[tokio::test]
async fn the_first_to_claim_a_payment_is_told_yes_again_and_nobody_else() {
    let world = World::new().await;
    let body = world.body(&world.requirements(1000), 1);
    let first = world.settled(&claimed(body.clone(), 1)).await;
    assert_eq!(again(&first), (&json!(false), &Value::Null));
    for _ in 0..2 {
        let answer = world.settled(&claimed(body.clone(), 1)).await;
        assert_eq!(again(&answer), (&json!(true), &json!(true)), "{answer}");
        for other in [claimed(body.clone(), 2), body.clone()] {
            let answer = world.settle(&other).await;
            assert_eq!((&answer["success"], &answer["errorReason"]), (&json!(false), &json!(DUPLICATE)));
        }
    }
    assert_eq!(world.cluster.distinct_sent(), 1);
}

#[tokio::test]
async fn what_is_paid_or_over_is_told_to_nobody_again() {
    let world = World::new().await;
    let body = claimed(world.body(&world.requirements(1000), 1), 1);
    world.settled(&body).await;
    world.settled(&world.capture(world.payment_id(&body), 300, false)).await;
    assert_eq!(world.settle(&body).await["errorReason"], DUPLICATE);

    let released = claimed(world.body(&world.requirements(1000), 2), 1);
    world.settled(&released).await;
    world.settled(&world.void(world.payment_id(&released), 0)).await;
    assert_eq!(world.settle(&released).await["errorReason"], DUPLICATE);
}

#[tokio::test]
async fn a_payment_that_nobody_claimed_is_told_as_ever() {
    let world = World::new().await;
    let body = world.body(&world.requirements(1000), 1);
    world.settled(&body).await;
    for again_body in [body.clone(), claimed(body, 1)] {
        let answer = world.settled(&again_body).await;
        assert_eq!(again(&answer), (&json!(true), &Value::Null), "{answer}");
    }
}

#[tokio::test]
async fn of_many_installations_at_once_exactly_one_sells() {
    let world = World::new().await;
    for nonce in 1..=5 {
        let body = world.body(&world.requirements(1000), nonce);
        let asked = (0..40_u8).map(|index| claimed(body.clone(), index % 8));
        let bodies: Vec<_> = asked.collect();
        let answers = join_all(bodies.iter().map(|body| world.settle(body))).await;
        let mut sellers: Vec<_> = bodies
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| answer["success"] == true)
            .map(|(body, _)| body["claim"].clone())
            .collect();
        assert_eq!(sellers.len(), 5, "every request of one installation: {answers:#?}");
        sellers.dedup();
        assert_eq!(sellers.len(), 1);
        let news = answers.iter().filter(|answer| answer["extra"]["alreadySettled"] == false).count();
        assert_eq!(news, 1);
    }
}

#[tokio::test]
async fn a_payment_that_came_to_nothing_can_be_claimed_anew() {
    use solana_sdk::transaction::TransactionError;
    let world = World::new().await;
    world.cluster.state().next_error = Some(TransactionError::AccountInUse);
    world.cluster.state().level = Commitment::Finalized;
    let body = world.body(&world.requirements(1000), 1);
    assert_eq!(world.settle(&claimed(body.clone(), 1)).await["success"], false);
    world.cluster.state().svm.expire_blockhash();
    world.settled(&claimed(body.clone(), 2)).await;
    assert_eq!(world.settle(&claimed(body.clone(), 1)).await["errorReason"], DUPLICATE);
    assert_eq!(again(&world.settled(&claimed(body, 2)).await), (&json!(true), &json!(true)));
}

#[tokio::test]
async fn vouchers_are_claimed_one_by_one() {
    let channel = Channel::open().await;
    let voucher = |steps: u64| channel.voucher(PRICE * steps);
    let settle = async |body: &Value| channel.world.settle(body).await;
    for steps in 2..=4 {
        let answer = settle(&claimed(voucher(steps), 1)).await;
        assert_eq!(again(&answer), (&json!(false), &Value::Null), "{answer}");
    }
    for steps in [4, 2, 3] {
        let answer = settle(&claimed(voucher(steps), 1)).await;
        assert_eq!((&answer["success"], again(&answer)), (&json!(true), (&json!(true), &json!(true))));
        assert_eq!(answer["amount"], PRICE.to_string(), "what it added");
        for other in [claimed(voucher(steps), 2), voucher(steps)] {
            assert_eq!(settle(&other).await["errorReason"], REPEATED);
        }
    }
    let at_once = (0..20_u8).map(|index| claimed(voucher(6), 1 + index % 4)).collect::<Vec<_>>();
    let answers = join_all(at_once.iter().map(settle)).await;
    let yes = answers.iter().filter(|answer| answer["success"] == true).count();
    assert_eq!(yes, 5, "those of one installation: {answers:#?}");

    channel.world.settled(&channel.close(PRICE * 6)).await;
    assert_ne!(settle(&claimed(voucher(6), 1)).await["success"], true);
}

#[tokio::test]
async fn an_opening_is_told_again_to_who_claimed_it_and_buys_once() {
    let world = World::new().await;
    let opening = stream::first(&world);
    let first = world.settled(&claimed(opening.clone(), 1)).await;
    assert_eq!(again(&first), (&json!(false), &Value::Null));
    let second = world.settled(&claimed(opening.clone(), 1)).await;
    assert_eq!(again(&second), (&json!(true), &json!(true)));
    assert_eq!(world.settle(&claimed(opening, 2)).await["errorReason"], DUPLICATE);
}

#[tokio::test]
async fn an_opening_whose_voucher_came_alone_through_another_installation_is_told_to_nobody() {
    let options = Options { settle_timeout: Duration::from_millis(1500), ..Options::default() };
    let world = World::with(options).await;
    let (opening, alone) = stream::final_first_and_its_voucher(&world);
    // The hold is there, and not as final as the first installation wants it.
    let first = world.settle(&claimed(opening.clone(), 1)).await;
    assert_eq!(first["errorReason"], "settlement_pending", "{first}");
    let sold = world.settled(&claimed(alone.clone(), 2)).await;
    assert_eq!(again(&sold), (&json!(false), &Value::Null));

    world.cluster.state().level = Commitment::Finalized;
    let is_final = |payment: &Value| payment["operations"][0]["status"] == "finalized";
    world.until(world.payment_id(&opening), is_final).await;
    assert_eq!(world.settle(&claimed(opening, 1)).await["errorReason"], DUPLICATE);
    assert_eq!(again(&world.settled(&claimed(alone, 2)).await), (&json!(true), &json!(true)));
}

#[tokio::test]
async fn a_claim_is_of_32_hex_digits() {
    let world = World::new().await;
    let mut body = world.body(&world.requirements(1000), 1);
    for claim in [json!("AB".repeat(16)), json!("ab"), json!(7)] {
        body["claim"] = claim;
        let (status, answer) = world.post("/settle", &body).await;
        assert_eq!((status.as_u16(), &answer["error"]["field"]), (400, &json!("claim")), "{answer}");
    }
}
