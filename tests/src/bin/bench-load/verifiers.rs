//! Two and four verifiers over one PostgreSQL beside one: how many holds a second, and how long nobody serves when one of
//! them is frozen. In the end every payment that was answered yes must be on chain once, and in the books.

use std::{collections::BTreeMap, env, thread, time::Duration};

use anyhow::{Context, Result};
use rand::{SeedableRng, rngs::StdRng};
use x402_escrow_load::{
    measured::{Measured, Round},
    spreading::{self, Spread},
    unix_milliseconds,
};
use x402_escrow_tests::{
    database::OwnDatabase,
    local::{Local, Verifier},
};

use crate::{
    Plan,
    audit::Audit,
    figures::Figure,
    freezing::{AFTERMATH, Frozen, Interruption, LED_WITHIN, Planned},
    holds::{LAMPORTS, SETTINGS},
    market::Market,
    parts::{self, Part},
    processor, write_lock,
};

pub(crate) const NAME: &str = "verifiers";

/// Determines who is frozen when, and for how long.
const SEED: &str = "X402_ESCROW_SEED";

const PAYERS: usize = 64;
const CALLERS: usize = 256;
/// With how many verifiers one is compared.
const SEVERAL: [usize; 2] = [2, 4];
/// How often one is frozen in each round.
const FREEZES: usize = 2;
/// How long service may be interrupted.
const SERVED_AGAIN_WITHIN: Duration = Duration::from_secs(15);
/// Before anything is measured: as long as the first answers take, and the process that asks.
const WARM_UP: Duration = Duration::from_secs(3);
/// How much longer than planned a busy machine may take. If the load ended before the freezes, that would count as an
/// interruption.
const BUSY: Duration = Duration::from_secs(10);

struct Bench {
    /// Stopped before the database is dropped, and the cluster last.
    verifiers: Vec<Verifier>,
    database: OwnDatabase,
    market: Market,
    audit: Audit,
    local: Local,
    plan: Plan,
    random: StdRng,
}

/// What so many verifiers came to.
#[derive(Default)]
struct Several {
    measured: Vec<Measured>,
    spent: Vec<Spent>,
    frozen: Vec<(Frozen, Interruption)>,
}

/// Where time went, by part: milliseconds of processor time for each hold, and shares of the write lock.
type Spent = BTreeMap<String, f64>;

pub(crate) fn measure(plan: Plan) -> Result<Vec<Figure>> {
    let seed = seed()?;
    eprintln!("to freeze the same again: {SEED}={seed} cargo xtask bench load --only {NAME}");
    let (local, database) = (parts::cluster()?, parts::database()?);
    let url = database.url();
    let more = [
        ("X402_DATABASE", url.as_str()),
        ("X402_PAYMENTS_PER_MINUTE_PER_SESSION", "0"),
        // The callers ask for it, and whoever looks who leads: all from one address.
        ("X402_HEALTH_PER_MINUTE_PER_CLIENT", "0"),
    ];
    let verifier = Verifier::start_with(&local, &[&SETTINGS[..], &more].concat())?;
    local.chain.give_sol(&verifier.fee_payer, 1_000 * LAMPORTS)?;
    eprintln!("opening {PAYERS} escrows");
    let market = Market::open(&local, &verifier, PAYERS + 1)?;
    let random = StdRng::seed_from_u64(seed);
    let audit = Audit::default();
    let mut bench = Bench { verifiers: vec![verifier], database, market, audit, local, plan, random };
    let mut by_count: BTreeMap<usize, Several> = BTreeMap::new();
    for _ in 0..plan.rounds {
        for count in [1].into_iter().chain(SEVERAL) {
            bench.run(count, by_count.entry(count).or_default())?;
        }
    }
    bench.audit.compare_books(&bench.local, &bench.market, &bench.verifiers[0])?;
    let one = by_count.remove(&1).unwrap_or_default();
    Ok(by_count.iter().flat_map(|(count, several)| several.figures(*count, &one)).collect())
}

/// As the environment has it, else the time.
fn seed() -> Result<u64> {
    match env::var(SEED) {
        Ok(text) => text.parse().with_context(|| format!("{SEED}={text} is no number")),
        Err(_) => Ok(unix_milliseconds()),
    }
}

impl Bench {
    /// Loads so many verifiers, then freezes some of them, one at a time, and looks whether all is right.
    fn run(&mut self, count: usize, several: &mut Several) -> Result<()> {
        while self.verifiers.len() < count {
            self.verifiers.push(self.verifiers[0].start_another()?);
        }
        // Those that end hand over; one that had to be killed leaves its lease behind.
        self.verifiers.drain(count..).for_each(|mut verifier| verifier.stop());
        let is_led = || Ok(self.verifiers.iter().any(|verifier| verifier.is_leading().unwrap_or(false)));
        self.local.chain.wait_until("a verifier to lead", LED_WITHIN, is_led)?;
        let freezes = if count > 1 { FREEZES } else { 0 };
        let freezes = Planned::choose(&mut self.random, freezes, count);
        let rest =
            if freezes.is_empty() { Duration::ZERO } else { Planned::time(&freezes) + AFTERMATH + BUSY };
        let job = spreading::Job {
            to: self.verifiers.iter().map(|verifier| parts::address(&verifier.url)).collect(),
            accepted: self.market.accepted.clone(),
            merchant: self.market.merchant.key(),
            payers: self.market.payers.clone(),
            callers: CALLERS,
            warm_up: WARM_UP,
            measured: self.plan.measured,
            rest,
        };
        let mut part = Part::start(spreading::ROLE, &job)?;
        thread::sleep(WARM_UP);
        let before = processor::by_program()?;
        let lock = write_lock::watch(&self.database.url(), self.plan.measured)?;
        let after = processor::by_program()?;
        let frozen =
            freezes.iter().map(|freeze| freeze.happen(&self.verifiers)).collect::<Result<Vec<_>>>()?;
        let Spread { measured, settled, payers } = part.said()?;
        self.market.payers = payers;
        let holds = measured.per_second * self.plan.measured.as_secs_f64();
        eprintln!("{:.0} holds a second through {count} verifiers", measured.per_second);
        several.measured.push(measured);
        several.spent.push(spent(&before, &after, holds, &lock));
        for frozen in frozen {
            let interruption = frozen.interruption(&settled);
            eprintln!("  {}", told(&frozen, &interruption));
            several.frozen.push((frozen, interruption));
        }
        self.audit.look(&self.local, &self.market, settled)
    }
}

/// One line about a freeze.
fn told(frozen: &Frozen, interruption: &Interruption) -> String {
    let who = if frozen.led { "the leader" } else { "another" };
    let for_seconds = (frozen.until - frozen.from) as f64 / 1000.0;
    let led_again = match frozen.led_again_after {
        Some(after) => format!(", another led after {:.1} s", after.as_secs_f64()),
        None => String::new(),
    };
    format!(
        "{who} was frozen for {for_seconds:.1} s{led_again}: the first hold after {:.1} s, none for {:.1} s at most",
        interruption.first.as_secs_f64(),
        interruption.longest.as_secs_f64()
    )
}

/// By the difference of two looks at all processes.
fn spent(
    before: &BTreeMap<String, f64>,
    after: &BTreeMap<String, f64>,
    holds: f64,
    lock: &write_lock::Seen,
) -> Spent {
    let parts = [
        ("verifier", "verifiers"),
        ("postgres", "PostgreSQL"),
        ("solana-test-val", "validator"),
        ("load-part", "load"),
    ];
    let of = |programs: &BTreeMap<String, f64>, name: &str| programs.get(name).copied().unwrap_or_default();
    let processor = parts.map(|(program, name)| {
        let seconds = of(after, program) - of(before, program);
        (format!("{PROCESSOR}{name}"), seconds * 1000.0 / holds)
    });
    let looks: usize = lock.values().sum();
    let lock =
        lock.iter().map(|(state, count)| (format!("{LOCK}{state}"), *count as f64 * 100.0 / looks as f64));
    processor.into_iter().chain(lock).collect()
}

const PROCESSOR: &str = "processor time for each hold: ";
const LOCK: &str = "the database's write lock: ";

impl Several {
    /// How many holds a second, which is only shown, and how long nobody served.
    fn figures(&self, count: usize, one: &Self) -> [Figure; 2] {
        let rounds = self.measured.iter().zip(&one.measured);
        let rounds = rounds.map(|(subject, compared)| Round { subject: *subject, compared: *compared });
        let mut where_time_goes = self.parts();
        where_time_goes
            .extend(one.parts().into_iter().map(|(part, share)| (format!("one alone, {part}"), share)));
        let (name, one) = (format!("{NAME}, {count}"), "one verifier on PostgreSQL");
        let holds = Figure::new(name, one, "holds a second", None, rounds.collect());
        [Figure { where_time_goes, ..holds }, self.interrupted(count)]
    }

    fn interrupted(&self, count: usize) -> Figure {
        let all = || self.frozen.iter().map(|(_, interruption)| interruption.longest);
        let longest = all().max().unwrap_or_default();
        let served = |interruption: Duration| 1.0 / interruption.as_secs_f64();
        let subject = Measured { per_second: served(longest), ..Measured::of(all().collect(), longest) };
        let compared = Measured::rate(served(SERVED_AGAIN_WITHIN));
        let name = format!("{NAME}, {count}, frozen at random");
        let limit = format!("an interruption of {} s", SERVED_AGAIN_WITHIN.as_secs());
        let unit = "interruptions that fit into a second, each as long as the longest";
        let figure = Figure::new(name, &limit, unit, Some(1.0), vec![Round { subject, compared }]);
        Figure { where_time_goes: self.interruptions(), ..figure }
    }

    /// The median of each part.
    fn parts(&self) -> Vec<(String, String)> {
        let mut values: BTreeMap<&String, Vec<f64>> = BTreeMap::new();
        for (part, value) in self.spent.iter().flatten() {
            values.entry(part).or_default().push(*value);
        }
        let shown = |(part, values): (&String, Vec<f64>)| {
            // A state of the lock that was not seen in a round took none of its time.
            let unseen = self.spent.len() - values.len();
            let value = crate::figures::median(values.into_iter().chain(std::iter::repeat_n(0.0, unseen)));
            let unit = if part.starts_with(LOCK) { "%" } else { "ms" };
            (part.clone(), format!("{value:.1} {unit}"))
        };
        values.into_iter().map(shown).collect()
    }

    /// How long each step took at most until holds were final again.
    fn interruptions(&self) -> Vec<(String, String)> {
        let seconds = |times: Vec<Duration>| match times.iter().max() {
            Some(longest) => format!("{:.1} s", longest.as_secs_f64()),
            None => "not seen".to_owned(),
        };
        let of = |led: bool| self.frozen.iter().filter(move |(frozen, _)| frozen.led == led);
        let leads = of(true).filter_map(|(frozen, _)| frozen.led_again_after).collect();
        let then = of(true)
            .filter_map(|(frozen, interruption)| {
                Some(interruption.first.saturating_sub(frozen.led_again_after?))
            })
            .collect();
        let longest = |led| of(led).map(|(_, interruption)| interruption.longest).collect();
        vec![
            (format!("freezes, {} of them of the leader", of(true).count()), self.frozen.len().to_string()),
            ("the leader frozen: until another leads, at most".to_owned(), seconds(leads)),
            ("from then until the first hold is final, at most".to_owned(), seconds(then)),
            ("the leader frozen: no hold for, at most".to_owned(), seconds(longest(true))),
            ("another frozen: no hold for, at most".to_owned(), seconds(longest(false))),
        ]
    }
}
