//! `POST /revocations`: an owner without SOL stops an agent through the verifier.

use axum::http::StatusCode;
use ed25519_dalek::Signer as _;
use serde_json::{Value, json};
use solana_sdk::signer::Signer;
use x402_escrow_domain::budget::{Budgets, Limit, Limits};
use x402_escrow_interface::instruction;
use x402_escrow_wire::{
    revocation::{Revocation, Scope},
    text::{Base58, Decimal},
};

use crate::world::{MERCHANT, Options, PAYER, World, keypair, program, signing_key};

fn signed(world: &World, scope: Scope, seed: u8) -> Revocation {
    let key = signing_key(seed);
    let unsigned = Revocation {
        program: program().into(),
        escrow: world.escrow.into(),
        scope,
        revoker: Base58(key.verifying_key().to_bytes()),
        signature: Base58([0; 64]),
    };
    let signature = key.sign(&unsigned.message().signed_bytes());
    Revocation { signature: Base58(signature.to_bytes()), ..unsigned }
}

fn of_session(world: &World) -> Scope {
    let session = world.session_account();
    Scope::Session { session_key: session.session_key.into(), incarnation: Base58(session.incarnation) }
}

async fn post(world: &World, revocation: impl serde::Serialize) -> (StatusCode, Value) {
    world.post("/revocations", &json!(revocation)).await
}

#[tokio::test]
async fn a_session_is_revoked_by_its_payers_signature_alone_and_once() {
    let world = World::new().await;
    let revocation = signed(&world, of_session(&world), PAYER);
    let (status, answer) = post(&world, revocation).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(answer["transaction"].is_string(), "{answer}");
    assert_eq!(world.session_account().revoked, 1);
    // Again: it is revoked, and nothing is sent.
    assert_eq!(post(&world, revocation).await, (StatusCode::OK, json!({})));
}

#[tokio::test]
async fn a_guardian_revokes_all_sessions_that_were_opened_so_far() {
    let world = World::new().await;
    let guardian = keypair(MERCHANT).pubkey();
    let payer = keypair(PAYER);
    let all = Scope::All { opened_through_slot: Decimal(world.session_account().opened_slot) };
    let (status, answer) = post(&world, signed(&world, all, MERCHANT)).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("wrong_revoker"))
    );

    let name = instruction::set_guardian(&program(), &payer.pubkey(), &world.escrow, &guardian);
    world.execute(&[name], &payer);
    let (status, answer) = post(&world, signed(&world, all, MERCHANT)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(world.escrow_account().has_revoked(&world.session_account()));
    assert_eq!(post(&world, signed(&world, all, MERCHANT)).await, (StatusCode::OK, json!({})));
}

#[tokio::test]
async fn what_is_not_signed_or_means_nothing_here_is_refused_and_costs_nothing() {
    let world = World::new().await;
    let honest = json!(signed(&world, of_session(&world), PAYER));
    let changed = |name: &str, value: Value| {
        let mut changed = honest.clone();
        changed[name] = value;
        changed
    };
    let lamports = world.fee_payer_lamports();
    let later = Scope::All { opened_through_slot: Decimal(1 << 40) };
    let other = json!(Base58([9; 32]));
    for (revocation, code) in [
        (changed("program", other.clone()), "program_mismatch"),
        (changed("escrow", other.clone()), "invalid_signature"),
        (changed("incarnation", other), "invalid_signature"),
        (json!(signed(&world, later, PAYER)), "revoked_slot_in_future"),
    ] {
        let (status, answer) = post(&world, &revocation).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!(code)),
            "{answer}"
        );
    }
    let mut incomplete = honest;
    incomplete.as_object_mut().unwrap().remove("incarnation");
    let (status, answer) = post(&world, &incomplete).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer["error"]["message"].as_str().unwrap().contains("or openedThroughSlot"), "{answer}");
    assert_eq!((world.session_account().revoked, world.fee_payer_lamports()), (0, lamports));
}

#[tokio::test]
async fn a_payer_that_used_its_budget_up_can_still_stop_one_session() {
    let payer = Limit { hour: 1, day: 0 };
    let fees = Limits { payer, ..Limits::default() };
    let budgets = Budgets { fees, rent: Limits::default() };
    let world = World::with(Options { budgets, ..Options::default() }).await;
    let all = Scope::All { opened_through_slot: Decimal(world.session_account().opened_slot) };
    let (status, answer) = post(&world, signed(&world, all, PAYER)).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("budget_used_up")));
    let (status, answer) = post(&world, signed(&world, of_session(&world), PAYER)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}
