//! This machine's clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// This machine's time, in unix seconds.
pub fn unix_now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}
