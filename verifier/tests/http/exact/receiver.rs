//! A receiver who has no token account yet.

use solana_sdk::signer::Signer;
use x402_escrow_interface::address::{self, TOKEN_PROGRAM_ID};

use super::wallet::{assert_refused, body, draft, payment, requirements};
use crate::world::{World, keypair};

#[tokio::test]
async fn a_receiver_without_a_token_account_is_told_who_can_create_it_and_what_it_costs() {
    let world = World::new().await;
    let receiver = keypair(40).pubkey();
    let mut requirements = requirements(&world, 1000);
    requirements.pay_to = receiver.into();
    let payment = body(&requirements, &draft(&world, &requirements, "nonce").signed(&world));
    let account = address::associated_token(&receiver, &world.mint, &TOKEN_PROGRAM_ID);
    let code = "invalid_exact_svm_receiver_token_account";
    for reason in [
        format!("{receiver} has no token account of {}", world.mint),
        format!("anybody can create it, at {account}"),
        // What LiteSVM's rent sysvar says for 165 bytes.
        "0.00203928 SOL".to_owned(),
    ] {
        assert_refused(&world, &payment, code, &reason).await;
    }
}

#[tokio::test]
async fn the_rent_is_the_clusters() {
    let world = World::new().await;
    let mut rent = world.cluster.state().svm.get_sysvar::<solana_sdk::rent::Rent>();
    rent.lamports_per_byte /= 2;
    world.cluster.state().svm.set_sysvar(&rent);
    let mut requirements = requirements(&world, 1000);
    requirements.pay_to = keypair(40).pubkey().into();
    let payment = body(&requirements, &draft(&world, &requirements, "nonce").signed(&world));
    let code = "invalid_exact_svm_receiver_token_account";
    assert_refused(&world, &payment, code, "0.00101964 SOL").await;
}

/// The receiver is not at fault where the payer has no account.
#[tokio::test]
async fn a_payer_without_a_token_account_is_told_so() {
    let world = World::new().await;
    let body = payment(&world, 1000, "nonce");
    let source = address::associated_token(&super::wallet::buyer().pubkey(), &world.mint, &TOKEN_PROGRAM_ID);
    let empty = Default::default();
    world.cluster.state().svm.set_account(source, empty).unwrap();
    let (_, verdict) = world.post("/verify", &body).await;
    assert_eq!(verdict["invalidReason"], "invalid_exact_svm_transaction_simulation_failed", "{verdict}");
    assert!(verdict["invalidMessage"].as_str().unwrap().contains("the payer's"), "{verdict}");
}
