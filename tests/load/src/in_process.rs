//! One voucher checked in process, as a merchant does that keeps its own: by the same functions as the verifier.
//! [`measure`] reads it beforehand and compares it with the bare check of its signature. [`measure_read`] reads it each
//! time, for a comparison with another process.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use ed25519_dalek::{Signature, Signer, SigningKey};
use serde::{Deserialize, Serialize};
use serde_json::json;
use x402_escrow_domain::{
    assurance::Observed,
    cluster::Consensus,
    payment::{OperationState, PaymentState, RestsOn, Sums},
    policy::{Defaults, FeeBounds, Policy},
    signature::Key,
    stream::Stream,
    verify::{
        Rejection,
        voucher::{check, check_hold, voucher as kept},
    },
};
use x402_escrow_interface::{
    Address,
    message::{Intent, PaymentFlow},
};
use x402_escrow_wire::{
    auth_capture::{Commitment, Extra, Payload, VoucherPayload},
    text::{Base58, Decimal, Hex32},
};

use crate::measured::{Measured, Round};

/// The part of a benchmark that compares it with the check of its signature.
pub const ROLE: &str = "in-process";

/// The part that reads the voucher too.
pub const READ_ROLE: &str = "read-in-process";

/// How much is measured.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Job {
    /// How often each of the two.
    pub rounds: usize,
    /// For how long each.
    pub measured: Duration,
}

const NOW: i64 = 1_800_000_000;
const DEADLINE: i64 = NOW + 3600;
const HOLD: u64 = 1_000_000;
const AMOUNT: u64 = 500_000;

/// Measures both in turn.
///
/// # Errors
/// If the voucher is not accepted.
pub fn measure(job: Job) -> Result<Vec<Round>> {
    let case = Case::new()?;
    let payload = &case.payload;
    let (signature, message) = (Signature::from_bytes(&payload.signature.0), payload.signed_bytes());
    let bare_key = case.key.verifying_key();
    let checked = || case.check(black_box(payload));
    // The key as it is kept with the hold: decoded once.
    let bare = || black_box(&bare_key).verify_strict(black_box(&message), black_box(&signature));
    ensure!(checked().is_ok() && bare().is_ok(), "the voucher is not accepted");
    let mut rounds = Vec::new();
    for _ in 0..job.rounds {
        let compared = per_second(job.measured, || _ = black_box(bare()));
        let subject = per_second(job.measured, || _ = black_box(checked()));
        rounds.push(Round { subject, compared });
    }
    Ok(rounds)
}

/// Measures how often the voucher is read and checked in a second. The voucher starts as an object of strings: the
/// verifier has it like that when the body's JSON is parsed.
///
/// # Errors
/// If the voucher is not accepted.
pub fn measure_read(time: Duration) -> Result<Measured> {
    let case = Case::new()?;
    let fields = serde_json::to_value(case.payload)?;
    let is_accepted = || {
        let Ok(Payload::Voucher(payload)) = Payload::read_field(black_box(&fields)) else { return false };
        case.check(&payload).is_ok()
    };
    ensure!(is_accepted(), "the voucher is not accepted");
    Ok(per_second(time, || _ = black_box(is_accepted())))
}

/// A voucher, and what it is checked against.
struct Case {
    key: SigningKey,
    payload: VoucherPayload,
    stream: Stream,
    extra: Extra,
    policy: Policy,
}

impl Case {
    fn new() -> Result<Self> {
        let key = SigningKey::from_bytes(&[7; 32]);
        let stream = stream(&key).context("a key that signs")?;
        let (payload, extra) = (signed(&key, stream.id), extra(&stream.intent)?);
        Ok(Self { key, payload, stream, extra, policy: policy() })
    }

    fn check(&self, payload: &VoucherPayload) -> Result<(), Rejection> {
        let stream = black_box(&self.stream);
        check_hold(payload, stream, &self.extra)?;
        check(&kept(payload), stream, Some(AMOUNT - 1), 1, Commitment::Confirmed, NOW, &self.policy)
    }
}

/// How often `work` is done in a second.
fn per_second(time: Duration, work: impl Fn()) -> Measured {
    let started = Instant::now();
    let mut count = 0_u32;
    while started.elapsed() < time {
        (0..100).for_each(|_| work());
        count += 100;
    }
    Measured::rate(f64::from(count) / started.elapsed().as_secs_f64())
}

fn signed(key: &SigningKey, id: [u8; 32]) -> VoucherPayload {
    let mut payload = VoucherPayload {
        payment_id: Hex32(id),
        amount: Decimal(AMOUNT),
        fee: Decimal(0),
        signature: Base58([0; 64]),
    };
    payload.signature = Base58(key.sign(&payload.signed_bytes()).to_bytes());
    payload
}

fn stream(key: &SigningKey) -> Option<Stream> {
    let session_key = Address::from(key.verifying_key().to_bytes());
    let other = |seed: u8| Address::from([seed; 32]);
    let intent = Intent {
        program: other(1),
        incarnation: [2; 32],
        escrow: other(3),
        session_key,
        receiver: other(4),
        capture_authorizer: session_key,
        receiver_authorizer: other(5),
        fee_recipient: other(4),
        resource_hash: [6; 32],
        amount: HOLD,
        nonce: 1,
        authorize_by: NOW,
        capture_deadline: DEADLINE,
        refund_deadline: 0,
        maximum_fee_bps: 0,
        flow: PaymentFlow::Escrow,
    };
    let level = Commitment::Finalized;
    Some(Stream {
        id: intent.digest(),
        payer: other(7),
        mint: other(8),
        hold: other(9),
        capture_key: Some(Key::new(&session_key)?),
        authorization: OperationState::Landed(level),
        status: level.as_str(),
        state: PaymentState::Authorized,
        accepted: Sums { ends_at: HOLD, captured: 0, fee: 0, refunded: 0 },
        captured: 0,
        rests_on: RestsOn::FinalizedHold,
        observed: Observed::at(level, 1),
        is_untouched: true,
        intent,
    })
}

fn extra(intent: &Intent) -> Result<Extra> {
    let extra = json!({
        "program": intent.program.to_string(),
        "feePayer": intent.escrow.to_string(),
        "captureAuthorizer": "sessionKey",
        "requestPrice": "1",
        "receiverAuthorizer": intent.receiver_authorizer.to_string(),
        "captureDeadline": intent.capture_deadline,
        "resourceHash": Hex32(intent.resource_hash),
    });
    serde_json::from_value(extra).context("the terms")
}

/// Of it only the margin before the deadline counts for a voucher.
fn policy() -> Policy {
    let Defaults { on_balance, on_confirmed_hold, on_finalized_hold, lasting } =
        Defaults::of(Consensus::Alpenglow);
    Policy {
        finality: on_balance,
        finality_on_confirmed_hold: on_confirmed_hold,
        finality_on_finalized_hold: on_finalized_hold,
        lasting,
        minimum_authorize_seconds: 0,
        maximum_authorize_seconds: 0,
        minimum_capture_seconds: 0,
        maximum_capture_seconds: 0,
        voucher_margin_seconds: 300,
        exact_fee_bounds: FeeBounds { maximum_compute_units: 0, priority_fee_lamports: 0 },
        exact_memo_once: false,
        minimum_hold_amount: 0,
        maximum_open_holds_per_escrow: 0,
        maximum_operations_per_payment: 0,
    }
}
