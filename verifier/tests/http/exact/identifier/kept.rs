//! How long the store keeps ids, and how many.

use solana_sdk::signer::Signer;
use x402_escrow_domain::{
    identifier::{Binding, KEPT_OF_ONE_KEY, KEPT_SECONDS},
    payment::{Attempt, Payment, Resource, Terms, TransferTerms},
};
use x402_escrow_verifier::store::{Accepted, NewTransfer};
use x402_escrow_wire::auth_capture::Level;

use super::super::wallet::buyer;
use crate::world::{World, keypair};

#[tokio::test]
async fn ids_are_kept_for_a_day_and_a_thousand_of_each_payer() {
    let world = World::new().await;
    let store = &world.app.store;
    let signer = buyer().pubkey();
    let named = |index: i64, at: i64| Binding {
        signer,
        id: format!("purchase-{index:016}").parse().unwrap(),
        signed_hash: [1; 32],
        amount: 1,
        accepted_at: at,
    };
    let accept = async |index: i64, purchase: &Binding| {
        let payment = example(index);
        let attempt = Attempt::only([0; 64], Vec::new(), 0);
        let new = NewTransfer {
            payment: &payment,
            attempt,
            commitment: Level::Confirmed,
            review_at: 0,
            memo_hash: None,
        };
        store.accept_transfer(new, Some(purchase)).await.unwrap()
    };
    let is_known = async |index: i64, now: i64| {
        store.binding(&signer, &named(index, 0).id, now).await.unwrap().is_some()
    };
    let others = Binding { signer: keypair(40).pubkey(), ..named(0, 0) };
    accept(0, &others).await;
    for index in 1..=KEPT_OF_ONE_KEY + 2 {
        assert!(matches!(accept(index, &named(index, index)).await, Accepted::New(_)));
    }
    let now = KEPT_OF_ONE_KEY + 2;
    assert!(!is_known(2, now).await, "the oldest are forgotten");
    assert!(is_known(3, now).await && is_known(now, now).await);
    assert!(store.binding(&others.signer, &others.id, now).await.unwrap().is_some(), "another's stay");

    assert!(is_known(3, KEPT_SECONDS + 2).await);
    assert!(!is_known(3, KEPT_SECONDS + 3).await, "after a day it may be used again");
    let again = Binding { signed_hash: [2; 32], ..named(3, KEPT_SECONDS + 3) };
    assert!(matches!(accept(5000, &again).await, Accepted::New(_)));
    let taken = Binding { signed_hash: [3; 32], ..again.clone() };
    assert_eq!(accept(5001, &taken).await, Accepted::IdentifierTaken(again.id.clone()));
    assert_eq!(store.history(&example(5001).id).await.unwrap(), None, "nothing is accepted without its id");
}

fn example(number: i64) -> Payment {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.to_le_bytes());
    let address = buyer().pubkey();
    let terms = Terms::Transfer(TransferTerms { destination: address, is_told: false });
    Payment {
        id,
        terms,
        payer: address,
        mint: address,
        receiver: address,
        amount: 1,
        accepted_at: 0,
        claim: None,
        resource: Resource::default(),
    }
}
