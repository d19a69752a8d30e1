//! Reads what is stored or on chain when it is asked for, for Prometheus.

use std::{
    collections::BTreeMap,
    sync::{
        PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use x402_escrow_domain::{
    books::{self, DAY_SECONDS},
    facts,
    payment::OperationState,
};
use x402_escrow_wire::auth_capture::Commitment;

use crate::{
    engine::{
        app::App,
        budget::{self, Left},
        lead,
    },
    operator::alarm,
    store::{HeldOfMinute, StoreError},
};

type Number = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AmountLabels {
    asset: String,
    age: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PromisedLabels {
    scheme: String,
    asset: String,
    age: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    kind: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BudgetLabels {
    kind: &'static str,
    period: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NodeLabels {
    node: String,
}

/// How old something is, in seconds, as a label.
fn age(seconds: i64) -> &'static str {
    match seconds {
        ..60 => "under_1m",
        60..600 => "under_10m",
        600..3600 => "under_1h",
        3600..86_400 => "under_1d",
        _ => "over_1d",
    }
}

/// Everything that is known now, as Prometheus reads it (OpenMetrics text).
///
/// # Errors
/// If the store fails: half of the numbers would look like zeros.
pub async fn scrape(app: &App) -> Result<String, StoreError> {
    let _one_at_a_time = app.metrics.scraping.lock().await;
    let mut now = Registry::with_prefix("x402");
    read_store(app, &mut now).await?;
    read_budgets(app, &mut now).await?;
    read_chain(app, &mut now).await;
    read_lookup_tables(app, &mut now).await?;
    let mut page = String::new();
    for registry in [&app.metrics.registry, &now] {
        text::encode_registry(&mut page, registry).expect("writing to a string does not fail");
    }
    text::encode_eof(&mut page).expect("writing to a string does not fail");
    Ok(page)
}

async fn read_store(app: &App, registry: &mut Registry) -> Result<(), StoreError> {
    let now = app.now();
    let promised: Family<PromisedLabels, Number> = Family::default();
    let uncaptured: Family<AmountLabels, Number> = Family::default();
    let promise = |scheme: &str, asset: &str, amount: u64, since: i64| {
        let (scheme, asset) = (scheme.to_owned(), asset.to_owned());
        let age = age(now.saturating_sub(since));
        promised.get_or_create(&PromisedLabels { scheme, asset, age }).inc_by(amount as f64);
    };
    registry.register("promised_base_units", "Accepted, and not in a block", promised.clone());
    registry.register("uncaptured_base_units", "Captures accepted, and not in a block", uncaptured.clone());
    for payment in app.store.outstanding().await? {
        if payment.promised > 0 {
            promise(&payment.scheme, &payment.asset, payment.promised, payment.accepted_at);
        }
        if let Some(captures) = payment.uncaptured.filter(|captures| captures.amount > 0) {
            let age = age(now.saturating_sub(captures.accepted_at));
            let labels = AmountLabels { asset: payment.asset, age };
            uncaptured.get_or_create(&labels).inc_by(captures.amount as f64);
        }
    }
    read_held(app, registry).await?;

    let operations: Family<OperationLabels, Number> = Family::default();
    registry.register("operations", "Operations that are not final", operations.clone());
    let mut oldest = 0;
    let mut endangered = 0.0;
    for open in app.unreadable.note("scrape", app.store.unfinished().await?) {
        let operation = &open.operation;
        let labels = OperationLabels { kind: operation.action.kind(), state: operation.state.as_str() };
        operations.get_or_create(&labels).inc();
        if matches!(operation.state, OperationState::Queued | OperationState::Sent) {
            oldest = oldest.max(now.saturating_sub(operation.accepted_at));
        }
        endangered += if alarm::is_endangered(&open, now) { 1.0 } else { 0.0 };
    }
    let help = "Age of the oldest operation that is not in a block";
    register(registry, "oldest_unsettled_seconds", help, oldest as f64);
    let is_paused = if app.is_paused.load(Ordering::Relaxed) { 1.0 } else { 0.0 };
    register(registry, "paused", "Whether nothing new is accepted", is_paused);
    let help = "Rows of the store that can't be read, and are left alone";
    register(registry, "unreadable_rows", help, app.unreadable.count() as f64);
    let help = "Captures whose deadline is near and that are not confirmed: act at once";
    register(registry, "captures_near_deadline", help, endangered);
    let overdue = alarm::overdue_vouchers(app, now).await?;
    let help = "Holds whose last voucher should be being captured and is not: act at once";
    register(registry, "vouchers_overdue", help, overdue as f64);
    Ok(())
}

/// What is held, by age. Payments that were accepted in the same minute count as old as the youngest of them can be.
async fn read_held(app: &App, registry: &mut Registry) -> Result<(), StoreError> {
    let family: Family<AmountLabels, Number> = Family::default();
    registry.register("held_base_units", "Held on chain, neither captured nor released", family.clone());
    let (now, oldest) = (app.now(), age(DAY_SECONDS));
    let mut by_age: BTreeMap<_, i128> = BTreeMap::new();
    let first = books::minute_of(now.saturating_sub(DAY_SECONDS));
    for HeldOfMinute { minute, asset, held } in app.store.held_since(first).await? {
        let mut of_age = oldest;
        if let Some(minute) = minute {
            // It is in the sum of all, of which what is left over is the oldest.
            *by_age.entry((asset.clone(), oldest)).or_default() -= held;
            of_age = age(now.saturating_sub(books::last_second_of(minute)));
        }
        *by_age.entry((asset, of_age)).or_default() += held;
    }
    for ((asset, age), held) in by_age.into_iter().filter(|(_, held)| *held > 0) {
        family.get_or_create(&AmountLabels { asset, age }).set(held as f64);
    }
    Ok(())
}

/// What is left of everybody's budgets.
async fn read_budgets(app: &App, registry: &mut Registry) -> Result<(), StoreError> {
    let [left, whole]: [Family<BudgetLabels, Number>; 2] = Default::default();
    registry.register("budget_left_lamports", "What is left of the budget", left.clone());
    registry.register("budget_lamports", "The budget", whole.clone());
    for Left { budget, limit, lamports } in budget::left(app).await? {
        let labels = BudgetLabels { kind: budget.kind.as_str(), period: budget.period.as_str() };
        left.get_or_create(&labels).set(lamports as f64);
        whole.get_or_create(&labels).set(limit as f64);
    }
    Ok(())
}

/// What can't be learned is left out: a gauge that is absent is no zero.
async fn read_chain(app: &App, registry: &mut Registry) {
    let up: Family<NodeLabels, Number> = Family::default();
    registry.register("node_relied_on", "Whether the node is asked, where there are several", up.clone());
    for report in app.chain.nodes() {
        let number = if report.wrong.is_none() { 1.0 } else { 0.0 };
        up.get_or_create(&NodeLabels { node: report.node }).set(number);
    }
    let is_stalled = if lead::is_stalled(app) { 1.0 } else { 0.0 };
    register(registry, "tracker_stalled", "Whether transactions can't be followed now", is_stalled);

    let addresses = [facts::CLOCK_ID, app.rules.fee_payer, app.rules.program];
    let Ok(snapshot) = app.chain.accounts(&addresses, Commitment::Processed).await else { return };
    register(registry, "chain_slot", "The newest slot, processed", snapshot.slot as f64);
    let account = |index: usize| snapshot.accounts.get(index)?.as_ref();
    if let Some(time) = account(0).and_then(facts::unix_timestamp) {
        let seconds = app.now().saturating_sub(time);
        register(registry, "chain_seconds_behind", "This machine's time less the cluster's", seconds as f64);
    }
    let lamports = account(1).map_or(0, |account| account.lamports);
    register(registry, "fee_payer_lamports", "What the fee payer has", lamports as f64);
    let found = if app.cluster.note_program(account(2)) { 1.0 } else { 0.0 };
    register(registry, "program_found", "Whether the escrow program is on the cluster", found);
    let left = app.metrics.runway.lock().unwrap_or_else(PoisonError::into_inner).seconds_left();
    if let Some(seconds) = left {
        let help = "When the fee payer is empty if it goes on as in the last hour";
        register(registry, "fee_payer_seconds_left", help, seconds);
    }
}

fn register(registry: &mut Registry, name: &str, help: &str, value: f64) {
    let gauge = Number::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

/// By themselves: nodes can differ about one that is new.
async fn read_lookup_tables(app: &App, registry: &mut Registry) -> Result<(), StoreError> {
    let tables = app.store.lookup_tables().await?;
    let help = "Lookup tables that are on chain or being made";
    register(registry, "lookup_tables", help, tables.len() as f64);
    let addresses: Vec<_> = tables.iter().map(|table| table.address).collect();
    let locked = match addresses.is_empty() {
        true => 0.0,
        false => match app.chain.accounts(&addresses, Commitment::Processed).await {
            Ok(snapshot) => snapshot.accounts.iter().flatten().map(|account| account.lamports as f64).sum(),
            Err(_) => return Ok(()),
        },
    };
    let help = "Rent of lookup tables, which comes back";
    register(registry, "lookup_table_lamports", help, locked);
    Ok(())
}
