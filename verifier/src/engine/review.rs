//! Ends what nobody ended: captures the last vouchers before their holds' deadlines, and after those reclaims what is
//! left, so that the payer has its money back and the rent payer its rent.

use std::{convert::Infallible, sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, sleep};
use x402_escrow_domain::{
    decision::Decision,
    payment::History,
    review::{AGAIN_SECONDS, ClusterTime, Review, review},
    verify::lifecycle,
};
use x402_escrow_wire::text::Hex32;

use crate::{
    chain::{ChainError, facts},
    engine::{app::App, not_accepted::Interrupted},
    store::{Begun, Reviewed},
};

/// How long to wait after the node or the store failed.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// How long the cluster's time is taken while reviews go on.
const TIME_IS_TAKEN_FOR: Duration = Duration::from_secs(5);

/// Reviews payments when they are due, for ever.
pub async fn run(app: Arc<App>) -> Infallible {
    let mut interval = tokio::time::interval(app.settings.review_interval);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        // Not at the next interval: by then a deadline may be over.
        while let Err(error) = review_due(&app).await {
            tracing::warn!(%error, "can't look for holds that nobody ended");
            sleep(FAILURE_PAUSE).await;
        }
    }
}

/// Reviews until nothing is due.
async fn review_due(app: &App) -> Result<(), Interrupted> {
    let (mut time, mut read_at) = (cluster_time(app).await?, Instant::now());
    loop {
        // What becomes due meanwhile may be more urgent than what is left.
        if read_at.elapsed() >= TIME_IS_TAKEN_FOR {
            (time, read_at) = (cluster_time(app).await?, Instant::now());
        }
        let (reviewed, begun) =
            app.store.review_due(time.newest, app.now(), |history| judge(app, history, time)).await?;
        if begun > 0 {
            app.to_send.notify_one();
        }
        if reviewed == 0 {
            return Ok(());
        }
    }
}

async fn cluster_time(app: &App) -> Result<ClusterTime, ChainError> {
    let chain = app.chain.as_ref();
    let (newest, last_final) = tokio::try_join!(facts::cluster_time(chain), facts::final_time(chain))?;
    Ok(ClusterTime { newest, last_final })
}

/// What a payment's review at this `time` comes to.
fn judge(app: &App, history: &History, time: ClusterTime) -> Reviewed {
    let now = time.newest;
    let action = match review(history, time, &app.rules.policy) {
        Review::Done => return Reviewed { next_at: None, begun: None },
        Review::Again(at) => return Reviewed { next_at: Some(at), begun: None },
        Review::Act(action) => action,
    };
    let (payment, kind) = (Hex32(history.payment.id), action.kind());
    let begun = match lifecycle::decide(&action, history, now) {
        Ok(Decision::Begin(begin)) => {
            tracing::info!(%payment, kind, "ending what nobody ended");
            let commitment = app.policy().required(history, &action, None, now);
            Some(Begun { action, commitment, begin })
        }
        Ok(Decision::Before(_) | Decision::Later { .. }) => None,
        Err(rejection) => {
            tracing::warn!(%payment, kind, reason = rejection.message, "can't be ended now");
            None
        }
    };
    Reviewed { next_at: Some(now.saturating_add(AGAIN_SECONDS)), begun }
}
