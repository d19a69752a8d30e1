//! One run, of which its seed determines everything.

use std::{sync::Arc, time::Duration};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use solana_sdk::hash::hashv;
use tokio::{task::JoinSet, time::sleep};
use x402_escrow_verifier::chain::Chain;

use crate::{
    audit,
    clock::{self, Time},
    cluster::{Balanced, Cluster, Consensus, Counts, Outage, Trouble, Weather},
    gate::Gate,
    ledger::Ledger,
    people::{self, World},
    server::Server,
    setup::Genesis,
};

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What it was about.
    pub plan: String,
    /// What is wrong: empty if nothing is.
    pub wrong: Vec<String>,
    /// Steps of the store: how far it went.
    pub steps: u64,
    /// What happened, in one number: equal for equal runs.
    pub fingerprint: String,
    /// What people did and heard.
    pub counts: Vec<(String, u64)>,
    /// What the cluster did.
    pub cluster: Counts,
}

/// What a seed makes of a run.
#[derive(Clone, Debug)]
struct Plan {
    weather: Weather,
    payments: u64,
    /// How many streams end at the same second.
    rush: u64,
    crashes: u64,
    margin_seconds: i64,
    review_seconds: u64,
    cheats: bool,
    refunds: u64,
    eager: u64,
}

/// How long people begin new things.
const BUSY_SECONDS: u64 = 300;

/// How long everything may take to come to its end after the last deadline.
const SETTLE_SECONDS: u64 = 420;

impl Plan {
    fn new(dice: &mut ChaCha8Rng) -> Self {
        let consensus = if dice.random_bool(0.5) { Consensus::TowerBft } else { Consensus::Alpenglow };
        let rough = dice.random_bool(0.7);
        let chance = |dice: &mut ChaCha8Rng, most: f64| {
            if rough { dice.random_range(0.0..most) } else { 0.0 }
        };
        let mut outages = Vec::new();
        if rough && dice.random_bool(0.3) {
            let from = dice.random_range(20..BUSY_SECONDS);
            let trouble = if dice.random_bool(0.5) { Trouble::Halt } else { Trouble::Silence };
            let until = Duration::from_secs(from + dice.random_range(5..40));
            outages.push(Outage { from: Duration::from_secs(from), until, trouble });
        }
        let weather = Weather {
            consensus,
            slot_milliseconds: 400,
            skip: chance(dice, 0.2),
            fork: chance(dice, 0.1),
            lost: chance(dice, 0.3),
            late: chance(dice, 0.15),
            failure: chance(dice, 0.03),
            behind: chance(dice, 0.3),
            nodes: dice.random_range(1..=4),
            outages,
        };
        let rush = if dice.random_bool(0.15) { 280 } else { 0 };
        Self {
            // What waits for a late transaction would miss a review that comes as seldom as here.
            weather: if rush > 0 { Weather { late: 0.0, ..weather } } else { weather },
            payments: dice.random_range(100..180),
            rush,
            crashes: if dice.random_bool(0.6) { dice.random_range(1..8) } else { 0 },
            margin_seconds: 120,
            review_seconds: if rush > 0 { 60 } else { [10, 30][dice.random_range(0..2)] },
            cheats: dice.random_bool(0.6),
            refunds: if dice.random_bool(0.5) { dice.random_range(1..4) } else { 0 },
            eager: u64::from(dice.random_bool(0.3)),
        }
    }

    fn keys(&self) -> String {
        format!(
            "voucher_margin_seconds = {}\nreview_seconds = {}\nstatus_poll_milliseconds = 1000\n\
             requests_per_minute_per_client = 0\npayments_per_minute_per_session = 0\n\
             finality = [{{ commitment = \"confirmed\" }}]\n",
            self.margin_seconds, self.review_seconds
        )
    }
}

/// Runs one seed.
pub fn run(seed: u64) -> Outcome {
    let gate = Gate::new(seed);
    clock::run(&gate, simulate(seed, gate.clone()))
}

async fn simulate(seed: u64, gate: Gate) -> Outcome {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let plan = Plan::new(&mut dice);
    let time = Time::start();
    let wallets = 4;
    let genesis = Genesis::new(wallets + 3, 5);
    let Genesis { svm, mint, wallets: accounts, merchants } = genesis;
    let cluster = Cluster::new(svm, time, plan.weather.clone(), dice.random());
    let folder = folder();
    let chain: Arc<dyn Chain> = Arc::new(Balanced::new(Arc::clone(&cluster)));
    let server = Server::new(folder.path().to_owned(), plan.keys(), chain, gate.clone(), time);
    let world = World {
        server: Arc::clone(&server),
        cluster: Arc::clone(&cluster),
        ledger: Arc::new(Ledger::new(time)),
        time,
        mint,
        wallets: Arc::new(accounts),
        merchants: Arc::new(merchants),
        settle_timeout: Duration::from_secs(45),
    };
    let mut background = JoinSet::new();
    background.spawn(Arc::clone(&cluster).run());
    background.spawn(Arc::clone(&server).supervise());
    background.spawn(crash(gate.clone(), plan.crashes, dice.random()));
    sleep(Duration::from_secs(2)).await;
    let mut busy = JoinSet::new();
    let last_deadline = begin(&world, &plan, wallets, &mut busy, &mut dice, seed);
    while busy.join_next().await.is_some() {}
    world.until(last_deadline).await;
    cluster.calm();
    gate.recover_from_plans();
    sleep(Duration::from_secs(SETTLE_SECONDS)).await;
    let wrong = match server.app() {
        Some(app) => audit::audit(&world, &app).await,
        None => vec!["the verifier does not run at the end".to_owned()],
    };
    background.shutdown().await;
    server.stop().await;
    let (height, slot, hash) = cluster.place();
    let steps = gate.steps();
    let place = format!("{height} {slot} {steps} {wrong:?} {:?}", world.ledger.counts());
    let counts = world.ledger.counts().into_iter().map(|(what, count)| (what.to_owned(), count)).collect();
    Outcome {
        seed,
        plan: format!("{plan:?}"),
        wrong,
        steps,
        fingerprint: hashv(&[&hash, place.as_bytes(), &cluster.digest()]).to_string(),
        counts,
        cluster: cluster.counts(),
    }
}

/// Has everybody begin, each at a time of its own. Returns the last deadline of all.
fn begin(
    world: &World,
    plan: &Plan,
    wallets: usize,
    busy: &mut JoinSet<()>,
    dice: &mut ChaCha8Rng,
    seed: u64,
) -> i64 {
    let margin = plan.margin_seconds;
    let mut person = 0;
    let mut own_dice = || {
        person += 1;
        World::dice(seed, person)
    };
    let merchants = world.merchants.len();
    for _ in 0..plan.payments {
        let after = Duration::from_millis(dice.random_range(0..BUSY_SECONDS * 1000));
        let (wallet, merchant) = (dice.random_range(0..wallets), dice.random_range(0..merchants));
        let (kind, world, own) = (dice.random_range(0..10), world.clone(), own_dice());
        busy.spawn(async move {
            sleep(after).await;
            match kind {
                0..5 => people::hold(world, wallet, merchant, own).await,
                5 => people::hold_and_leave(world, wallet, merchant, own).await,
                6..9 => people::stream(world, wallet, merchant, margin, own).await,
                _ => {
                    let end = world.time.now() + margin + 200;
                    people::stream_and_leave(world, wallet, merchant, margin, end, 6, own).await;
                }
            }
        });
    }
    let rush_end = world.time.now() + i64::try_from(BUSY_SECONDS).unwrap_or(0) + margin + 30;
    for _ in 0..plan.rush {
        let after = Duration::from_millis(dice.random_range(0..BUSY_SECONDS * 800));
        let (wallet, merchant) = (dice.random_range(0..wallets), dice.random_range(0..merchants));
        let (world, own) = (world.clone(), own_dice());
        busy.spawn(async move {
            sleep(after).await;
            people::stream_and_leave(world, wallet, merchant, margin, rush_end, 1, own).await;
        });
    }
    for _ in 0..plan.eager {
        let wallet = dice.random_range(0..wallets);
        let (world, merchant) = (world.clone(), dice.random_range(0..merchants));
        busy.spawn(async move { people::eager(world, wallet, merchant, margin).await });
    }
    for _ in 0..plan.refunds {
        let after = Duration::from_secs(dice.random_range(0..BUSY_SECONDS / 2));
        let (wallet, merchant) = (dice.random_range(0..wallets), dice.random_range(0..merchants));
        let (world, own) = (world.clone(), own_dice());
        busy.spawn(async move {
            sleep(after).await;
            people::refund_twice(world, wallet, merchant, own).await;
        });
    }
    if plan.cheats {
        let after = Duration::from_secs(dice.random_range(0..BUSY_SECONDS));
        let world = world.clone();
        let own: Vec<_> = (0..4).map(|_| own_dice()).collect();
        busy.spawn(async move {
            sleep(after).await;
            let [one, two, three, four] = own.try_into().unwrap_or_else(|_| unreachable!("there are four"));
            tokio::join!(
                people::double_spend(world.clone(), wallets, 0, one),
                people::withdraw(world.clone(), wallets + 1, 1, two),
                people::revoke(world.clone(), wallets + 2, 2, three),
                people::garbage(world.clone(), four),
            );
        });
    }
    world.time.now() + i64::try_from(BUSY_SECONDS).unwrap_or(0) + margin + 420
}

/// Lets the process crash now and then, at any step of the store.
async fn crash(gate: Gate, crashes: u64, seed: u64) {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..crashes {
        sleep(Duration::from_secs(dice.random_range(5..120))).await;
        gate.crash_in(dice.random_range(1..60));
    }
    std::future::pending().await
}

/// Where the store is: in memory, where there is such a place.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("there is room for a folder")
}
