//! How many vouchers a verifier takes in a second, beside what the disk under it can do: `cargo xtask bench vouchers`.
//!
//! Every answer is on disk before it leaves, so no more can be answered one after the other than the disk takes writes.

use std::{
    fs::File,
    io::Write,
    path::Path,
    process::ExitCode,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use serde_json::{Value, json};
use x402_escrow_tests::local::{
    self, Local, Verifier,
    parties::{Parties, Terms, now},
};
use x402_escrow_wire::{payment::PaymentRequirements, text::Hex32};

/// What a request costs, in base units.
const PRICE: u64 = 1;
const CAPTURE_SECONDS: i64 = 3600;
/// What SQLite writes to its write-ahead log for one changed page, in bytes: a frame's header and the page.
const WAL_FRAME_BYTES: usize = 24 + 4096;
/// How long the disk alone is measured.
const DISK_DURATION: Duration = Duration::from_secs(3);

/// Measures vouchers a second through a verifier with SQLite, over HTTP on this machine, on one hold and on many.
#[derive(Parser)]
#[command(name = "bench-vouchers")]
struct Arguments {
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// How many vouchers are sent in all
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    vouchers: u64,
    /// How many holds are used at once, where it is many
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u64).range(2..))]
    holds: u64,
}

/// What was measured of one load.
struct Figures {
    holds: u64,
    per_second: f64,
    median: Duration,
    slowest_of_hundred: Duration,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let tell = |text: &str| eprintln!("{text}");
    local::clean_up_when_interrupted()?;
    let local = Local::start(&tell)?;
    // Limits per client are not what is measured.
    let unlimited =
        [("X402_REQUESTS_PER_MINUTE_PER_CLIENT", "0"), ("X402_PAYMENTS_PER_MINUTE_PER_SESSION", "0")];
    let verifier = Verifier::start_with(&local, &unlimited)?;
    let (parties, _) = Parties::open(&local, &verifier)?;

    tell("measuring the disk alone");
    let writes = durable_writes_per_second(local.folder())?;
    let mut figures = Vec::new();
    for holds in [1, arguments.holds] {
        let vouchers = arguments.vouchers.div_ceil(holds);
        tell(&format!("measuring {vouchers} vouchers on each of {holds} holds"));
        figures.push(measure(&parties, holds, vouchers)?);
    }
    let writes_after = durable_writes_per_second(local.folder())?;
    print(arguments.json, &figures, [writes, writes_after])
}

/// How often a frame of SQLite's log can be appended and made durable in a second.
fn durable_writes_per_second(folder: &Path) -> Result<f64> {
    let mut file = File::create(folder.join("measured.wal")).context("the file that is written to")?;
    let frame = [7; WAL_FRAME_BYTES];
    let started = Instant::now();
    let mut writes = 0;
    while started.elapsed() < DISK_DURATION {
        file.write_all(&frame).and_then(|()| file.sync_data()).context("writing to the disk")?;
        writes += 1;
    }
    Ok(f64::from(writes) / started.elapsed().as_secs_f64())
}

/// Has one client for each hold send its vouchers, one after the other.
fn measure(parties: &Parties, holds: u64, vouchers: u64) -> Result<Figures> {
    let opened = (0..holds).map(|_| open(parties, vouchers)).collect::<Result<Vec<_>>>()?;
    // Signed before, since that is the payers' work.
    let signed = opened.iter().map(|(requirements, id)| {
        let amounts = (2..=vouchers + 1).map(|number| number * PRICE);
        amounts.map(|amount| Parties::body(requirements, &json!(parties.voucher(*id, amount)))).collect()
    });
    let signed: Vec<Vec<Value>> = signed.collect();
    let ready = &Barrier::new(signed.len() + 1);
    let mut durations = Vec::new();
    let elapsed = thread::scope(|scope| {
        let clients: Vec<_> = signed
            .iter()
            .map(|bodies| {
                scope.spawn(move || {
                    ready.wait();
                    bodies.iter().map(|body| settle(parties, body)).collect::<Result<Vec<_>>>()
                })
            })
            .collect();
        ready.wait();
        let started = Instant::now();
        for client in clients {
            match client.join() {
                Ok(taken) => durations.extend(taken?),
                Err(_) => bail!("a client broke off"),
            }
        }
        Ok(started.elapsed())
    })?;
    durations.sort();
    Ok(Figures {
        holds,
        per_second: durations.len() as f64 / elapsed.as_secs_f64(),
        median: durations[durations.len() / 2],
        slowest_of_hundred: durations[durations.len() * 99 / 100],
    })
}

fn open(parties: &Parties, vouchers: u64) -> Result<(PaymentRequirements, Hex32)> {
    let capture_deadline = now() + CAPTURE_SECONDS;
    // The least that a hold can be of.
    let amount = ((vouchers + 1) * PRICE).max(100);
    let requirements = parties.requirements(&Terms { amount, request_price: Some(PRICE), capture_deadline });
    let (mut intent, id) = parties.intent(&requirements, now() + 60)?;
    intent.voucher = Some(parties.voucher(id, PRICE));
    parties
        .settle_until_decided(&requirements, &json!(intent))
        .map_err(|reason| anyhow::anyhow!("opening a hold: {reason}"))?;
    Ok((requirements, id))
}

fn settle(parties: &Parties, body: &Value) -> Result<Duration> {
    let started = Instant::now();
    let answer = parties.ask(body).context("the verifier did not answer")?;
    let elapsed = started.elapsed();
    ensure!(answer["success"] == true, "a voucher was refused: {answer}");
    Ok(elapsed)
}

fn print(json: bool, figures: &[Figures], writes: [f64; 2]) -> Result<()> {
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1000.0;
    let mean_writes = writes.iter().sum::<f64>() / 2.0;
    let mut output = std::io::stdout().lock();
    if json {
        let loads = figures.iter().map(|load| {
            json!({
                "holds": load.holds,
                "vouchersPerSecond": load.per_second,
                "shareOfDurableWrites": load.per_second / mean_writes,
                "medianMilliseconds": milliseconds(load.median),
                "slowestOfHundredMilliseconds": milliseconds(load.slowest_of_hundred),
            })
        });
        let object = json!({ "durableWritesPerSecond": writes, "loads": loads.collect::<Vec<_>>() });
        return writeln!(output, "{object}").context("writing the result");
    }
    let mut text = format!(
        "the disk alone: {:.0} durable writes a second before, {:.0} after\n\n\
         | holds at once | vouchers a second | of the disk's writes | median | slowest of 100 |\n\
         | ---: | ---: | ---: | ---: | ---: |\n",
        writes[0], writes[1]
    );
    for load in figures {
        text += &format!(
            "| {} | {:.0} | {:.0} % | {:.1} ms | {:.1} ms |\n",
            load.holds,
            load.per_second,
            100.0 * load.per_second / mean_writes,
            milliseconds(load.median),
            milliseconds(load.slowest_of_hundred),
        );
    }
    output.write_all(text.as_bytes()).context("writing the result")
}
