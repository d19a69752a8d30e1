//! Who uses the verifier: payers, merchants and strangers, honest or hostile.

mod charge;
mod hostile;
mod purchase;
mod refund;
mod relayer;
mod rogue;
mod shop;
mod sign;
mod stream;
mod transfer;

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tokio::time::sleep;
use x402_escrow_interface::Address;

use crate::{
    clock::Time,
    cluster::Cluster,
    ledger::Ledger,
    patience::{GRACE, RETRY, SETTLE_TIMEOUT},
    server::{Reply, Server},
    setup::Wallet,
};

pub use charge::charge;
pub use hostile::{double_spend, garbage, revoke, withdraw};
pub use purchase::{eager, hold, hold_and_leave};
pub use refund::refund_twice;
pub use relayer::{free_what_was_relayed, relay};
pub use rogue::rogue;
pub use shop::{Shop, shopping};
pub use stream::{stream, stream_and_leave};
pub use transfer::{transfer, transfer_twice};

/// What everybody has.
#[derive(Clone)]
pub struct World {
    /// The verifier.
    pub server: Arc<Server>,
    /// The cluster.
    pub cluster: Arc<Cluster>,
    /// What was signed and promised.
    pub ledger: Arc<Ledger>,
    /// The time.
    pub time: Time,
    /// The token.
    pub mint: Address,
    /// The payers' sessions.
    pub wallets: Arc<Vec<Wallet>>,
    /// The merchants' names.
    pub merchants: Arc<Vec<String>>,
    /// Whether a node lies.
    pub has_liars: bool,
}

/// What a caller makes of a reply.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Done, or as good as done.
    Yes(Value),
    /// Never: the code, and why.
    No(String, String),
    /// The hold is not final enough yet.
    NotFinal,
    /// To be asked again.
    Again,
}

impl World {
    /// The dice of one person.
    pub fn dice(seed: u64, person: u64) -> ChaCha8Rng {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        dice.set_stream(person + 1);
        dice
    }

    /// Asks once, and notes what no verifier may answer.
    pub async fn settle(&self, path: &str, body: &Value, what: &str) -> Verdict {
        let started = self.time.elapsed();
        let reply = self.server.post(path, body).await;
        let took = self.time.elapsed() - started;
        if took > SETTLE_TIMEOUT + GRACE {
            self.ledger.fault(format!("{what}: {path} was answered after {took:?}"));
        }
        let (status, answer) = match reply {
            Reply::Lost => {
                self.ledger.count("answers lost");
                return Verdict::Again;
            }
            Reply::Answer(status, answer) => (status, answer),
        };
        match status {
            StatusCode::OK if answer["success"] == true => {
                self.ledger.count("yes");
                Verdict::Yes(answer)
            }
            StatusCode::OK => {
                let text = |field: &str| answer[field].as_str().unwrap_or_default().to_owned();
                let (code, message) = (text("errorReason"), text("errorMessage"));
                if code == "settlement_pending" {
                    self.ledger.count("pending");
                    return Verdict::Again;
                }
                // No verdict: the message says to try again.
                if code == "unexpected_settle_error" {
                    self.ledger.count("asked to retry");
                    return Verdict::Again;
                }
                // Said of a hold that is not confirmed yet; one that was answered yes is, and stays so.
                if code.ends_with("voucher_hold_not_final") {
                    self.ledger.count("told that a hold is not final");
                    return Verdict::NotFinal;
                }
                // A node that lags doesn't know the hold yet. The code says no, the message to wait.
                if message.contains("it is stored, and tried again") {
                    self.ledger.count("told no for what is tried again");
                    return Verdict::Again;
                }
                self.ledger.count("no");
                Verdict::No(code, message)
            }
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                self.ledger.count("asked to retry");
                Verdict::Again
            }
            _ => {
                self.ledger.fault(format!("{what}: {path} was answered {status} {answer}"));
                Verdict::Again
            }
        }
    }

    /// Asks until there is a verdict, at most until `until` (unix seconds).
    pub async fn settle_until(&self, body: &Value, until: i64, what: &str) -> Option<Verdict> {
        loop {
            match self.settle("/settle", body, what).await {
                Verdict::Again | Verdict::NotFinal if self.time.now() >= until => return None,
                Verdict::Again => sleep(RETRY).await,
                Verdict::NotFinal => {
                    self.ledger.fault(format!("{what}: a hold that was answered yes is not final any more"));
                    sleep(RETRY).await;
                }
                verdict => return Some(verdict),
            }
        }
    }

    /// The same of an honest caller: it must not be refused.
    pub async fn honest(&self, body: &Value, until: i64, what: &str) -> Option<Value> {
        match self.settle_until(body, until, what).await? {
            Verdict::Yes(answer) => Some(answer),
            Verdict::No(code, message) => {
                self.ledger.fault(format!("{what}: an honest caller was refused: {code}: {message}"));
                None
            }
            Verdict::Again | Verdict::NotFinal => None,
        }
    }

    /// Waits until `at`, unix seconds.
    pub async fn until(&self, at: i64) {
        let seconds = u64::try_from(at - self.time.now()).unwrap_or(0);
        sleep(Duration::from_secs(seconds)).await;
    }
}
