//! Ends what nobody ended: after its capture deadline a hold is reclaimed, so that the payer has its money back and
//! the rent payer its rent.

use std::{convert::Infallible, sync::Arc};

use tokio::time::MissedTickBehavior;
use x402_escrow_wire::text::Hex32;

use crate::{
    app::{App, unix_now},
    assess::NotAccepted,
    facts,
    payment::{Action, History},
    policy::Policy,
    stream,
    verify::lifecycle,
};

/// How long to wait for operations that are under way.
const AGAIN_SECONDS: i64 = 60;

/// What a review comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Review {
    /// Something is to be done.
    Act(Action),
    /// Look again at this time, unix seconds.
    Again(i64),
    /// Nothing is left.
    Done,
}

/// What is left to do with a payment at `now`, the cluster's time in unix seconds.
pub fn review(history: &History, now: i64, policy: &Policy) -> Review {
    let intent = &history.payment.intent;
    // A voucher is worth nothing after the deadline, so it doesn't wait for what is under way.
    if let Some(capture) = stream::uncaptured(history).filter(|_| now <= intent.capture_deadline) {
        return act_after(policy.last_reserved_second(intent), now, capture);
    }
    if history.operations.iter().any(|tracked| !tracked.operation.closed) {
        return Review::Again(now.saturating_add(AGAIN_SECONDS));
    }
    if history.authorization().is_negative() {
        return Review::Done;
    }
    let was_reclaimed = history.operations.iter().any(|tracked| tracked.operation.action == Action::Reclaim);
    let sums = history.settled_sums();
    if sums.captured < sums.ends_at && !was_reclaimed {
        return act_after(intent.capture_deadline, now, Action::Reclaim);
    }
    Review::Done
}

fn act_after(deadline: i64, now: i64, action: Action) -> Review {
    if now > deadline { Review::Act(action) } else { Review::Again(deadline.saturating_add(1)) }
}

/// Reviews payments when they are due, for ever.
pub async fn run(app: Arc<App>) -> Infallible {
    let mut interval = tokio::time::interval(app.settings.review_interval);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if let Err(error) = review_due(&app).await {
            tracing::warn!(%error, "can't look for holds that nobody ended");
        }
    }
}

async fn review_due(app: &App) -> Result<(), NotAccepted> {
    let now = facts::cluster_time(app.chain.as_ref()).await?;
    for history in app.store.due_for_review(now).await? {
        let id = history.payment.id;
        let at = match review(&history, now, &app.facilitator.policy) {
            Review::Done => None,
            Review::Again(at) => Some(at),
            Review::Act(action) => {
                tracing::info!(payment = %Hex32(id), kind = action.kind(), "ending what nobody ended");
                let required =
                    |history: &History| app.facilitator.policy.required(history, &action, None, now);
                app.store
                    .accept_operation(&id, &action, required, unix_now(), |history| {
                        lifecycle::check(&action, history, now)
                    })
                    .await?;
                app.work.notify_one();
                Some(now.saturating_add(AGAIN_SECONDS))
            }
        };
        app.store.review_at(&id, at).await?;
    }
    Ok(())
}
