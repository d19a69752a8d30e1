//! Obeys the operator's switch: while it is off, nothing new is accepted, and all that was accepted goes on.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::sleep;

use crate::engine::{app::App, not_accepted::NotAccepted};

/// How often to look at the switch.
const INTERVAL: Duration = Duration::from_secs(1);

/// Refuses while nothing new is accepted.
///
/// # Errors
/// If so.
pub fn check(app: &App) -> Result<(), NotAccepted> {
    if app.is_paused.load(Ordering::Relaxed) { Err(NotAccepted::Paused) } else { Ok(()) }
}

/// Looks at the switch again and again, for ever.
pub async fn run(app: Arc<App>) -> Infallible {
    loop {
        match app.store.is_paused().await {
            Ok(is_paused) => {
                if app.is_paused.swap(is_paused, Ordering::Relaxed) != is_paused {
                    tracing::warn!(is_paused, "the operator's switch was moved");
                }
            }
            // What it was last still holds.
            Err(error) => tracing::warn!(%error, "can't look whether to accept anything"),
        }
        sleep(INTERVAL).await;
    }
}
