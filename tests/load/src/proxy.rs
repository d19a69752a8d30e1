//! Asks several verifiers over one database as a proxy does that checks their health: one that is silent
//! is left out for a while, and another is asked the same.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hyper::body::Bytes;
use serde::Deserialize;
use tokio::time::{sleep, timeout};
use x402_escrow_wire::purchase::verdict;

use crate::connection::{Connection, is_yes};

/// How long a verifier may be silent before its health is asked.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long that may take. Any answer will do: requests also wait where no verifier leads.
const HEALTH_PATIENCE: Duration = Duration::from_secs(2);
/// How long a verifier that does not answer that either is left out.
const LEFT_OUT: Duration = Duration::from_secs(10);
/// Before a request is sent again.
const PAUSE: Duration = Duration::from_millis(100);
/// Until when there must be a yes: longer than any number of freezes holds it up.
const DECIDED_WITHIN: Duration = Duration::from_secs(180);

/// The connections of one caller.
pub(crate) struct Proxy<'a> {
    verifiers: Vec<Behind<'a>>,
}

/// A verifier.
struct Behind<'a> {
    address: &'a str,
    connection: Option<Connection>,
    left_out_until: Option<Instant>,
}

impl<'a> Proxy<'a> {
    pub(crate) fn of(addresses: &'a [String]) -> Self {
        let behind = |address: &'a String| Behind { address, connection: None, left_out_until: None };
        Self { verifiers: addresses.iter().map(behind).collect() }
    }

    /// Sends a request until it is answered yes, first to the verifier with this number, counted round and round. Returns
    /// the place of the one that said yes.
    pub(crate) async fn ask_until_yes(&mut self, first: usize, body: String) -> Result<usize> {
        let (body, asked) = (Bytes::from(body), Instant::now());
        let mut place = first % self.verifiers.len();
        loop {
            place = self.next(place);
            let verifier = &mut self.verifiers[place];
            match timeout(PATIENCE, verifier.ask(body.clone())).await {
                Ok(Ok(answer)) if is_yes(&answer) => return Ok(place),
                Ok(Ok(answer)) => {
                    let text = String::from_utf8_lossy(&answer);
                    ensure!(is_undecided(&answer), "a right request was refused: {text}");
                }
                Ok(Err(_)) | Err(_) => {
                    if !is_there(verifier.address).await {
                        verifier.left_out_until = Some(Instant::now() + LEFT_OUT);
                        place += 1;
                    }
                }
            }
            ensure!(asked.elapsed() < DECIDED_WITHIN, "no yes after {DECIDED_WITHIN:?}");
            sleep(PAUSE).await;
        }
    }

    /// The next verifier that isn't left out, or just the next if all are.
    fn next(&self, from: usize) -> usize {
        let (count, now) = (self.verifiers.len(), Instant::now());
        let is_in = |place: &usize| self.verifiers[*place].left_out_until.is_none_or(|until| until <= now);
        (from..from + count).map(|place| place % count).find(is_in).unwrap_or(from % count)
    }
}

impl Behind<'_> {
    async fn ask(&mut self, body: Bytes) -> Result<Bytes> {
        // One that did not answer is not used again.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.address).await?,
        };
        let answer = connection.post("/settle", body).await?;
        self.connection = Some(connection);
        Ok(answer)
    }
}

/// Whether the verifier at this address answers anything.
async fn is_there(address: &str) -> bool {
    let asked = async { Connection::open(address).await?.get("/health").await };
    timeout(HEALTH_PATIENCE, asked).await.is_ok_and(|answer| answer.is_ok())
}

/// Whether the request is to be sent again.
fn is_undecided(answer: &[u8]) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Refusal {
        error_reason: String,
    }
    serde_json::from_slice(answer)
        .is_ok_and(|Refusal { error_reason }: Refusal| verdict::is_undecided(&error_reason))
}
