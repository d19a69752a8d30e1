//! Waiting for what the verifier does by itself.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// A busy machine may need long for what an idle one does at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until `holds`. Fails with `what` if that never comes.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < PATIENCE, "still waiting after {} s: {what}", PATIENCE.as_secs());
        sleep(Duration::from_millis(10)).await;
    }
}

/// The least time that one of three attempts took: a busy machine can hold up any one of them.
pub(crate) async fn quickest_of_three(mut attempt: impl AsyncFnMut(u64) -> Duration) -> Duration {
    let mut quickest = Duration::MAX;
    for number in 0..3 {
        quickest = quickest.min(attempt(number).await);
    }
    quickest
}
