//! Asks the store and the chain for what the page shows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{PoisonError, atomic::Ordering},
};

use spl_token_2022_interface::{extension::PodStateWithExtensions, pod::PodMint};
use x402_escrow_domain::budget::Budget;
use x402_escrow_interface::Address;
use x402_escrow_wire::auth_capture::Commitment;

use super::{
    Decimals, LISTED, Overview, PAYMENTS_IN_SUMS, PAYMENTS_PER_PAGE, Question,
    stuck::{self, Stuck},
    sums, text,
};
use crate::{
    engine::{app::App, budget},
    operator::{alarm::CAPTURE_MARGIN_SECONDS, health},
    store::StoreError,
};

const DAY_SECONDS: i64 = 86_400;

/// The most accounts that a node answers at once.
const MAXIMUM_MINTS: usize = 100;

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

    let mut payments = store.payments_before(receiver, &question.before, PAYMENTS_PER_PAGE + 1).await?;
    let has_more = payments.len() > PAYMENTS_PER_PAGE as usize;
    payments.truncate(PAYMENTS_PER_PAGE as usize);

    let mut receivers: BTreeMap<Address, usize> = BTreeMap::new();
    for receiver in turnover.iter().map(|payment| payment.receiver) {
        *receivers.entry(receiver).or_default() += 1;
    }
    let mut receivers: Vec<_> = receivers.into_iter().collect();
    receivers.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    receivers.truncate(LISTED);

    let fruitless = read_fruitless(app, receiver, now).await?;
    let sums = sums::sum_up(&turnover, &outstanding);
    let mints = sums.keys().cloned().chain(payments.iter().map(|history| history.payment.mint.to_string()));
    let mints = mints.chain(stuck.iter().chain(&fruitless).map(|stuck| stuck.asset.clone()));
    Ok(Overview {
        decimals: decimals(app, mints).await,
        warnings: warnings(app).await?,
        undelivered: store.undelivered().await?,
        network: app.rules.network.clone(),
        sums_are_cut: turnover.len() == PAYMENTS_IN_SUMS as usize,
        question,
        now,
        stuck,
        more_stuck,
        fruitless,
        sums,
        receivers,
        payments,
        has_more,
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

/// The decimals of the tokens with these mints, as far as the chain tells them.
pub async fn decimals(app: &App, mints: impl IntoIterator<Item = String>) -> Decimals {
    let mints: BTreeSet<String> = mints.into_iter().collect();
    let addresses: Vec<Address> =
        mints.iter().filter_map(|mint| mint.parse().ok()).take(MAXIMUM_MINTS).collect();
    if addresses.is_empty() {
        return Decimals::new();
    }
    let Ok(snapshot) = app.chain.accounts(&addresses, Commitment::Processed).await else {
        return Decimals::new();
    };
    let known = addresses.iter().zip(snapshot.accounts).filter_map(|(mint, account)| {
        let account = account?;
        let state = PodStateWithExtensions::<PodMint>::unpack(&account.data).ok()?;
        Some((mint.to_string(), state.base.decimals))
    });
    known.collect()
}
