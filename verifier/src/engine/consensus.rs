//! Keeps knowing which consensus the cluster runs and which transactions it takes: a cluster migrates, a node starts again
//! with another version, and its address leads to another node.

use std::{convert::Infallible, sync::Arc, time::Duration};

use tokio::time::sleep;

use super::app::App;

/// How often to ask although no node changed: another behind the same address doesn't show.
const INTERVAL: Duration = Duration::from_secs(30);

/// How long not to ask again: nodes that come and go can't make the verifier ask more often.
const REST: Duration = Duration::from_secs(1);

/// Asks now, whenever a node comes back, goes or connects, and again and again.
pub async fn run(app: Arc<App>) -> Infallible {
    loop {
        app.cluster.ask(app.chain.as_ref()).await;
        sleep(REST).await;
        tokio::select! {
            biased;
            () = app.chain.changed() => {}
            () = app.blocks.connected.notified() => {}
            () = sleep(INTERVAL) => {}
        }
    }
}
