//! One run, of which its seed determines everything.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use solana_sdk::hash::hashv;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    audit,
    clock::{self, Time},
    cluster::{Access, Cluster, Counts},
    gate::Gate,
    ledger::Ledger,
    panics,
    patience::{BUSY_SECONDS, END_SECONDS, LAST_DEADLINE_SECONDS},
    people::{self, Shop, World},
    plan::Plan,
    processor,
    server::Server,
    setup::Genesis,
};

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

/// How many merchants there are, each with a shop.
const MERCHANTS: usize = 5;

/// From here on the numbers of shops' dice: above those of all other people.
const SHOP_DICE: u64 = 1_000_000;

/// Runs one seed.
pub fn run(seed: u64) -> Outcome {
    let gate = Gate::new(seed);
    let (outcome, panics) = panics::gathered(&gate, || clock::run(&gate, simulate(seed, gate.clone())));
    let mut outcome = outcome.unwrap_or_else(|| Outcome {
        seed,
        plan: format!("{:?}", Plan::new(&mut ChaCha8Rng::seed_from_u64(seed))),
        steps: gate.steps(),
        ..Outcome::default()
    });
    outcome.wrong.splice(0..0, panics);
    outcome
}

/// Runs `count` seeds from `first` on, several at the same time, and reports each as it ends.
pub fn run_many(first: u64, count: u64, threads: usize, report: impl Fn(&Outcome, Duration) + Sync) {
    let next = AtomicU64::new(first);
    thread::scope(|scope| {
        for thread in 0..threads {
            let (next, report) = (&next, &report);
            scope.spawn(move || {
                processor::keep_to(thread);
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first.saturating_add(count) {
                        return;
                    }
                    let started = Instant::now();
                    let outcome = run(seed);
                    report(&outcome, started.elapsed());
                }
            });
        }
    });
}

async fn simulate(seed: u64, gate: Gate) -> Outcome {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let plan = Plan::new(&mut dice);
    let time = Time::start();
    let wallets = 4;
    let genesis = Genesis::new(wallets + 3, MERCHANTS);
    let Genesis { svm, mint, wallets: accounts, merchants } = genesis;
    let cluster = Cluster::new(svm, time, plan.weather.clone(), dice.random());
    let folder = folder();
    let (path, nodes) = (folder.path().to_owned(), Arc::clone(&cluster));
    let server = Server::new(path, plan.keys(), nodes, plan.access, gate.clone(), time);
    let world = World {
        server: Arc::clone(&server),
        cluster: Arc::clone(&cluster),
        ledger: Arc::new(Ledger::new(time, gate.clone())),
        time,
        mint,
        wallets: Arc::new(accounts),
        merchants: Arc::new(merchants),
        has_liars: matches!(plan.access, Access::Each { liars: 1.. }),
    };
    let mut background = JoinSet::new();
    background.spawn(Arc::clone(&cluster).run());
    background.spawn(Arc::clone(&server).supervise());
    background.spawn(crash(gate.clone(), plan.crashes, dice.random()));
    let shops: Vec<_> = (0..MERCHANTS).map(|merchant| Shop::new(world.clone(), merchant)).collect();
    for (shop, number) in shops.iter().zip(SHOP_DICE..) {
        background.spawn(Arc::clone(shop).tend(World::dice(seed, number)));
    }
    sleep(Duration::from_secs(2)).await;
    let mut busy = JoinSet::new();
    let last_deadline = begin(&world, &shops, &plan, wallets, &mut busy, &mut dice, seed);
    while busy.join_next().await.is_some() {}
    world.until(last_deadline).await;
    cluster.calm();
    gate.recover_from_plans();
    people::free_what_was_relayed(&world);
    sleep(Duration::from_secs(END_SECONDS)).await;
    let wrong = match server.app() {
        Some(app) => audit::audit(&world, &app, plan.budgets()).await,
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
    shops: &[Arc<Shop>],
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
    for _ in 0..plan.shoppers {
        let after = Duration::from_millis(dice.random_range(0..BUSY_SECONDS * 1000));
        let (wallet, shop) = (dice.random_range(0..wallets), &shops[dice.random_range(0..shops.len())]);
        let (world, shop, own) = (world.clone(), Arc::clone(shop), own_dice());
        busy.spawn(async move {
            sleep(after).await;
            people::shopping(world, shop, wallet, margin, own).await;
        });
    }
    for _ in 0..plan.rogues {
        let after = Duration::from_millis(dice.random_range(0..BUSY_SECONDS * 1000));
        let (wallet, merchant) = (dice.random_range(0..wallets), dice.random_range(0..merchants));
        let (world, own) = (world.clone(), own_dice());
        busy.spawn(async move {
            sleep(after).await;
            people::rogue(world, wallet, merchant, own).await;
        });
    }
    for _ in 0..plan.transfers {
        let after = Duration::from_millis(dice.random_range(0..BUSY_SECONDS * 1000));
        let (wallet, merchant) = (dice.random_range(0..wallets), dice.random_range(0..merchants));
        let (world, own, is_twice) = (world.clone(), own_dice(), dice.random_bool(0.3));
        busy.spawn(async move {
            sleep(after).await;
            if is_twice {
                people::transfer_twice(world, wallet, merchant, own).await;
            } else {
                people::transfer(world, wallet, merchant, own).await;
            }
        });
    }
    if plan.has_relayer {
        let (world, own) = (world.clone(), own_dice());
        busy.spawn(people::relay(world, own));
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
    for _ in 0..plan.charges {
        let after = Duration::from_millis(dice.random_range(0..BUSY_SECONDS * 1000));
        let (wallet, merchant) = (dice.random_range(0..wallets), dice.random_range(0..merchants));
        let (world, own) = (world.clone(), own_dice());
        busy.spawn(async move {
            sleep(after).await;
            people::charge(world, wallet, merchant, own).await;
        });
    }
    world.time.now() + i64::try_from(BUSY_SECONDS).unwrap_or(0) + margin + LAST_DEADLINE_SECONDS
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
