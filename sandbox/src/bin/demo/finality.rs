//! Measures how long it takes until what the verifier has answered is final, and says what is published of mainnet.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use x402_escrow_sandbox::{Chain, Local, Verifier};

/// How often the verifier is asked: no figure is more exact.
const INTERVAL: Duration = Duration::from_millis(100);

/// What others publish of mainnet.
pub(crate) const PUBLISHED: [Published; 2] = [
    Published {
        what: "a block is final",
        seconds: 0.15,
        source: "https://solana.com/developers/docs/defi/finality (Alpenglow, SIMD-0326)",
    },
    Published {
        what: "a slot",
        seconds: 0.2,
        source: "SIMD-0525, https://github.com/solana-foundation/solana-improvement-documents",
    },
];

/// A figure that was not measured here.
pub(crate) struct Published {
    pub(crate) what: &'static str,
    pub(crate) seconds: f64,
    pub(crate) source: &'static str,
}

/// Something that the verifier has answered.
struct Step {
    /// What it is, for people.
    name: &'static str,
    payment_id: String,
    /// The kind of the transaction that does it.
    kind: &'static str,
    answered: Instant,
    /// How long it took from the answer until the verifier reported it `finalized`.
    took: Option<Duration>,
}

/// Follows what was answered, until dropped.
pub(crate) struct Finality {
    steps: Arc<Mutex<Vec<Step>>>,
    is_over: Arc<AtomicBool>,
    started: (Instant, u64),
}

/// What was measured.
pub(crate) struct Measured {
    /// As the verifier was told: `tower_bft`, `alpenglow` or `unknown`.
    pub(crate) consensus: String,
    /// How long a slot took on average.
    pub(crate) slot: Duration,
    /// By what it was, from the quickest to the slowest.
    pub(crate) steps: BTreeMap<&'static str, Vec<Duration>>,
}

impl Finality {
    pub(crate) fn follow(local: &Local, verifier: &Verifier) -> Result<Self> {
        let (steps, is_over) = (Arc::<Mutex<Vec<Step>>>::default(), Arc::<AtomicBool>::default());
        let (followed, ends, url) = (Arc::clone(&steps), Arc::clone(&is_over), verifier.url.clone());
        thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                look(&followed, &url);
                thread::sleep(INTERVAL);
            }
        });
        Ok(Self { steps, is_over, started: now(&local.chain)? })
    }

    /// Notes that the verifier's answer has come now.
    pub(crate) fn answered(&self, name: &'static str, kind: &'static str, payment_id: &str) {
        let (payment_id, answered) = (payment_id.to_owned(), Instant::now());
        lock(&self.steps).push(Step { name, payment_id, kind, answered, took: None });
    }

    /// Waits until all is final.
    pub(crate) fn finish(self, local: &Local, verifier: &Verifier, timeout: Duration) -> Result<Measured> {
        let are_final = || Ok(lock(&self.steps).iter().all(|step| step.took.is_some()));
        local.chain.wait_until("every answer to become final", timeout, are_final)?;
        let (ended, slot) = now(&local.chain)?;
        let slots = u32::try_from(slot.saturating_sub(self.started.1)).unwrap_or(u32::MAX).max(1);
        let mut steps = BTreeMap::<_, Vec<_>>::new();
        for step in &*lock(&self.steps) {
            steps.entry(step.name).or_default().extend(step.took);
        }
        steps.values_mut().for_each(|took| took.sort_unstable());
        let health = verifier.health()?;
        let consensus = health["consensus"].as_str().context("health without a consensus")?.to_owned();
        Ok(Measured { consensus, slot: (ended - self.started.0) / slots, steps })
    }
}

impl Drop for Finality {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

impl Measured {
    pub(crate) fn object(&self) -> Value {
        let seconds = |took: &Vec<Duration>| took.iter().map(Duration::as_secs_f64).collect::<Vec<_>>();
        let steps: serde_json::Map<_, _> =
            self.steps.iter().map(|(name, took)| ((*name).to_owned(), json!(seconds(took)))).collect();
        let published =
            PUBLISHED.map(|one| json!({ "what": one.what, "seconds": one.seconds, "source": one.source }));
        json!({
            "measured": { "consensus": self.consensus, "slotSeconds": self.slot.as_secs_f64(), "seconds": steps },
            "publishedForMainnet": published,
        })
    }
}

/// Asks the verifier once about all that is not final.
fn look(steps: &Mutex<Vec<Step>>, url: &str) {
    let open = |step: &Step| step.took.is_none().then(|| (step.payment_id.clone(), step.kind));
    let asked: Vec<_> = lock(steps).iter().map(open).collect();
    for (number, asked) in asked.into_iter().enumerate() {
        let Some((id, kind)) = asked else { continue };
        // One that is not told now is asked for again.
        let told = reqwest::blocking::get(format!("{url}/payments/{id}")).and_then(|answer| answer.json());
        let Ok::<Value, _>(report) = told else { continue };
        let mut transactions = report["transactions"].as_array().into_iter().flatten();
        if transactions.any(|one| one["kind"] == kind && one["status"] == "finalized") {
            let mut steps = lock(steps);
            let step = &mut steps[number];
            step.took = Some(step.answered.elapsed());
        }
    }
}

/// The time and the cluster's slot.
fn now(chain: &Chain) -> Result<(Instant, u64)> {
    Ok((Instant::now(), chain.slot()?))
}

fn lock(steps: &Mutex<Vec<Step>>) -> MutexGuard<'_, Vec<Step>> {
    steps.lock().unwrap_or_else(PoisonError::into_inner)
}
