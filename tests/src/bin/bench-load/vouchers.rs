//! Vouchers a second through `/settle`, each on disk before its answer leaves, and checked in process, beside the check of
//! the signature and beside another library's check.

use std::{env, process::Command};

use anyhow::{Context, Result, anyhow};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use x402_escrow_load::{
    in_process,
    measured::{Measured, Round},
    peer::{self, Answers},
    sending::{self, AMOUNT, Job, SIGNATURE, Sent, Stream},
};
use x402_escrow_tests::local::{
    Local, Verifier,
    parties::{Parties, Terms, now},
};
use x402_escrow_wire::claim::Claim;

use crate::{
    Plan,
    figures::Figure,
    parts::{self, Part},
    processor,
};

pub(crate) const SQLITE: &str = "vouchers, SQLite";
pub(crate) const POSTGRES: &str = "vouchers, PostgreSQL";
pub(crate) const IN_PROCESS: &str = "voucher, in process";
pub(crate) const READ: &str = "voucher, read and checked";

/// Names the program that measures the other library's check.
const PEER: &str = "X402_BENCH_PEER_VOUCHERS";

pub(crate) const HOLDS: u64 = 32;
/// What each hold has, in base units: enough for a voucher of one base unit each.
pub(crate) const HOLD: u64 = 1_000_000;
const CAPTURE_SECONDS: i64 = 7200;

/// Of the figures that compare processor time.
pub(crate) const PROCESSOR: &str = "vouchers, processor";

/// What both sides came to, in each round.
struct Compared {
    /// How many a second.
    answered: Vec<Round>,
    /// How many for a second of processor time.
    processor: Vec<Round>,
}

pub(crate) fn on_sqlite(plan: Plan) -> Result<Vec<Figure>> {
    let compared = compare(&parts::cluster()?, plan, &[])?;
    Ok(vec![figure(SQLITE, "a second", Some(0.7), compared.answered)])
}

pub(crate) fn on_postgres(plan: Plan) -> Result<Vec<Figure>> {
    let (local, database) = (parts::cluster()?, parts::database()?);
    let compared = compare(&local, plan, &[("X402_DATABASE", &database.url())])?;
    Ok(vec![figure(POSTGRES, "a second", Some(0.5), compared.answered)])
}

/// Processor time says the same on a busy machine and on any disk. It has no target: only a baseline of the same profile.
pub(crate) fn processor(plan: Plan) -> Result<Vec<Figure>> {
    let (local, database) = (parts::cluster()?, parts::database()?);
    let on_sqlite = compare(&local.beside()?, plan, &[])?;
    let on_postgres = compare(&local.beside()?, plan, &[("X402_DATABASE", &database.url())])?;
    let unit = "answered for a second of processor time";
    let named = |name: &str, compared: Compared| {
        figure(&format!("{name}, processor"), unit, None, compared.processor)
    };
    Ok(vec![named(SQLITE, on_sqlite), named(POSTGRES, on_postgres)])
}

fn figure(name: &str, unit: &str, target: Option<f64>, rounds: Vec<Round>) -> Figure {
    let handler = "an axum handler that reads the request, checks one strict signature and answers alike";
    Figure::new(name, handler, unit, target, rounds)
}

fn compare(local: &Local, plan: Plan, settings: &[(&'static str, &str)]) -> Result<Compared> {
    // Limits per client are not what is measured.
    let unlimited =
        [("X402_REQUESTS_PER_MINUTE_PER_CLIENT", "0"), ("X402_PAYMENTS_PER_MINUTE_PER_SESSION", "0")];
    let verifier = Verifier::start_with(local, &[&unlimited, settings].concat())?;
    let (parties, _) = Parties::open(local, &verifier)?;
    let mut streams = (0..HOLDS).map(|_| open(&parties)).collect::<Result<Vec<_>>>()?;
    let key = parties.session_key();
    let send = |to: &str, process: u32, streams: &[Stream]| -> Result<(Sent, Measured)> {
        let before = processor::seconds(process)?;
        let sent = send(plan, &key, to, streams)?;
        let count: u64 = sent.last.iter().zip(streams).map(|(last, stream)| last - stream.last).sum();
        let processor = Measured::rate(count as f64 / (processor::seconds(process)? - before));
        Ok((sent, processor))
    };
    // Tells how the other is to answer.
    let (first, _) = send(&verifier.url, verifier.process_id(), &streams)?;
    advance(&mut streams, &first.last);
    let session_key = key.verifying_key().to_bytes();
    let answer = serde_json::from_value(first.answer).context("the verifier's answer")?;
    let mut peer = Part::start(peer::ROLE, &Answers { session_key, answer })?;
    let peer_address: String = peer.said()?;
    let mut rounds = Compared { answered: Vec::new(), processor: Vec::new() };
    for _ in 0..plan.rounds {
        let (compared, of_compared) = send(&peer_address, peer.process_id(), &streams)?;
        let (sent, of_subject) = send(&verifier.url, verifier.process_id(), &streams)?;
        advance(&mut streams, &sent.last);
        let round = Round { subject: sent.measured, compared: compared.measured };
        let processor = Round { subject: of_subject, compared: of_compared };
        eprintln!(
            "{:.0} a second, compared with {:.0}; for a second of processor time {:.0}, compared with {:.0}",
            round.subject.per_second,
            round.compared.per_second,
            processor.subject.per_second,
            processor.compared.per_second
        );
        rounds.answered.push(round);
        rounds.processor.push(processor);
    }
    Ok(rounds)
}

pub(crate) fn in_process(plan: Plan) -> Result<Vec<Figure>> {
    let job = in_process::Job { rounds: plan.rounds, measured: plan.measured };
    let rounds = Part::start(in_process::ROLE, &job)?.said()?;
    Ok(vec![Figure::new(
        IN_PROCESS,
        "the strict check of its signature alone",
        "a second",
        Some(0.9),
        rounds,
    )])
}

/// Each side is a process that measures for as long as it is told; they take turns.
pub(crate) fn read_and_checked(plan: Plan) -> Result<Vec<Figure>> {
    let program =
        env::var(PEER).with_context(|| format!("{PEER} is not set: the program of tests/peer-vouchers"))?;
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        let compared: f64 = Part::run(&mut Command::new(&program), &plan.measured)?.said()?;
        let subject = Part::start(in_process::READ_ROLE, &plan.measured)?.said()?;
        rounds.push(Round { subject, compared: Measured::rate(compared) });
    }
    let peer = "solana-pay-kit 0.2.0, which checks the signature and the expiry";
    Ok(vec![Figure::new(READ, peer, "a second", Some(1.0), rounds)])
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
