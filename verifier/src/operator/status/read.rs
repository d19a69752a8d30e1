//! Asks the store and the chain for what the page shows.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, atomic::Ordering},
};

use x402_escrow_domain::{
    books::{DAY_SECONDS, Filter, Period, Search},
    budget::Budget,
};
use x402_escrow_interface::Address;

use super::{
    CHART_DAYS, LISTED, Overview, PAYMENTS_IN_SUMS, PAYMENTS_PER_PAGE, Question,
    stuck::{self, Stuck},
    sums,
};
use crate::{
    engine::{app::App, books, budget, tokens},
    operator::{alarm::CAPTURE_MARGIN_SECONDS, health},
    page::{Line, View, text},
    store::{Entries, StoreError},
};

/// Reads what `question` asks for.
///
/// # Errors
/// If the store fails. What the chain does not tell is left out.
pub async fn read(app: &App, question: Question) -> Result<Overview, StoreError> {
    let now = app.now();
    let since = now.saturating_sub(DAY_SECONDS.saturating_mul(i64::from(question.days)));
    let receiver = question.receiver.as_ref();
    let store = &app.store;
    let is_asked = |of: &Address| receiver.is_none_or(|receiver| receiver == of);

    let mut outstanding = store.outstanding().await?;
    outstanding.retain(|payment| is_asked(&payment.receiver));
    let turnover = store.turnover(receiver, since, PAYMENTS_IN_SUMS).await?;

    let mut stuck = read_stuck(app, is_asked, now).await?;
    let more_stuck = stuck.len().saturating_sub(LISTED);
    stuck.truncate(LISTED);

    let place = &question.before;
    let filter = Filter { outcome: question.choice.outcome, ..Filter::default() };
    let search = Search::read(&question.choice.search);
    let Entries { entries, next } =
        books::find(app, receiver, search.as_ref(), filter, place, PAYMENTS_PER_PAGE).await?;
    let payments = books::with_histories(app, entries).await?;
    let payments: Vec<_> = payments.into_iter().map(|(entry, history)| Line::of(entry, &history)).collect();
    let period = Period::until(now, CHART_DAYS);
    let days = store.day_totals(receiver, None, period).await?;

    let mut receivers: BTreeMap<Address, usize> = BTreeMap::new();
    for receiver in turnover.iter().map(|payment| payment.receiver) {
        *receivers.entry(receiver).or_default() += 1;
    }
    let mut receivers: Vec<_> = receivers.into_iter().collect();
    receivers.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    receivers.truncate(LISTED);

    let fruitless = read_fruitless(app, receiver, now).await?;
    let sums = sums::sum_up(&turnover, &outstanding, &store.held(receiver).await?);
    let mints = sums.keys().cloned().chain(payments.iter().map(Line::mint));
    let mints = mints.chain(days.iter().map(|day| day.mint.to_string()));
    let mints = mints.chain(stuck.iter().chain(&fruitless).map(|stuck| stuck.asset.clone()));
    Ok(Overview {
        view: view(app, mints).await,
        days,
        period,
        warnings: warnings(app).await?,
        undelivered: store.undelivered().await?,
        sums_are_cut: turnover.len() == PAYMENTS_IN_SUMS as usize,
        question,
        now,
        stuck,
        more_stuck,
        fruitless,
        sums,
        receivers,
        payments,
        next,
    })
}

async fn read_stuck(
    app: &App,
    is_asked: impl Fn(&Address) -> bool,
    now: i64,
) -> Result<Vec<Stuck>, StoreError> {
    let open = app.store.unfinished().await?.rows;
    let due = app.store.due_for_review(now.saturating_add(CAPTURE_MARGIN_SECONDS), now).await?.rows;
    let operations =
        open.iter().filter(|open| is_asked(&open.receiver)).filter_map(|open| stuck::operation(open, now));
    let holds = due.iter().filter(|history| is_asked(&history.payment.receiver));
    let holds = holds.filter_map(|history| stuck::hold(history, now));
    let mut stuck: Vec<_> = operations.chain(holds).collect();
    stuck.sort_by_key(Stuck::urgency);
    Ok(stuck)
}

async fn read_fruitless(app: &App, receiver: Option<&Address>, now: i64) -> Result<Vec<Stuck>, StoreError> {
    let since = now.saturating_sub(DAY_SECONDS);
    let operations = app.store.fruitless(receiver, since, LISTED as u32).await?;
    let mut fruitless: Vec<_> = operations.iter().map(|listed| stuck::fruitless(listed, now)).collect();
    fruitless.sort_by_key(|stuck| std::cmp::Reverse(stuck.since));
    fruitless.truncate(LISTED);
    Ok(fruitless)
}

/// What is wrong with the verifier, or soon will be.
async fn warnings(app: &App) -> Result<Vec<String>, StoreError> {
    let mut warnings = health::examine(app).await.reasons;
    if app.is_paused.load(Ordering::Relaxed) {
        warnings.push("paused: nothing new is accepted until `verifier resume`".to_owned());
    }
    let nodes = app.chain.nodes().into_iter();
    warnings.extend(
        nodes.filter_map(|report| Some(format!("the node {} is left out: {}", report.node, report.wrong?))),
    );
    let budgets = budget::left(app).await?;
    warnings.extend(budgets.iter().filter(|left| left.is_little()).map(|left| {
        let Budget { kind, period, .. } = left.budget;
        format!(
            "{} of {} lamports are left of this {}'s budget of {}: new payments are refused when it is used up; if they are \
             honest, raise it",
            left.lamports,
            left.limit,
            period.as_str(),
            kind.as_str()
        )
    }));
    let left = app.metrics.runway.lock().unwrap_or_else(PoisonError::into_inner).seconds_left();
    if let Some(seconds) = left.filter(|seconds| *seconds < DAY_SECONDS as f64) {
        warnings.push(format!(
            "the fee payer is empty in about {} if it goes on as in the last hour: send it SOL",
            text::duration(seconds as i64)
        ));
    }
    Ok(warnings)
}

/// How the page writes amounts of the tokens with these mints.
pub async fn view(app: &App, mints: impl IntoIterator<Item = String>) -> View {
    let tokens = tokens::describe(app, mints).await;
    View {
        home: "/status".to_owned(),
        network: app.rules.network.clone(),
        decimals: tokens.decimals,
        symbols: tokens.symbols,
    }
}
