//! Payments that are right: what moves, what is answered, and that each counts once.

use axum::http::StatusCode;
use serde_json::json;
use solana_sdk::{signer::Signer, transaction::TransactionError};
use x402_escrow_domain::cluster::{Executed, TokenBalance};
use x402_escrow_wire::auth_capture::Commitment;

use super::wallet::{
    assert_refused, body, buyer, buyers_tokens, draft, encode, payment, payment_id, requirements, signed_by,
};
use crate::world::{NETWORK, Options, World, keypair};

#[tokio::test]
async fn a_payment_moves_the_amount_and_costs_the_buyer_nothing_else() {
    let world = World::new().await;
    let (tokens, lamports) = (buyers_tokens(&world), world.fee_payer_lamports());
    let body = payment(&world, 1000, "nonce");
    let (status, verdict) = world.post("/verify", &body).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(verdict["isValid"], json!(true), "{verdict}");
    assert_eq!(verdict["payer"], json!(buyer().pubkey().to_string()), "{verdict}");
    assert_eq!((world.sent(), world.exact_rows().await), (0, 0), "to verify changes nothing");

    let answer = world.settle(&body).await;
    assert_eq!(answer["success"], json!(true), "{answer}");
    assert_eq!(answer["payer"], json!(buyer().pubkey().to_string()));
    assert_eq!((&answer["network"], &answer["amount"]), (&json!(NETWORK), &json!("1000")));
    assert_eq!(answer["extra"]["commitmentRequired"], json!("confirmed"));
    assert_eq!(world.received(), 1000);
    assert_eq!(buyers_tokens(&world), tokens - 1000);
    // Two signatures of 5,000 lamports, and 20,000 units at a millionth of a lamport.
    assert_eq!(lamports - world.fee_payer_lamports(), 10_001);

    let report = world.payment(payment_id(&body)).await;
    assert_eq!(report["signature"], answer["transaction"], "{report}");
    assert_eq!((&report["scheme"], &report["amount"]), (&json!("exact"), &json!("1000")));
    assert_eq!((&report["status"], &report["claimed"]), (&json!("confirmed"), &json!(true)));
}

#[tokio::test]
async fn a_payment_counts_once() {
    let world = World::new().await;
    let body = payment(&world, 1000, "nonce");
    let first = world.settled(&body).await;
    let (_, verdict) = world.post("/verify", &body).await;
    assert_eq!(verdict["invalidReason"], json!("duplicate_settlement"), "{verdict}");
    for _ in 0..2 {
        let again = world.settle(&body).await;
        assert_eq!(
            (&again["success"], &again["errorReason"], &again["transaction"]),
            (&json!(false), &json!("duplicate_settlement"), &first["transaction"]),
            "{again}"
        );
    }
    assert_eq!((world.received(), world.sent(), world.exact_rows().await), (1000, 1, 1));
}

/// The fee payer's place in the transaction is empty, and anybody can write into it.
#[tokio::test]
async fn another_wrapping_of_the_same_message_is_the_same_payment() {
    let world = World::new().await;
    let requirements = requirements(&world, 1000);
    let mut transaction = draft(&world, &requirements, "nonce").signed(&world);
    world.settled(&body(&requirements, &transaction)).await;
    transaction.signatures[0] = keypair(40).sign_message(b"anything");
    let again = world.settle(&body(&requirements, &transaction)).await;
    assert_eq!(again["errorReason"], json!("duplicate_settlement"), "{again}");
    assert_eq!((world.received(), world.exact_rows().await), (1000, 1));
}

#[tokio::test]
async fn of_equal_requests_at_once_one_is_told_yes() {
    let world = World::new().await;
    let body = payment(&world, 1000, "nonce");
    let answers = futures_util::future::join_all((0..8).map(|_| world.settle(&body))).await;
    let told_yes = answers.iter().filter(|answer| answer["success"] == json!(true)).count();
    assert_eq!(told_yes, 1, "{answers:?}");
    for answer in &answers {
        assert_eq!(answer["transaction"], answers[0]["transaction"]);
        let reason = &answer["errorReason"];
        assert!(answer["success"] == json!(true) || reason == "duplicate_settlement", "{answer}");
    }
    assert_eq!((world.received(), world.cluster.distinct_sent(), world.exact_rows().await), (1000, 1, 1));
}

#[tokio::test]
async fn different_payments_are_all_paid() {
    let world = World::new().await;
    for (index, amount) in [1, 2, 3].into_iter().enumerate() {
        world.settled(&payment(&world, amount, &format!("nonce {index}"))).await;
    }
    assert_eq!((world.received(), world.exact_rows().await), (6, 3));
}

/// The store takes the yes of all of them in one statement.
#[tokio::test]
async fn of_each_of_many_payments_one_caller_is_told_yes() {
    let world = World::new().await;
    let bodies: Vec<_> = (0..6).map(|index| payment(&world, 1000, &format!("nonce {index}"))).collect();
    let asked = bodies.iter().chain(&bodies).map(|body| world.settle(body));
    let answers = futures_util::future::join_all(asked).await;
    for (index, answer) in answers.iter().enumerate() {
        let equal = &answers[(index + bodies.len()) % answers.len()];
        assert_ne!(answer["success"], equal["success"], "{answer} and {equal}");
    }
    assert_eq!((world.received(), world.exact_rows().await), (6000, 6));
}

#[tokio::test]
async fn what_would_fail_is_not_signed() {
    let world = World::new().await;
    let failed = "invalid_exact_svm_transaction_simulation_failed";
    let too_much = buyers_tokens(&world) + 1;
    assert_refused(&world, &payment(&world, too_much, "nonce"), failed, "not enough tokens").await;
    let good = payment(&world, 1000, "nonce");
    world.cluster.outlive_blockhash();
    assert_refused(&world, &good, failed, "blockhash has expired").await;
}

#[tokio::test]
async fn a_failure_on_chain_is_told_with_its_transaction() {
    let world = World::new().await;
    let tokens = buyers_tokens(&world);
    world.cluster.state().next_error =
        Some(TransactionError::InstructionError(2, solana_sdk::instruction::InstructionError::Custom(1)));
    let body = payment(&world, 1000, "nonce");
    for _ in 0..2 {
        let answer = world.settle(&body).await;
        assert_eq!(answer["errorReason"], json!("invalid_exact_svm_transaction_failed"), "{answer}");
        assert!(answer["errorMessage"].as_str().unwrap().contains("not enough tokens"), "{answer}");
        assert!(!answer["transaction"].as_str().unwrap().is_empty());
    }
    assert_eq!((world.received(), buyers_tokens(&world), world.sent()), (0, tokens, 1));
}

#[tokio::test]
async fn finality_is_as_asked() {
    let options = Options { settle_timeout: std::time::Duration::from_millis(300), ..Options::default() };
    let world = World::with(options).await;
    let mut asked = requirements(&world, 1000);
    asked.extra.insert("commitment".to_owned(), json!("finalized"));
    let body = body(&asked, &draft(&world, &asked, "nonce").signed(&world));
    world.settle(&body).await;
    world.until(payment_id(&body), |payment| payment["status"] == "confirmed").await;
    let answer = world.settle(&body).await;
    assert_eq!(answer["errorReason"], json!("settlement_pending"), "{answer}");
    assert!(answer["errorMessage"].as_str().unwrap().contains("finalized"), "{answer}");
    world.cluster.state().level = Commitment::Finalized;
    let answer = world.settled(&body).await;
    assert_eq!(answer["extra"]["status"], json!("finalized"), "{answer}");
    assert_eq!(world.sent(), 1);
}

/// The status says that it succeeded; what the transaction did is read back and says otherwise.
#[tokio::test]
async fn what_the_transaction_did_is_read_back() {
    let options = Options { settle_timeout: std::time::Duration::from_millis(300), ..Options::default() };
    let world = World::with(options).await;
    world.cluster.state().level = Commitment::Processed;
    let body = payment(&world, 1000, "nonce");
    assert_eq!(world.settle(&body).await["errorReason"], json!("settlement_pending"));
    let id = payment_id(&body);
    world.until(id, |payment| payment["status"] == "processed").await;
    let told: Executed = world.cluster.state().executed.values().next().unwrap().clone();
    let lie = |change: &dyn Fn(&mut Executed)| {
        let mut executed = told.clone();
        change(&mut executed);
        let mut state = world.cluster.state();
        state.level = Commitment::Confirmed;
        *state.executed.values_mut().next().unwrap() = executed;
    };
    let receiver = |balance: &&mut TokenBalance| balance.after > balance.before;
    for change in [
        &|executed: &mut Executed| executed.message.push(0) as _,
        &|executed: &mut Executed| executed.error = Some(TransactionError::AccountInUse),
        &|executed: &mut Executed| executed.token_balances.clear(),
        &|executed: &mut Executed| executed.token_balances.iter_mut().find(receiver).unwrap().after -= 1,
        &|executed: &mut Executed| executed.token_balances.iter_mut().find(receiver).unwrap().after += 1,
        &|executed: &mut Executed| {
            executed.token_balances.iter_mut().find(receiver).unwrap().mint = buyer().pubkey();
        },
    ] as [&dyn Fn(&mut Executed); 6]
    {
        lie(change);
        world.until(id, |payment| payment["status"] == "confirmed").await;
        let answer = world.settle(&body).await;
        assert_eq!(answer["errorReason"], json!("post_settlement_transfer_not_confirmed"), "{answer}");
        assert_eq!(world.payment(id).await["claimed"], json!(false));
    }
    lie(&|_| {});
    world.settled(&body).await;
}

/// A good payment stays good for whoever holds it, and a copy with another signer's bytes is none.
#[tokio::test]
async fn a_refused_copy_does_not_take_the_place_of_the_good_one() {
    let world = World::new().await;
    let requirements = requirements(&world, 1000);
    let draft = draft(&world, &requirements, "nonce");
    let mut forged = draft.unsigned(&world);
    forged.signatures[1] = keypair(40).sign_message(&forged.message.serialize());
    let refused = world.settle(&body(&requirements, &forged)).await;
    assert_eq!(refused["errorReason"], json!("invalid_exact_svm_payload_signature_invalid"), "{refused}");
    let good = signed_by(forged, &[&buyer()]);
    assert!(!encode(&good).is_empty());
    world.settled(&body(&requirements, &good)).await;
    assert_eq!(world.received(), 1000);
}
