//! Vouchers a second through `/settle`, each on disk before its answer leaves, and checked in process.

use std::env;

use anyhow::{Context, Result, anyhow};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use x402_escrow_load::{
    in_process,
    measured::Round,
    peer::{self, Answers},
    sending::{self, AMOUNT, Job, SIGNATURE, Sent, Stream},
};
use x402_escrow_tests::local::{
    Local, Verifier,
    parties::{Parties, Terms, now},
};
use x402_escrow_wire::claim::Claim;

use crate::{Plan, figures::Figure, parts::Part};

pub(crate) const SQLITE: &str = "vouchers, SQLite";
pub(crate) const POSTGRES: &str = "vouchers, PostgreSQL";
pub(crate) const IN_PROCESS: &str = "voucher, in process";

pub(crate) const HOLDS: u64 = 32;
/// What each hold has, in base units: enough for a voucher of one base unit each.
pub(crate) const HOLD: u64 = 1_000_000;
const CAPTURE_SECONDS: i64 = 7200;

/// Where a PostgreSQL server is whose databases may be written to.
const POSTGRES_URL: &str = "X402_BENCH_POSTGRES";

pub(crate) fn on_sqlite(plan: Plan) -> Result<Vec<Figure>> {
    measure(SQLITE, 0.7, plan, &[])
}

pub(crate) fn on_postgres(plan: Plan) -> Result<Vec<Figure>> {
    let url =
        env::var(POSTGRES_URL).with_context(|| format!("{POSTGRES_URL} is not set: where a server is"))?;
    measure(POSTGRES, 0.5, plan, &[("X402_DATABASE", &url)])
}

fn measure(name: &str, target: f64, plan: Plan, settings: &[(&'static str, &str)]) -> Result<Vec<Figure>> {
    let local = Local::start(&|text| eprintln!("{text}"))?;
    // Limits per client are not what is measured.
    let unlimited =
        [("X402_REQUESTS_PER_MINUTE_PER_CLIENT", "0"), ("X402_PAYMENTS_PER_MINUTE_PER_SESSION", "0")];
    let verifier = Verifier::start_with(&local, &[&unlimited, settings].concat())?;
    let (parties, _) = Parties::open(&local, &verifier)?;
    let mut streams = (0..HOLDS).map(|_| open(&parties)).collect::<Result<Vec<_>>>()?;
    let key = parties.session_key();
    let send = |to: &str, streams: &[Stream]| send(plan, &key, to, streams);
    // Tells how the other is to answer.
    let first = send(&verifier.url, &streams)?;
    advance(&mut streams, &first.last);
    let session_key = key.verifying_key().to_bytes();
    let answer = serde_json::from_value(first.answer).context("the verifier's answer")?;
    let mut peer = Part::start(peer::ROLE, &Answers { session_key, answer })?;
    let peer_address: String = peer.said()?;
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        let compared = send(&peer_address, &streams)?.measured;
        let sent = send(&verifier.url, &streams)?;
        advance(&mut streams, &sent.last);
        let round = Round { subject: sent.measured, compared };
        eprintln!("{:.0} a second, compared with {:.0}", sent.measured.per_second, compared.per_second);
        rounds.push(round);
    }
    Ok(vec![Figure {
        name: name.to_owned(),
        compared_with:
            "an axum handler that reads the request, checks one strict signature and answers alike".to_owned(),
        unit: "a second".to_owned(),
        target,
        rounds,
        where_time_goes: Vec::new(),
    }])
}

pub(crate) fn in_process(plan: Plan) -> Result<Vec<Figure>> {
    let job = in_process::Job { rounds: plan.rounds, measured: plan.measured };
    Ok(vec![Figure {
        name: IN_PROCESS.to_owned(),
        compared_with: "the strict check of its signature alone".to_owned(),
        unit: "a second".to_owned(),
        target: 0.9,
        rounds: Part::start(in_process::ROLE, &job)?.said()?,
        where_time_goes: Vec::new(),
    }])
}

/// Sends vouchers of all streams.
pub(crate) fn send(plan: Plan, key: &SigningKey, to: &str, streams: &[Stream]) -> Result<Sent> {
    let job = Job {
        to: to.trim_start_matches("http://").to_owned(),
        session_key: key.to_bytes(),
        streams: streams.to_vec(),
        warm_up: plan.warm_up,
        measured: plan.measured,
    };
    Part::start(sending::ROLE, &job)?.said()
}

pub(crate) fn advance(streams: &mut [Stream], last: &[u64]) {
    for (stream, last) in streams.iter_mut().zip(last) {
        stream.last = *last;
    }
}

/// Opens a hold. Its vouchers are claimed, as the merchant layer claims them.
pub(crate) fn open(parties: &Parties) -> Result<Stream> {
    let capture_deadline = now() + CAPTURE_SECONDS;
    let requirements =
        parties.requirements(&Terms { amount: HOLD, request_price: Some(1), capture_deadline });
    let (mut intent, payment_id) = parties.intent(&requirements, now() + 60)?;
    intent.voucher = Some(parties.voucher(payment_id, 1));
    parties
        .settle_until_decided(&requirements, &json!(intent))
        .map_err(|reason| anyhow!("opening a hold: {reason}"))?;
    let voucher = json!({
        "type": "voucher", "paymentId": payment_id, "amount": AMOUNT, "fee": "0", "signature": SIGNATURE,
    });
    let mut body: Value = Parties::body(&requirements, &voucher);
    body["claim"] = json!(Claim([7; 16]));
    Ok(Stream { payment_id, body: body.to_string(), last: 1 })
}
