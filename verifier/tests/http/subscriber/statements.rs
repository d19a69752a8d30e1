//! The statements that some work has the database run, as sqlx logs them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tracing::{
    Event, Instrument, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, filter::filter_fn, layer::Context, registry::LookupSpan};

/// Where sqlx logs statements.
const LOGGED: &str = "sqlx::query";

/// The span of what is listened to.
const LISTENED: &str = "listened";

/// How the statements begin that set a new connection up.
const SET_UP: [&str; 3] = ["PRAGMA ", "SET ", "SELECT current_setting"];

/// What was run so far in each span that is listened to.
static RUN: Mutex<BTreeMap<u64, Vec<Statement>>> = Mutex::new(BTreeMap::new());

/// A statement that was run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statement {
    pub(crate) text: String,
    /// How many rows it returned.
    pub(crate) rows: u64,
}

/// The statements that `work` runs, without those of tasks that it starts and of new connections.
pub(super) async fn run_by<T>(work: impl Future<Output = T>) -> Vec<Statement> {
    let span = tracing::info_span!(LISTENED);
    let id = span.id().unwrap().into_u64();
    work.instrument(span.clone()).await;
    let mut statements = lock().remove(&id).unwrap_or_default();
    statements.retain(|statement| !SET_UP.iter().any(|begin| statement.text.starts_with(begin)));
    statements
}

fn lock() -> MutexGuard<'static, BTreeMap<u64, Vec<Statement>>> {
    RUN.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn layer<S>() -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    Statements.with_filter(filter_fn(|metadata| metadata.is_span() || metadata.target() == LOGGED))
}

struct Statements;

impl<S> Layer<S> for Statements
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // SQLite's threads enter the span of whoever asks, which may be within the one that is listened to.
        let mut spans = context.event_scope(event).into_iter().flatten();
        let Some(span) = spans.find(|span| span.name() == LISTENED) else { return };
        let mut statement = Statement::default();
        event.record(&mut statement);
        lock().entry(span.id().into_u64()).or_default().push(statement);
    }
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            // A short statement is its own summary.
            "summary" => value.clone_into(&mut self.text),
            "db.statement" if !value.is_empty() => value.trim().clone_into(&mut self.text),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "rows_returned" {
            self.rows = value;
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
