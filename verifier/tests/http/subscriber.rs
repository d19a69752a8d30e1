//! The one subscriber of this process, for all tests that listen.

mod lines;
mod statements;

use std::sync::Once;

use tracing_subscriber::layer::SubscriberExt;

pub(crate) use lines::logged;
pub(crate) use statements::Statement;

/// Listens to what this thread logs, at every level.
pub(crate) fn listen() {
    install();
    lines::begin();
}

/// The statements that `work` has the database run, without those of tasks that it starts and of new connections.
pub(crate) async fn statements_of<T>(work: impl Future<Output = T>) -> Vec<Statement> {
    install();
    statements::run_by(work).await
}

fn install() {
    static ONCE: Once = Once::new();
    // One for all threads: which lines are wanted is cached for the whole process.
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(lines::layer()).with(statements::layer());
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}
