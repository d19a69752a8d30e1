//! A merchant, the real layer with real files, between clients that send anything again, altered and
//! at once, and break off anywhere, and a verifier that answers anything; and it is killed at random.
//!
//! In the end, with an honest verifier, no sale is unpaid and nobody has paid for what was refused.
//! `SIMULATION_STEPS` and `SIMULATION_SEED` set how long it goes on, and where it starts.

mod buyer;
mod dice;
mod instance;
mod verifier;

use std::{
    collections::{BTreeSet, HashMap},
    num::NonZero,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use axum::http::{Request, StatusCode};
use tempfile::TempDir;
use x402_escrow_wire::text::Hex32;

use crate::shared::lock;
use buyer::{Signed, question, sign};
use dice::Dice;
use instance::{Instance, PRICE, PURCHASE, World};
use verifier::Verifier;

/// The steps of one run; of more, each has the next seed and a processor of its own.
const LONGEST: u64 = 5_000;

/// What was served, by what it was paid with.
#[derive(Default)]
pub(crate) struct Log {
    /// What handlers wanted that answered 2xx, in base units.
    handled: HashMap<String, Vec<u64>>,
    /// What holds were used for.
    by_hold: HashMap<String, BTreeSet<String>>,
    /// What clients got for a 2xx.
    answered: HashMap<String, Vec<u64>>,
    /// Holds of which a request was under way when the merchant was killed: it may not know of them.
    unknown: BTreeSet<String>,
}

impl Log {
    /// What clients got for a hold in all, and what its handlers wanted: of a voucher, its amount.
    fn of(&self, hold: &str) -> (u64, BTreeSet<u64>) {
        let keys: Vec<&String> = self.by_hold.get(hold).into_iter().flatten().collect();
        let answered = keys.iter().filter_map(|key| self.answered.get(*key)).flatten().sum();
        let wanted = keys.iter().flat_map(|key| {
            let voucher = key.split_once(':').and_then(|(_, amount)| amount.parse().ok());
            let handled = self.handled.get(*key).into_iter().flatten();
            handled.map(move |wanted| voucher.unwrap_or(*wanted))
        });
        (answered, wanted.collect())
    }

    fn handled(&mut self, purchase: &str, status: StatusCode, wanted: u64) {
        self.by_hold.entry(id(purchase).to_owned()).or_default().insert(purchase.to_owned());
        let handled = self.handled.entry(purchase.to_owned()).or_default();
        if status.is_success() {
            handled.push(wanted);
        }
    }
}

struct Simulation {
    world: World,
    instances: Vec<Instance>,
    signed: Vec<Signed>,
    _folder: TempDir,
}

impl Simulation {
    fn new(seed: u64, instances: usize) -> Self {
        let memory = Path::new("/dev/shm");
        // Where a sync costs nothing: no crash here loses what was written.
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let world = World {
            dice: Dice::new(seed),
            verifier: Arc::new(Mutex::new(Verifier::default())),
            log: Arc::default(),
            closes_streams: instances == 1,
        };
        let start = |number| Instance::start(&world, folder.path().join(format!("instance{number}")));
        let instances = (0..instances).map(start).collect();
        Self { world, instances, signed: Vec::new(), _folder: folder }
    }

    fn step(&mut self) {
        let dice = self.world.dice.clone();
        match dice.below(20) {
            0..4 => self.sign(),
            4..16 => self.send(),
            16 => self.instance().round(),
            17 if dice.once_in(4) => self.instance().restart(),
            _ => {
                dice.pass(i64::try_from(dice.below(30)).unwrap());
                self.instances.iter_mut().for_each(Instance::round);
            }
        }
    }

    fn instance(&mut self) -> &mut Instance {
        let number = self.world.dice.below(self.instances.len() as u64);
        &mut self.instances[usize::try_from(number).unwrap()]
    }

    fn sign(&mut self) {
        let (dice, number) = (self.world.dice.clone(), self.signed.len() as u64 + 1);
        let path = format!("/{}/{number}", dice.pick(&["one", "many"]));
        let Some(answers) = self.instance().send(vec![question(&path)]) else { return };
        self.signed.push(sign(path, &answers[0].1, number, &dice));
    }

    /// Sends some requests at once, most of them with payments of late.
    fn send(&mut self) {
        if self.signed.is_empty() {
            return;
        }
        let dice = self.world.dice.clone();
        let late = if dice.once_in(10) { self.signed.len() } else { self.signed.len().min(12) };
        let favourite = dice.below(late as u64);
        let requests: Vec<Request<_>> = (0..=dice.below(3))
            .map(|_| {
                let back = if dice.once_in(2) { favourite } else { dice.below(late as u64) };
                self.signed[self.signed.len() - 1 - usize::try_from(back).unwrap()].request(&dice)
            })
            .collect();
        let purchases: Vec<String> =
            requests.iter().map(|request| request.headers()[PURCHASE].to_str().unwrap().to_owned()).collect();
        let answers = self.instance().send(requests);
        let log = &mut *lock(&self.world.log);
        let Some(answers) = answers else {
            log.unknown.extend(purchases.iter().map(|purchase| id(purchase).to_owned()));
            return;
        };
        for (purchase, (status, _, body)) in purchases.into_iter().zip(answers) {
            if status.is_success() {
                let answered = log.answered.entry(purchase.clone()).or_default();
                answered.push(body.parse().unwrap());
                assert_eq!(answered.len(), 1, "{purchase} bought twice");
            }
        }
    }

    /// Lets everything come to its end, and looks whether that is as it must be.
    fn end(mut self) {
        lock(&self.world.verifier).is_honest = true;
        for _ in 0..11 {
            self.world.dice.pass(301);
            self.instances.iter_mut().for_each(Instance::round);
        }
        let log = &*lock(&self.world.log);
        let verifier = &mut *lock(&self.world.verifier);
        let may_be_unknown =
            |id: &Hex32| log.unknown.contains(&id.to_string()) || verifier.denied.contains(id);
        for (id, hold) in &verifier.holds {
            let is_ended = hold.captured.is_some() || hold.is_streamed && !self.world.closes_streams;
            let was_served = log.by_hold.contains_key(&id.to_string());
            let is_excused = may_be_unknown(id) && !was_served;
            assert!(is_ended || is_excused, "{id} is held, and nobody releases it");
        }
        let unknown: BTreeSet<Hex32> = verifier.holds.keys().copied().filter(may_be_unknown).collect();
        // Whatever is left open now, the verifier ends at the deadline.
        let later = self.world.dice.now() + 7200;
        verifier.holds.values_mut().for_each(|hold| hold.expire(later));

        let mut sold = 0;
        for (id, hold) in &verifier.holds {
            let (text, captured) = (id.to_string(), hold.captured.unwrap());
            let (answered, wanted) = log.of(&text);
            assert!(answered <= captured, "{id}: {answered} was sold, {captured} captured");
            sold += answered;
            // The verifier captures the vouchers of streams that no merchant ends: it knows of none
            // that they were not served.
            let is_closed = !hold.is_streamed
                || self.world.closes_streams && !(unknown.contains(id) && wanted.is_empty());
            assert!(
                !is_closed || captured == 0 || wanted.contains(&captured),
                "{id}: {captured} captured, handlers wanted {wanted:?}"
            );
        }
        let all: u64 = log.answered.values().flatten().sum();
        assert_eq!(all, sold, "something was sold that was never held");
        assert!(sold > PRICE, "nothing was sold");
    }
}

/// The hold of a purchase.
fn id(purchase: &str) -> &str {
    purchase.split(':').next().unwrap_or(purchase)
}

/// Says how to repeat a run that fails.
struct Repeat {
    seed: u64,
    steps: u64,
}

impl Drop for Repeat {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("to repeat it: SIMULATION_SEED={} SIMULATION_STEPS={}", self.seed, self.steps);
        }
    }
}

fn simulate(instances: usize) {
    let setting = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let steps = setting("SIMULATION_STEPS").unwrap_or(1_000);
    let first = setting("SIMULATION_SEED").unwrap_or(1);
    let next = AtomicU64::new(0);
    let play = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let steps = steps.saturating_sub(number * LONGEST).min(LONGEST);
            if steps == 0 {
                return;
            }
            let run = Repeat { seed: first + number, steps };
            let mut simulation = Simulation::new(run.seed, instances);
            (0..run.steps).for_each(|_| simulation.step());
            simulation.end();
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(play);
        }
    });
}

#[test]
fn one_merchant_is_paid_for_what_it_serves_and_no_payer_for_what_was_refused() {
    simulate(1);
}

#[test]
fn two_instances_are_paid_for_what_they_serve_and_no_payer_for_what_was_refused() {
    simulate(2);
}
