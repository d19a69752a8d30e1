//! Keeps knowing which consensus the cluster runs: a cluster migrates, and a node's address leads to another node.

use std::{convert::Infallible, sync::Arc, time::Duration};

use super::app::App;

/// How often to ask: at worst so long after a change the levels of before are waited for.
const INTERVAL: Duration = Duration::from_secs(30);

/// Asks now and again and again.
pub async fn run(app: Arc<App>) -> Infallible {
    loop {
        app.ask_consensus().await;
        tokio::time::sleep(INTERVAL).await;
    }
}
