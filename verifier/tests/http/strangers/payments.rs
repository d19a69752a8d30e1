//! New payments of one payer, to one receiver, and in the name of others.

use std::num::NonZeroU32;

use axum::http::StatusCode;
use ed25519_dalek::Signer as _;
use serde_json::{Value, json};
use solana_sdk::signer::Signer as _;
use spl_token_interface::state::AccountState;
use x402_escrow_interface::{Address, account::Session, address};
use x402_escrow_verifier::engine::limits::LimitSettings;
use x402_escrow_wire::{
    auth_capture::{Extra, IntentPayload},
    payment::PaymentRequirements,
    text::{Base58, Decimal},
};

use super::{assert_limited, attacked, post, served};
use crate::world::{Options, World, envelope, keypair, program, signing_key};

/// Seeds of the attacker's keys: of its wallet, and of its sessions.
const WALLET: u8 = 20;
const SESSIONS: [u8; 2] = [60, 61];

/// A payer with an escrow and two sessions of its own.
fn escrow_of_attacker(world: &World) -> Address {
    let payer = keypair(WALLET);
    world.open_escrow(&payer, world.mint);
    let escrow = address::escrow(&program(), &payer.pubkey(), &world.mint);
    for seed in SESSIONS {
        world.open_session_of(&payer, &escrow, &keypair(seed).pubkey(), world.wide_limits());
    }
    escrow
}

/// A payment out of `escrow`, signed with the session key of this seed.
fn paid(world: &World, terms: &PaymentRequirements, escrow: Address, seed: u8, nonce: u64) -> Value {
    let key = keypair(seed).pubkey();
    let session = address::session(&program(), &escrow, &key);
    let account = world.cluster.state().svm.get_account(&session);
    // A session that is none has no incarnation that is right.
    let incarnation = account.map_or([0; 32], |account| Session::decode(&account.data).unwrap().incarnation);
    let mut payload = IntentPayload {
        escrow: escrow.into(),
        session_key: key.into(),
        incarnation: Base58(incarnation),
        nonce: Decimal(nonce),
        authorize_by: world.cluster.now() + 60,
        receiver_proof: Vec::new(),
        signature: None,
        voucher: None,
        capture: None,
    };
    let intent = payload.intent(terms, &Extra::read(terms).unwrap());
    payload.signature = Some(Base58(signing_key(seed).sign(&intent.signed_bytes()).to_bytes()));
    envelope(terms, json!(payload))
}

async fn world(limit: fn(&mut LimitSettings)) -> World {
    World::with(Options { limit, ..Options::default() }).await
}

async fn refuse(world: &World, body: &Value) {
    let before = world.rows().await;
    let (status, retry_after, answer) = attacked(world, post("/settle", body)).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{answer}");
    assert_eq!(answer["error"]["code"], "too_many_requests");
    assert!((1..=61).contains(&retry_after.unwrap()), "{retry_after:?}");
    assert_eq!(world.rows().await, before);
}

#[tokio::test]
async fn the_sessions_of_an_escrow_share_its_payments_and_others_have_theirs() {
    let world = world(|limits| limits.payments_per_minute.per_payer = NonZeroU32::new(2)).await;
    let (escrow, terms) = (escrow_of_attacker(&world), world.requirements(1000));
    for seed in SESSIONS {
        attacked(&world, post("/settle", &paid(&world, &terms, escrow, seed, 1))).await;
    }
    assert_eq!(world.rows().await[0], 2);
    refuse(&world, &paid(&world, &terms, escrow, SESSIONS[0], 2)).await;
    let answer = served(&world, post("/settle", &world.body(&terms, 1))).await;
    assert_eq!(answer["success"], true, "{answer}");
    assert_limited(&world, &[("payments_per_minute_per_payer", 1)]).await;
}

#[tokio::test]
async fn a_receiver_is_paid_so_often_and_others_are_paid_meanwhile() {
    let world = world(|limits| limits.payments_per_minute.per_receiver = NonZeroU32::new(2)).await;
    let accomplice = keypair(140).pubkey();
    world.set_token_account_of(world.mint, accomplice, AccountState::Initialized, 0);
    let mut terms = world.requirements(1000);
    terms.pay_to = accomplice.into();
    let escrow = escrow_of_attacker(&world);
    for nonce in 1..=2 {
        attacked(&world, post("/settle", &paid(&world, &terms, escrow, SESSIONS[0], nonce))).await;
    }
    refuse(&world, &paid(&world, &terms, escrow, SESSIONS[0], 3)).await;
    let answer = served(&world, post("/settle", &world.body(&world.requirements(1000), 1))).await;
    assert_eq!(answer["success"], true, "{answer}");
    assert_limited(&world, &[("payments_per_minute_per_receiver", 1)]).await;
}

/// A key that anybody makes can sign an intent that names any escrow and any receiver. It opens no share but its own.
#[tokio::test]
async fn what_would_not_settle_uses_up_nobody_elses_share() {
    let world = world(|limits| {
        let rates = &mut limits.payments_per_minute;
        let one = NonZeroU32::new(1);
        (rates.per_payer, rates.per_receiver, rates.overall) = (one, one, one);
    })
    .await;
    let terms = world.requirements(1000);
    for nonce in 1..=5 {
        let body = paid(&world, &terms, world.escrow, SESSIONS[0], nonce);
        let (_, _, answer) = attacked(&world, post("/settle", &body)).await;
        assert_eq!(answer["errorReason"], "invalid_auth_capture_svm_session_not_found", "{answer}");
    }
    let answer = served(&world, post("/settle", &world.body(&terms, 1))).await;
    assert_eq!(answer["success"], true, "{answer}");
}

#[tokio::test]
async fn all_together_are_told_when_to_come_again_and_what_is_known_is_answered() {
    let world = world(|limits| limits.payments_per_minute.overall = NonZeroU32::new(1)).await;
    let good = world.body(&world.requirements(1000), 1);
    world.settled(&good).await;
    let (status, retry_after, answer) =
        attacked(&world, post("/settle", &world.body(&world.requirements(1000), 2))).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::SERVICE_UNAVAILABLE, &"overloaded".into()));
    assert!((1..=61).contains(&retry_after.unwrap()), "{retry_after:?}");
    let answer = served(&world, post("/settle", &good)).await;
    assert_eq!(answer["success"], true, "{answer}");
    assert_limited(&world, &[("payments_per_minute", 1)]).await;
}
