//! The process that sends vouchers: a connection for each hold, the next voucher as soon as the last is answered.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::task::JoinSet;
use x402_escrow_interface::message::Capture;
use x402_escrow_wire::text::{Base58, Hex32};

use crate::{
    connection::{Connection, is_yes},
    measured::Measured,
};

/// No verifier on one machine takes more a second: so many vouchers are signed before, since that is the payers' work.
const MOST_PER_SECOND: f64 = 16_000.0;

/// The part of a benchmark.
pub const ROLE: &str = "send";

/// Where a voucher's amount goes in a body.
pub const AMOUNT: &str = "<amount>";
/// Where its signature goes.
pub const SIGNATURE: &str = "<signature>";

/// What is to be sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Where it listens: an address and a port.
    pub to: String,
    /// Signs the vouchers.
    pub session_key: [u8; 32],
    /// What for.
    pub streams: Vec<Stream>,
    /// For how long before anything is measured.
    pub warm_up: Duration,
    /// For how long after that.
    pub measured: Duration,
}

/// A hold that vouchers are sent for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stream {
    /// The payment.
    pub payment_id: Hex32,
    /// The body of a request, but for [`AMOUNT`] and [`SIGNATURE`].
    pub body: String,
    /// The last voucher's amount, in base units. Each of the next adds one.
    pub last: u64,
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sent {
    /// How many were answered.
    pub measured: Measured,
    /// The last amounts that were answered yes, by stream.
    pub last: Vec<u64>,
    /// One of the answers.
    pub answer: Value,
}

/// Sends until the time is over.
///
/// # Errors
/// If it isn't answered yes.
pub async fn send(job: Job) -> Result<Sent> {
    let seconds = (job.warm_up + job.measured).as_secs_f64();
    let count = (MOST_PER_SECOND * seconds / job.streams.len() as f64).ceil() as u64;
    let key = SigningKey::from_bytes(&job.session_key);
    let signed: Vec<Vec<_>> = job.streams.iter().map(|stream| sign(stream, &key, count)).collect();
    let started = Instant::now();
    let (from, until) = (started + job.warm_up, started + job.warm_up + job.measured);
    let mut clients = JoinSet::new();
    for (index, (stream, signed)) in job.streams.into_iter().zip(signed).enumerate() {
        let to = job.to.clone();
        clients.spawn(async move {
            Ok::<_, anyhow::Error>((index, client(&to, &stream, &signed, from, until).await?))
        });
    }
    let mut answered = Vec::new();
    let mut last = vec![0; clients.len()];
    let mut answer = Value::Null;
    while let Some(done) = clients.join_next().await {
        let (index, done) = done.map_err(|error| anyhow!("a client broke off: {error}"))??;
        answered.extend(done.answered);
        last[index] = done.last;
        answer = done.answer;
    }
    ensure!(!answered.is_empty(), "nothing was answered");
    Ok(Sent { measured: Measured::of(answered, job.measured), last, answer })
}

fn sign(stream: &Stream, key: &SigningKey, count: u64) -> Vec<(u64, String)> {
    let amounts = stream.last + 1..=stream.last + count;
    let signed = amounts.map(|amount| {
        let capture =
            Capture { intent_digest: stream.payment_id.0, amount, fee: 0, last: false }.signed_bytes();
        (amount, Base58(key.sign(&capture).to_bytes()).to_string())
    });
    signed.collect()
}

struct Done {
    /// How long each answer took that came while it was measured.
    answered: Vec<Duration>,
    last: u64,
    answer: Value,
}

async fn client(
    to: &str,
    stream: &Stream,
    signed: &[(u64, String)],
    from: Instant,
    until: Instant,
) -> Result<Done> {
    let mut connection = Connection::open(to).await?;
    let (before, rest) = stream.body.split_once(AMOUNT).context("a body without an amount")?;
    let (between, after) = rest.split_once(SIGNATURE).context("a body without a signature")?;
    let mut done = Done { answered: Vec::new(), last: stream.last, answer: Value::Null };
    for (amount, signature) in signed {
        let asked = Instant::now();
        if asked >= until {
            break;
        }
        let body = [before, &amount.to_string(), between, signature, after].concat();
        let answer = connection.post("/settle", body.into()).await?;
        ensure!(is_yes(&answer), "a voucher was refused: {}", String::from_utf8_lossy(&answer));
        let now = Instant::now();
        if now >= from && now < until {
            done.answered.push(now - asked);
        }
        done.last = *amount;
        if done.answer.is_null() {
            done.answer = serde_json::from_slice(&answer)?;
        }
    }
    ensure!(Instant::now() >= until, "there were too few vouchers");
    Ok(done)
}
