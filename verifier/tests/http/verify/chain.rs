use axum::http::StatusCode;
use serde_json::json;
use spl_token_interface::state::AccountState;
use x402_escrow_interface::{Address, instruction::SessionLimits, receivers};
use x402_escrow_wire::{
    payment::PaymentRequirements,
    text::{Base58, Decimal},
};

use super::{SVM, assert_refused};
use crate::world::{FUNDS, Options, World, envelope, keypair, sign};

#[tokio::test]
async fn an_intent_that_is_expired_or_nearly_so_is_refused() {
    let world = World::new().await;
    let requirements = world.requirements(1000);
    for seconds in [-1, 0, 4] {
        let mut payload = world.payload(&requirements, 1);
        payload.authorize_by = world.cluster.now() + seconds;
        sign(&mut payload, &requirements);
        let body = envelope(&requirements, json!(payload));
        assert_refused(&world, &body, &format!("{SVM}_intent_expired"), "payload.authorizeBy").await;
    }
    // The cluster's clock counts, not this machine's.
    let body = world.body(&requirements, 1);
    world.cluster.pass_seconds(58);
    assert_refused(&world, &body, &format!("{SVM}_intent_expired"), "payload.authorizeBy").await;
}

#[tokio::test]
async fn an_intent_that_outlasts_its_capture_deadline_is_refused() {
    let world = World::new().await;
    let requirements = world.requirements(1000);
    let mut payload = world.payload(&requirements, 1);
    payload.authorize_by = world.cluster.now() + 700;
    sign(&mut payload, &requirements);
    let body = envelope(&requirements, json!(payload));
    assert_refused(&world, &body, &format!("{SVM}_deadlines"), "captureDeadline").await;
}

#[tokio::test]
async fn a_used_nonce_and_one_behind_the_window_are_refused() {
    let world = World::new().await;
    let requirements = world.requirements(1000);
    world.authorize(1000, 1000).await;
    world.authorize(1000, 2000).await;
    let code = format!("{SVM}_nonce");
    let mut other = requirements.clone();
    other.extra.insert("resourceHash".to_owned(), json!("11".repeat(32)));
    assert_refused(&world, &world.body(&other, 2000), &code, "payload.nonce: 2000 was used").await;
    assert_refused(&world, &world.body(&requirements, 975), &code, "more than 1024 behind").await;
    assert_refused(&world, &world.body(&requirements, 0), &code, "payload.nonce").await;
    assert_refused(&world, &world.body(&requirements, 3025), &code, "more than 1024 above").await;
    for nonce in [976, 3024] {
        let (_, answer) = world.post("/verify", &world.body(&requirements, nonce)).await;
        assert_eq!(answer["isValid"], true, "{answer}");
    }
}

#[tokio::test]
async fn a_payment_that_was_settled_is_no_longer_valid() {
    let world = World::new().await;
    let body = world.body(&world.requirements(1000), 1);
    world.settled(&body).await;
    let (_, answer) = world.post("/verify", &body).await;
    assert_eq!(
        (&answer["isValid"], &answer["invalidReason"]),
        (&json!(false), &json!("duplicate_settlement"))
    );
}

#[tokio::test]
async fn an_unknown_escrow_session_or_mint_is_refused() {
    let world = World::with(Options { mints: &[8, 9], ..Options::default() }).await;
    let mut requirements = world.requirements(1000);
    let signed = |requirements: &PaymentRequirements, escrow: Address| {
        let mut payload = world.payload(requirements, 1);
        payload.escrow = escrow.into();
        sign(&mut payload, requirements);
        envelope(requirements, json!(payload))
    };
    let body = signed(&requirements, world.merchant());
    assert_refused(&world, &body, &format!("{SVM}_escrow_not_found"), "payload.escrow").await;
    // An account of this program, but no escrow.
    let body = signed(&requirements, world.session);
    assert_refused(&world, &body, &format!("{SVM}_escrow_not_found"), "payload.escrow").await;
    requirements.asset = keypair_key(8);
    let body = signed(&requirements, world.escrow);
    assert_refused(&world, &body, &format!("{SVM}_asset_mismatch"), "asset").await;
    let session = world.session;
    world.cluster.state().svm.set_account(session, solana_sdk::account::Account::default()).unwrap();
    let requirements = world.requirements(1000);
    let mut payload = x402_escrow_wire::auth_capture::IntentPayload {
        escrow: world.escrow.into(),
        session_key: world.session_key().into(),
        incarnation: Base58([5; 32]),
        nonce: Decimal(1),
        authorize_by: world.cluster.now() + 60,
        receiver_proof: Vec::new(),
        signature: None,
        voucher: None,
        capture: None,
    };
    sign(&mut payload, &requirements);
    let body = envelope(&requirements, json!(payload));
    assert_refused(&world, &body, &format!("{SVM}_session_not_found"), "payload.sessionKey").await;
}

fn keypair_key(seed: u8) -> x402_escrow_wire::text::Key {
    solana_sdk::signer::Signer::pubkey(&keypair(seed)).into()
}

#[tokio::test]
async fn an_intent_of_another_incarnation_is_refused() {
    let world = World::new().await;
    let requirements = world.requirements(1000);
    let mut payload = world.payload(&requirements, 1);
    payload.incarnation = Base58([6; 32]);
    sign(&mut payload, &requirements);
    let body = envelope(&requirements, json!(payload));
    assert_refused(&world, &body, &format!("{SVM}_incarnation_mismatch"), "payload.incarnation").await;
}

/// Replaces the session's account by one with other limits.
fn limit(world: &World, limits: SessionLimits) {
    let session = world.session;
    world.cluster.state().svm.set_account(session, solana_sdk::account::Account::default()).unwrap();
    world.open_session(limits);
}

fn wide(world: &World) -> SessionLimits {
    SessionLimits {
        expires_at: world.cluster.now() + 86_400,
        maximum_payment: FUNDS,
        maximum_total: FUNDS,
        maximum_per_period: 0,
        period_seconds: 0,
        receivers_root: receivers::ANYONE,
    }
}

#[tokio::test]
async fn the_sessions_limits_are_kept_to_the_last_base_unit() {
    let world = World::new().await;
    for (limits, name) in [
        (
            SessionLimits { maximum_payment: 1000, ..wide(&world) },
            "0.001001 tokens is above the limit per payment, 0.001 tokens",
        ),
        (
            SessionLimits { maximum_total: 1000, ..wide(&world) },
            "above the rest of the session's total, 0.001 tokens",
        ),
        (
            SessionLimits { maximum_per_period: 1000, period_seconds: 60, ..wide(&world) },
            "limit for this period, 0.001 tokens",
        ),
    ] {
        limit(&world, limits);
        let (_, answer) = world.post("/verify", &world.body(&world.requirements(1000), 1)).await;
        assert_eq!(answer["isValid"], true, "{answer}");
        let body = world.body(&world.requirements(1001), 1);
        assert_refused(&world, &body, &format!("{SVM}_limit_exceeded"), name).await;
    }
}

/// Nobody could be paid such a fee: the program refuses it too.
#[tokio::test]
async fn a_fee_that_only_the_receiver_could_collect_is_refused() {
    let world = World::new().await;
    let code = format!("{SVM}_extra");
    let with_fee = |recipient: Option<Address>| {
        let mut requirements = world.requirements(1000);
        requirements.extra.insert("maxFeeBps".to_owned(), json!(1));
        let recipient = recipient.map(|recipient| recipient.to_string());
        requirements.extra.insert("feeRecipient".to_owned(), json!(recipient));
        world.body(&requirements, 1)
    };
    assert_refused(&world, &with_fee(None), &code, "extra.maxFeeBps").await;
    for recipient in [world.merchant(), world.escrow] {
        assert_refused(&world, &with_fee(Some(recipient)), &code, "extra.feeRecipient").await;
    }
    world.settled(&with_fee(Some(world.fee_payer()))).await;
}

#[tokio::test]
async fn a_revoked_or_expired_session_is_refused() {
    let world = World::new().await;
    limit(&world, SessionLimits { expires_at: world.cluster.now() + 10, ..wide(&world) });
    let body = world.body(&world.requirements(1000), 1);
    world.cluster.pass_seconds(11);
    assert_refused(&world, &body, &format!("{SVM}_session_expired"), "expired").await;
    limit(&world, wide(&world));
    world.revoke_session();
    assert_refused(&world, &body, &format!("{SVM}_session_revoked"), "revoked").await;
}

#[tokio::test]
async fn a_session_that_was_revoked_with_all_others_up_to_its_slot_is_refused() {
    let world = World::new().await;
    let body = world.body(&world.requirements(1000), 1);
    world.revoke_sessions();
    assert_eq!(world.session_account().revoked, 0);
    assert_refused(&world, &body, &format!("{SVM}_session_revoked"), "revoked").await;
}

#[tokio::test]
async fn more_than_the_free_balance_is_refused() {
    let world = World::new().await;
    limit(&world, SessionLimits { maximum_payment: u64::MAX, maximum_total: u64::MAX, ..wide(&world) });
    let (_, answer) = world.post("/verify", &world.body(&world.requirements(FUNDS), 1)).await;
    assert_eq!(answer["isValid"], true, "{answer}");
    for amount in [FUNDS + 1, u64::MAX] {
        let body = world.body(&world.requirements(amount), 1);
        assert_refused(&world, &body, "insufficient_funds", "free balance of 10 tokens").await;
    }
    let body = world.body(&world.requirements(0), 1);
    assert_refused(&world, &body, "invalid_payment_requirements", "amount").await;
}

#[tokio::test]
async fn a_receiver_that_can_not_be_paid_is_refused() {
    let world = World::new().await;
    let body = world.body(&world.requirements(1000), 1);
    let code = format!("{SVM}_receiver_token_account");
    world.set_token_account(world.merchant(), AccountState::Frozen, 0);
    assert_refused(&world, &body, &code, "payTo").await;
    let mut requirements = world.requirements(1000);
    requirements.pay_to = keypair_key(88);
    assert_refused(&world, &world.body(&requirements, 1), &code, "payTo").await;
}

#[tokio::test]
async fn bad_news_counts_before_it_is_confirmed() {
    let world = World::new().await;
    let body = world.body(&world.requirements(1000), 1);
    {
        let mut state = world.cluster.state();
        state.confirmed = Some(state.svm.clone());
    }
    world.revoke_session();
    assert_refused(&world, &body, &format!("{SVM}_session_revoked"), "revoked").await;
}

#[tokio::test]
async fn good_news_counts_only_once_it_is_confirmed() {
    let world = World::new().await;
    limit(&world, wide(&world));
    let body = world.body(&world.requirements(FUNDS), 1);
    let full = world.cluster.state().svm.clone();
    world.withdraw(1);
    {
        // The escrow was one base unit short at the newest confirmed block.
        let mut state = world.cluster.state();
        state.confirmed = Some(std::mem::replace(&mut state.svm, full));
    }
    assert_refused(&world, &body, "insufficient_funds", "free balance of 9.999999 tokens").await;
}

#[tokio::test]
async fn without_a_node_there_is_no_verdict() {
    let world = World::new().await;
    let body = world.body(&world.requirements(1000), 1);
    let before = world.rows().await;
    world.cluster.state().is_down = true;
    let (status, answer) = world.post("/verify", &body).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["invalidReason"], "unexpected_verify_error", "{answer}");
    let answer = world.settle(&body).await;
    assert_eq!(answer["errorReason"], "unexpected_settle_error", "{answer}");
    assert_eq!(world.rows().await, before);
}
