//! What a verifier carries with a million payments in its database, beside one with a thousand.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use serde_json::json;
use x402_escrow_load::{
    crowding,
    measured::{Measured, Round},
    sending::Stream,
};
use x402_escrow_tests::local::{
    Local, Verifier, free_ports,
    parties::{Parties, Terms, now},
};
use x402_escrow_wire::text::Hex32;

use crate::{
    Plan,
    figures::Figure,
    holds::{LAMPORTS, SETTINGS},
    market::Market,
    parts::{self, Part},
    vouchers,
};

pub(crate) const NAME: &str = "growth";

/// How many payments are stored where there are many, and where there are few; a tenth of them open.
const MANY: u32 = 1_000_000;
const FEW: u32 = 1_000;
/// How many pay; one more is for hostile callers, of which there are none here.
const PAYERS: usize = 16;
const CALLERS: usize = 64;
const SCRAPES: usize = 50;
/// How long it may take until nothing is under way.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// How many seconds the start may take.
const READY_SECONDS: f64 = 5.0;
/// What an open hold may take of memory, and a payment of the disk.
const BYTES: f64 = 1024.0;
/// What the payment that is over is of, in base units.
const ENDED: u64 = 100;
const MEGABYTE: f64 = 1_048_576.0;

/// A verifier, and who pays through it.
struct Side {
    verifier: Verifier,
    operator_url: String,
    parties: Parties,
    streams: Vec<Stream>,
    market: Market,
    /// How long it took until it was ready.
    start: Duration,
    /// How many bytes of disk each payment takes.
    bytes: f64,
}

pub(crate) fn measure(plan: Plan) -> Result<Vec<Figure>> {
    let local = parts::cluster()?;
    let mut few = Side::open(&local, "few", FEW)?;
    let mut many = Side::open(&local, "many", MANY)?;
    let [mut vouched, mut held, mut tracked, mut scraped, mut memory] = [const { Vec::new() }; 5];
    for _ in 0..plan.rounds {
        vouched.push(Round { compared: few.vouch(plan)?, subject: many.vouch(plan)? });
        let (few_held, few_tracked) = few.hold(&local, plan)?;
        let (many_held, many_tracked) = many.hold(&local, plan)?;
        held.push(Round { compared: few_held, subject: many_held });
        tracked.push(Round { compared: few_tracked, subject: many_tracked });
    }
    for _ in 0..plan.rounds {
        scraped.push(Round { compared: few.scrape()?, subject: many.scrape()? });
        let more =
            many.memory()?.checked_sub(few.memory()?).context("the one with few payments is larger")?;
        let each = more as f64 / f64::from(MANY / 10 - FEW / 10);
        eprintln!("{each:.0} bytes of memory for each idle open hold");
        memory.push(beside(MEGABYTE / each, MEGABYTE / BYTES));
    }
    let bytes = many.bytes;
    let start = many.start.as_secs_f64();
    eprintln!(
        "ready after {start:.2} s, and {:.2} s with few; {bytes:.0} bytes of disk each",
        few.start.as_secs_f64()
    );
    let figure = |name: &str, compared_with: &str, unit: &str, target, rounds| {
        Figure::new(format!("{NAME}, {name}"), compared_with, unit, Some(target), rounds)
    };
    let few = "the same with 1,000 payments stored, 100 of them open";
    Ok(vec![
        figure("vouchers", few, "a second", 0.8, vouched),
        figure("holds", few, "a second", 0.8, held),
        figure("tracking", few, "rounds a second, one after the other, during the holds", 0.8, tracked),
        figure("scrapes of /metrics", few, "a second", 0.8, scraped),
        figure("start", "one in 5 s", "starts a second", 1.0, vec![beside(1.0 / start, 1.0 / READY_SECONDS)]),
        figure("memory", "1 KB each", "open holds to a megabyte", 1.0, memory),
        figure(
            "disk",
            "1 KB each",
            "payments to a megabyte",
            1.0,
            vec![beside(MEGABYTE / bytes, MEGABYTE / BYTES)],
        ),
    ])
}

/// Of something that nothing answers.
fn beside(subject: f64, compared: f64) -> Round {
    Round { subject: Measured::rate(subject), compared: Measured::rate(compared) }
}

/// What `/metrics` says.
fn numbers(operator_url: &str) -> Result<String> {
    let answer = reqwest::blocking::get(format!("{operator_url}/metrics"))?;
    answer.error_for_status()?.text().context("the numbers")
}

/// The sum of the numbers whose lines begin so.
fn sum(numbers: &str, begin: &str) -> Result<f64> {
    let values = numbers.lines().filter_map(|line| line.strip_prefix(begin)?.rsplit(' ').next());
    values.map(|value| value.parse::<f64>().with_context(|| format!("{begin} is {value}"))).sum()
}

impl Side {
    /// A verifier whose database has `count` payments.
    fn open(local: &Local, name: &str, count: u32) -> Result<Self> {
        let database = local.folder().join(format!("{name}.sqlite"));
        let operator = format!("127.0.0.1:{}", free_ports(1)?);
        let path = database.to_str().context("the database's path")?;
        let own = [("X402_DATABASE", path), ("X402_OPERATOR_LISTEN", operator.as_str())];
        let mut verifier = Verifier::start_with(local, &[&SETTINGS[..], &own].concat())?;
        local.chain.give_sol(&verifier.fee_payer, 1_000 * LAMPORTS)?;
        let market = Market::open(local, &verifier, PAYERS + 1)?;
        let (parties, _) = Parties::open(local, &verifier)?;
        let streams: Vec<_> =
            (0..vouchers::HOLDS).map(|_| vouchers::open(&parties)).collect::<Result<_>>()?;
        let ended = ended(&parties)?;
        let open = streams.first().context("a stream")?.payment_id;
        let operator_url = format!("http://{operator}");
        let all_held = vouchers::HOLD * vouchers::HOLDS;
        let is_final = || {
            let is_final = |id: Hex32| {
                let payment = verifier.payment(&id.to_string())?;
                let mut operations = payment["operations"].as_array().into_iter().flatten();
                anyhow::Ok(operations.all(|one| one["status"] == "finalized"))
            };
            // The books come after the chain.
            let held = sum(&numbers(&operator_url)?, "x402_held_base_units{")?;
            Ok(is_final(open)? && is_final(ended)? && held >= all_held as f64)
        };
        local.chain.wait_until("both payments to be final", IDLE_TIMEOUT, is_final)?;
        verifier.stop();
        eprintln!("filling a database with {count} payments");
        let job = crowding::Job { database, open: (open, count / 10), ended: (ended, count - count / 10) };
        let bytes = Part::start(crowding::ROLE, &job)?.said()?;
        let started = Instant::now();
        verifier.restart()?;
        Ok(Self { verifier, operator_url, parties, streams, market, start: started.elapsed(), bytes })
    }

    fn vouch(&mut self, plan: Plan) -> Result<Measured> {
        let sent = vouchers::send(plan, &self.parties.session_key(), &self.verifier.url, &self.streams)?;
        vouchers::advance(&mut self.streams, &sent.last);
        eprintln!("{:.0} vouchers a second", sent.measured.per_second);
        Ok(sent.measured)
    }

    /// The holds of callers, and the tracker's rounds meanwhile.
    fn hold(&mut self, local: &Local, plan: Plan) -> Result<(Measured, Measured)> {
        let looks_before = self.looks()?;
        let held = self.market.hold(local, &self.verifier, CALLERS, (0, [0; 32]), plan)?;
        let looks = self.looks()?;
        let per_second = (looks.0 - looks_before.0) / (looks.1 - looks_before.1);
        eprintln!("a tracker's round in {:.4} s", 1.0 / per_second);
        // It has nothing to follow while the other is measured.
        let is_idle = || Ok(!numbers(&self.operator_url)?.contains("x402_operations{"));
        local.chain.wait_until("all holds to be final", IDLE_TIMEOUT, is_idle)?;
        Ok((held.measured, Measured::rate(per_second)))
    }

    /// How many rounds the tracker has made, and how many seconds they took.
    fn looks(&self) -> Result<(f64, f64)> {
        let numbers = numbers(&self.operator_url)?;
        let of = |what: &str| sum(&numbers, &format!("x402_tracking_seconds_{what} "));
        Ok((of("count")?, of("sum")?))
    }

    fn scrape(&self) -> Result<Measured> {
        let mut answered = Vec::new();
        for _ in 0..SCRAPES {
            let asked = Instant::now();
            numbers(&self.operator_url)?;
            answered.push(asked.elapsed());
        }
        let elapsed = answered.iter().sum();
        let measured = Measured::of(answered, elapsed);
        eprintln!("{:.0} scrapes a second", measured.per_second);
        Ok(measured)
    }

    /// How many bytes of memory the process has.
    fn memory(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.verifier.process_id());
        let status = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        let kilobytes =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
        Ok(kilobytes.context("VmRSS")?.parse::<u64>()? * 1024)
    }
}

/// A payment that is held, captured and over.
fn ended(parties: &Parties) -> Result<Hex32> {
    let terms = Terms { amount: ENDED, request_price: None, capture_deadline: now() + 7200 };
    let requirements = parties.requirements(&terms);
    let (intent, id) = parties.intent(&requirements, now() + 60)?;
    for payload in [json!(intent), parties.capture(id, ENDED, true)] {
        parties
            .settle_until_decided(&requirements, &payload)
            .map_err(|reason| anyhow!("a payment that is to be over: {reason}"))?;
    }
    Ok(id)
}
