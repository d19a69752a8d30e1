//! Ends holds: settles captures and releases until the facilitator says that they are final, and
//! looks for holds that are to be ended. Uses the facilitator, the record and the clock.
//!
//! A release is signed when it goes out, and the hold is closed on disk by then: whoever has it can
//! end the hold there.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tracing::{error, info, warn};
use x402_escrow_wire::{
    auth_capture::SESSION_KEY,
    error_code::ErrorCode,
    facilitator::SettleResponse,
    field,
    payment::PaymentRequirements,
    payment_identifier::EXTRA,
    purchase::{
        charge::{Charge, ChargeEvent},
        seller::{Hold, HoldEvent},
        verdict::{self, Verdict},
    },
    text::Hex32,
};

use crate::{
    end,
    facilitator::{FacilitatorError, plain},
    price::charge_event,
    record::{Change, NotChanged},
    shared::Shared,
};

/// Time between two rounds in the background.
const INTERVAL: Duration = Duration::from_secs(1);

/// How many are settled at once: while the cluster is congested, the facilitator takes up to a minute
/// for each.
const AT_ONCE: usize = 16;

/// Round after round, for as long as the merchant lives.
pub(crate) async fn run(merchant: Weak<Shared>) {
    loop {
        let Some(merchant) = merchant.upgrade() else { return };
        round(&merchant).await;
        drop(merchant);
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Ends what is to be ended by now.
pub(crate) async fn round(merchant: &Arc<Shared>) {
    let now = merchant.now();
    let idle = merchant.config.closes_streams.then_some(merchant.config.stream_idle_seconds);
    let idle = idle.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
    let over = merchant.record.with(|book| [book.over(now), book.charges_over(now)].concat());
    stream::iter(over).for_each_concurrent(AT_ONCE, |change| lapse(merchant, change)).await;
    let due = merchant.record.with(|book| book.charges_to_check(now));
    stream::iter(due).for_each_concurrent(AT_ONCE, |change| check_charge(merchant, change)).await;
    let due = merchant.record.with(|book| book.to_end(now, idle));
    stream::iter(due).for_each_concurrent(AT_ONCE, |change| async { _ = end(merchant, change).await }).await;
    let unsettled = merchant.record.with(|book| book.unsettled(now));
    let taken = unsettled.into_iter().filter(|id| merchant.record.with(|book| book.take_ending(id)));
    stream::iter(taken.collect::<Vec<_>>())
        .for_each_concurrent(AT_ONCE, |id| async move { _ = settle(merchant, id).await })
        .await;
}

/// Ends every open stream that no request uses, whether idle or not. Returns how many are left that
/// are open, or that the facilitator has not taken.
pub(crate) async fn close_streams(merchant: &Arc<Shared>) -> usize {
    let is_open =
        |id: &Hex32| merchant.record.with(|book| book.get(id).is_some_and(|entry| entry.state == Hold::Open));
    let mut open = Vec::new();
    if merchant.config.closes_streams {
        open = merchant.record.with(|book| book.to_end(merchant.now(), Some(0)));
        open.retain(|change| is_open(&change.id));
    }
    let ended = stream::iter(open).map(async |change| {
        let id = change.id;
        end(merchant, change).await || is_open(&id)
    });
    let not_taken = ended.buffer_unordered(AT_ONCE).filter(|taken| std::future::ready(!taken)).count().await;
    not_taken + merchant.record.with(|book| book.open_streams())
}

/// Closes a hold for good, on disk, and then releases it; one without a verdict is checked before.
/// Returns whether the facilitator took the release.
async fn end(merchant: &Arc<Shared>, change: Change) -> bool {
    let id = change.id;
    match merchant.record.change(change, merchant.now()).await {
        Ok(()) => {
            let state = merchant.record.with(|book| book.get(&id).map(|entry| entry.state));
            let is_released = state == Some(Hold::Releasing) || check(merchant, id).await;
            is_released && settle(merchant, id).await.is_some_and(|answer| answer.success)
        }
        // A request came in between.
        Err(NotChanged::Illegal(_)) => false,
        Err(error) => {
            error!(payment_id = %id, %error, "payment {id} can't be released");
            false
        }
    }
}

/// Asks whether a hold without a verdict is held, and for this merchant: a release takes back what
/// another instance sold. Returns whether it is to be released.
async fn check(merchant: &Arc<Shared>, id: Hex32) -> bool {
    let Some((intent, requirements)) = asked_about(merchant, id) else {
        // A change that could not be written lost it: what is held goes back at the deadline.
        _ = merchant.record.change(Change::of_hold(id, HoldEvent::No), merchant.now()).await;
        return false;
    };
    let event = ask_again(merchant, intent, &requirements).await.0.of_hold();
    let is_streamed = is_streamed(&requirements);
    let yes = if is_streamed { HoldEvent::Opened } else { HoldEvent::Held };
    let is_written = write_down(merchant, Change::of_hold(id, event.unwrap_or(yes))).await;
    let is_held = is_written && event.is_none() && !is_streamed;
    if !is_held {
        merchant.record.with(|book| book.end_later(&id, merchant.now()));
    }
    is_held
}

/// Asks whether a charge without a verdict was made, once nobody can make it any more.
async fn check_charge(merchant: &Arc<Shared>, change: Change) {
    let (id, now) = (change.id, merchant.now());
    if merchant.record.change(change, now).await.is_err() {
        // A request came in between.
        return;
    }
    let event = match asked_about(merchant, id) {
        Some((payload, requirements)) => {
            let (verdict, answer) = ask_again(merchant, payload, &requirements).await;
            let asked = requirements.extra.get("commitment");
            charge_event(asked.and_then(|level| field::read(level).ok()), verdict, answer.as_ref().ok())
        }
        None => ChargeEvent::Denied,
    };
    if write_down(merchant, Change::of_charge(id, event)).await && event == ChargeEvent::Charged {
        warn!(payment_id = %id, "payment {id} is charged and bought nothing: the client may retry, or refund it");
    }
    merchant.record.with(|book| book.end_later(&id, merchant.now()));
}

/// With what the facilitator is asked about a payment without a verdict.
fn asked_about(merchant: &Arc<Shared>, id: Hex32) -> Option<(Value, PaymentRequirements)> {
    merchant.record.with(|book| {
        let entry = book.get(&id)?;
        entry.payload.clone().zip(entry.requirements.clone())
    })
}

/// Writes down what the facilitator says of a payment. Returns whether it is on disk; otherwise the payment is where it
/// would be after a crash.
pub(crate) async fn write_down(merchant: &Arc<Shared>, change: Change) -> bool {
    let id = change.id;
    let written = merchant.record.change(change, merchant.now()).await;
    if let Err(error) = &written {
        error!(payment_id = %id, %error, "the outcome of payment {id} could not be recorded");
        merchant.record.with(|book| book.crash_one(&id, None));
    }
    written.is_ok()
}

/// Settles an intent again, and reads the facilitator's verdict.
async fn ask_again(
    merchant: &Arc<Shared>,
    intent: Value,
    requirements: &PaymentRequirements,
) -> (Verdict, Result<SettleResponse, FacilitatorError>) {
    let mut requirements = requirements.clone();
    // Neither is signed. The id is not kept, and the fee payer may be another than it was.
    requirements.extra.remove(EXTRA);
    requirements.extra.insert("feePayer".to_owned(), json!(merchant.support().fee_payer));
    let answer = merchant.facilitator.pay(plain(intent, &requirements), merchant.record.claim).await;
    let verdict = match &answer {
        Ok(answer) if answer.error_reason.as_deref() == Some(ErrorCode::InvalidExtra.as_str()) => {
            merchant.ask_support().await;
            Verdict::Missing
        }
        Ok(answer) => Verdict::of(answer),
        Err(error) => error.verdict(),
    };
    (verdict, answer)
}

fn is_streamed(requirements: &PaymentRequirements) -> bool {
    requirements.extra.get("captureAuthorizer").is_some_and(|key| key == SESSION_KEY)
}

/// Settles a capture or a release that nobody else settles. Returns the facilitator's verdict, if
/// there is one.
pub(crate) async fn settle(merchant: &Arc<Shared>, id: Hex32) -> Option<SettleResponse> {
    let known = merchant.record.with(|book| {
        let entry = book.get(&id)?;
        let requirements = entry.requirements.clone()?;
        let ending = match (entry.state, entry.bought()) {
            (Hold::Capturing, _) => entry.payload.clone()?,
            (Hold::Releasing, 0) if !is_streamed(&requirements) => end::void(&merchant.config, id),
            // A voucher may be accepted that bought nothing.
            (Hold::Releasing, bought) => end::close(&merchant.config, id, bought),
            _ => return None,
        };
        Some((ending, requirements))
    });
    let Some((ending, requirements)) = known else {
        merchant.record.with(|book| book.end_later(&id, merchant.now()));
        return None;
    };
    let answer = merchant.facilitator.settle(ending, &requirements).await;
    let event = answer.as_ref().map_or(HoldEvent::Undecided, verdict::ending);
    match &answer {
        Ok(answer) if answer.success => info!(payment_id = %id, "payment {id} is settled"),
        Ok(answer) => {
            let reason = answer.error_reason.as_deref().unwrap_or("no reason");
            warn!(payment_id = %id, reason, "payment {id} is not settled: {reason}");
        }
        Err(error) => warn!(payment_id = %id, %error, "payment {id} is not settled yet"),
    }
    if let Err(error) = merchant.record.change(Change::of_hold(id, event), merchant.now()).await {
        error!(payment_id = %id, %error, "the outcome of payment {id} could not be recorded");
    }
    merchant.record.with(|book| book.end_later(&id, merchant.now()));
    answer.ok()
}

/// Forgets what is over.
async fn lapse(merchant: &Arc<Shared>, change: Change) {
    let id = change.id;
    let known = merchant.record.with(|book| book.get(&id).map(|entry| (entry.state, entry.charge)));
    match known {
        Some((Hold::Capturing, _)) => {
            error!(payment_id = %id, "payment {id} was not finally captured by its deadline");
        }
        Some((_, Charge::Paid)) => {
            error!(payment_id = %id, "payment {id} was charged and bought nothing: refund it");
        }
        _ => {}
    }
    if let Err(error) = merchant.record.change(change, merchant.now()).await {
        warn!(payment_id = %id, %error, "payment {id} is over and could not be removed from the record");
    }
}
