//! Ends what nobody ended: after its capture deadline a hold is reclaimed, so that the payer has its money back and
//! the rent payer its rent.

use std::{convert::Infallible, sync::Arc};

use tokio::time::MissedTickBehavior;
use x402_escrow_domain::{
    payment::History,
    review::{AGAIN_SECONDS, Review, review},
    verify::lifecycle,
};
use x402_escrow_wire::text::Hex32;

use crate::{
    chain::facts,
    engine::{app::App, not_accepted::Interrupted},
    store::Asked,
};

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

async fn review_due(app: &App) -> Result<(), Interrupted> {
    let now = facts::cluster_time(app.chain.as_ref()).await?;
    for history in app.store.due_for_review(now).await? {
        let id = history.payment.id;
        let at = match review(&history, now, &app.rules.policy) {
            Review::Done => None,
            Review::Again(at) => Some(at),
            Review::Act(action) => {
                tracing::info!(payment = %Hex32(id), kind = action.kind(), "ending what nobody ended");
                let required = |history: &History| app.rules.policy.required(history, &action, None, now);
                let asked = Asked { payment_id: &id, action: &action, attempt: None, now: app.now() };
                let decide = |history: &History| lifecycle::decide(&action, history, now);
                app.store.accept_operation(asked, required, decide).await?;
                app.to_send.notify_one();
                Some(now.saturating_add(AGAIN_SECONDS))
            }
        };
        app.store.review_at(&id, at).await?;
    }
    Ok(())
}
