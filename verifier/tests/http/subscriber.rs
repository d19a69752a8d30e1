//! The one subscriber of this process, for all tests that listen.

use std::sync::Once;

use tracing_subscriber::layer::SubscriberExt;

use crate::{log, statements};

/// Has those heard that listen.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    // One for all threads: which lines are wanted is cached for the whole process.
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(log::layer()).with(statements::layer());
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}
