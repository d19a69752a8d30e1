//! `/verify` says what `/settle` would do, whatever is asked for in whatever order.

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use solana_sdk::{instruction::InstructionError, transaction::TransactionError};
use x402_escrow_domain::{advance::not_sent_in_time, transaction::ESCROW_INSTRUCTION};
use x402_escrow_interface::error::EscrowError;
use x402_escrow_wire::{auth_capture::Commitment, text::Hex32};

use crate::{
    exact::wallet,
    world::{Options, World},
};

const STEPS: usize = 150;

/// Something that a merchant may ask for now: sound, repeated, too much, too late, or about nothing.
fn anything(random: &mut ChaCha8Rng, world: &World, holds: &[Hex32], sent: &[Value]) -> Value {
    let hold = |random: &mut ChaCha8Rng| match random.random_range(0..=holds.len()) {
        index if index < holds.len() => holds[index],
        _ => Hex32([7; 32]),
    };
    let amount = random.random_range(0..=12) * 100;
    match random.random_range(0..10) {
        0 | 1 => world.body(&world.requirements(amount), random.random_range(1..9)),
        2..=4 => {
            let id = hold(random);
            world.capture(id, amount, random.random_bool(0.2))
        }
        5 => {
            let id = hold(random);
            world.void(id, amount)
        }
        6 => wallet::payment(world, amount.max(1), &format!("nonce {}", random.random_range(0..3))),
        _ if sent.is_empty() => world.body(&world.requirements(1000), 1),
        _ => sent[random.random_range(0..sent.len())].clone(),
    }
}

fn failure() -> TransactionError {
    let code = InstructionError::Custom(EscrowError::CaptureDeadlinePassed.code());
    TransactionError::InstructionError(ESCROW_INSTRUCTION, code)
}

fn is_not_sent(answer: &Value) -> bool {
    answer["errorMessage"] == not_sent_in_time().message
}

#[tokio::test]
async fn verify_is_right_about_what_settle_will_say() {
    // What failed is not made anew for two seconds.
    let options = Options { settle_timeout: Duration::from_secs(3), ..Options::default() };
    for seed in 0..3 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let world = World::with(options).await;
        let (mut holds, mut sent) = (Vec::new(), Vec::new());
        let (mut yes, mut no, mut repeated) = (0, 0, 0);
        for step in 0..STEPS {
            world.cluster.state().level =
                if random.random_bool(0.3) { Commitment::Finalized } else { Commitment::Confirmed };
            world.cluster.state().svm.expire_blockhash();
            let body = anything(&mut random, &world, &holds, &sent);
            if random.random_bool(0.1) {
                // Fails in its block, which is not final: asked about again below.
                world.cluster.state().next_error = Some(failure());
                world.settle(&body).await;
                world.cluster.state().next_error = None;
            }
            let verdict = world.post("/verify", &body).await.1;
            let answer = world.settle(&body).await;
            let told = format!("seed {seed}, step {step}: {body:#}\n{verdict:#}\n{answer:#}");
            let is_repeated = answer["extra"]["alreadySettled"] == true;
            match (verdict["isValid"].as_bool().unwrap(), answer["success"].as_bool().unwrap()) {
                (true, true) => yes += 1,
                (false, false) => {
                    assert_eq!(verdict["invalidReason"], answer["errorReason"], "{told}");
                    no += 1;
                }
                // On its way, which is neither.
                (true, false) if answer["errorReason"] == "settlement_pending" => {}
                // The machine was too busy to send it within the timeout, which says nothing of the request.
                (true, false) if is_not_sent(&answer) => {}
                // A merchant that verifies must not serve twice; one that asks again to settle learns what became of it.
                (false, true) if is_repeated => {
                    assert_eq!(verdict["invalidReason"], "duplicate_settlement", "{told}");
                    repeated += 1;
                }
                _ => panic!("{told}"),
            }
            let is_hold = body["paymentPayload"]["payload"].get("nonce").is_some();
            if is_hold && answer["success"] == true && !is_repeated {
                holds.push(world.payment_id(&body));
            }
            sent.push(body);
        }
        assert!(yes > 10 && no > 10 && repeated > 0, "seed {seed}: {yes} yes, {no} no, {repeated} repeated");
    }
}
