//! Which tokens are transferred at the verifier's cost, and from what amount on.

use solana_sdk::signer::Signer;
use spl_token_interface::state::AccountState;

use super::wallet::{assert_refused, body, buyer, draft, payment, requirements};
use crate::world::{World, keypair};

/// A token that anybody can make.
const JUNK: u8 = 41;

#[tokio::test]
async fn a_transfer_of_nothing_is_refused() {
    let world = World::new().await;
    let code = "invalid_exact_svm_amount_too_small";
    assert_refused(&world, &payment(&world, 0, "nothing"), code, "must be at least 1 base unit").await;
    world.settled(&payment(&world, 1, "least")).await;
}

#[tokio::test]
async fn a_token_that_the_operator_did_not_name_is_refused() {
    let world = World::new().await;
    let junk = keypair(JUNK).pubkey();
    world.create_mint(junk);
    world.set_token_account_of(junk, buyer().pubkey(), AccountState::Initialized, 1_000_000);
    world.set_token_account_of(junk, world.merchant(), AccountState::Initialized, 0);
    let mut requirements = requirements(&world, 1000);
    requirements.asset = junk.into();
    let payment = body(&requirements, &draft(&world, &requirements, "junk").signed(&world));
    assert_refused(&world, &payment, "invalid_exact_svm_unsupported_asset", &world.mint.to_string()).await;
}
