//! A fee payer that another takes the place of: slowly, or at once because it is stolen.

use serde_json::json;
use solana_sdk::signer::Signer;

use crate::{
    exact::wallet,
    world::{FEE_PAYER, Options, World, keypair},
};

/// The new fee payer's key.
const NEW: u8 = 40;

impl World {
    /// Gives the new fee payer some SOL, and starts the verifier anew with it.
    async fn restart_with_new_fee_payer(&mut self, former: Options) {
        self.cluster.state().svm.airdrop(&keypair(NEW).pubkey(), 10_000_000_000).unwrap();
        self.restart(Options { fee_payer: NEW, ..former }).await;
    }
}

#[tokio::test]
async fn a_retiring_fee_payer_is_served_and_not_announced() {
    let mut world = World::new().await;
    let id = world.authorize(1000, 1).await;
    let retiring = Options { retiring: &[FEE_PAYER], ..Options::default() };
    world.restart_with_new_fee_payer(retiring).await;
    let [old, new] = [FEE_PAYER, NEW].map(|seed| keypair(seed).pubkey().to_string());
    let (_, supported) = world.get("/supported").await;
    for kind in supported["kinds"].as_array().unwrap() {
        assert_eq!(kind["extra"]["feePayer"], json!(new));
    }
    assert_eq!(supported["signers"]["solana:*"], json!([new, old]));

    // Both name the old one.
    world.authorize(1000, 2).await;
    world.settled(&wallet::payment(&world, 500, "old")).await;
    world.settled(&world.capture(id, 600, true)).await;
    assert_eq!(world.received(), 1100);
}

#[tokio::test]
async fn a_fee_payer_that_is_cut_off_signs_nothing_and_what_it_paid_for_is_captured() {
    let mut world = World::new().await;
    let body = world.body(&world.requirements(1000), 1);
    world.settled(&body).await;
    let id = world.payment_id(&body);
    let cut_off = Options { cut_off: &[FEE_PAYER], ..Options::default() };
    world.restart_with_new_fee_payer(cut_off).await;
    let (_, supported) = world.get("/supported").await;
    assert_eq!(supported["signers"]["solana:*"], json!([keypair(NEW).pubkey().to_string()]));

    let before = world.fee_payer_lamports();
    let refused = world.settle(&world.body(&world.requirements(1000), 2)).await;
    assert_eq!(refused["errorReason"], "invalid_auth_capture_svm_extra", "{refused}");
    assert!(refused["errorMessage"].as_str().unwrap().contains("is cut off"), "{refused}");
    let refused = world.settle(&wallet::payment(&world, 500, "old")).await;
    assert_eq!(refused["errorReason"], "invalid_exact_svm_fee_payer_not_managed_by_facilitator", "{refused}");
    assert_eq!(world.fee_payer_lamports(), before, "it paid for something");

    assert_eq!(world.settle(&body).await["extra"]["alreadySettled"], true, "what is known is told again");
    world.settled(&world.capture(id, 600, true)).await;
    assert_eq!((world.received(), world.escrow_account().held), (600, 0));
    assert!(world.fee_payer_lamports() > before, "its rent did not come back");
}
