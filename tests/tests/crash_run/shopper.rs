//! Agents that buy from a merchant with the client of this project, and never give up asking.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use tokio::runtime::{Builder, Runtime};
use x402_escrow_agent::{AgentClient, FetchError, Limits, Outcome, Request, SessionFile, StateFiles};
use x402_escrow_wire::{purchase::buyer::Purchase, text::Hex32};

use super::streamer::{Streamed, pause};
use x402_escrow_tests::local::parties::COME_AGAIN;

/// What /ticks asks for, in base units.
pub(super) const PRICE: u64 = 1_000;
const HOLD: u64 = 250_000;
/// How long it may take until it is known what became of a purchase.
const PATIENCE: Duration = Duration::from_secs(120);
/// What /quote asks for, each time out of a hold of its own.
pub(super) const QUOTE: u64 = 10_000;

fn agent(session_file: &Path, maximum_amount: u64) -> AgentClient {
    let limits = Limits { maximum_amount, spending_limit: None, maximum_locked: None };
    let session = SessionFile::read(session_file).unwrap();
    AgentClient::new(session, limits, StateFiles::beside(session_file)).unwrap()
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Buys again and again out of holds for many requests, and returns all of them by payment.
pub(super) fn stream_until(closing: &AtomicBool, session_file: &Path, url: &str) -> Vec<Streamed> {
    let file = StateFiles::beside(session_file).streams;
    let (agent, runtime) = (agent(session_file, PRICE).streaming(HOLD), runtime());
    let mut streams = BTreeMap::new();
    while !closing.load(Ordering::Relaxed) {
        pause(&mut rand::rng());
        let served = runtime.block_on(buy(&agent, url));
        // The file has a voucher before it leaves, so nothing was sent that is not seen here.
        for open in file.read().unwrap() {
            let id = open.payment_id;
            let streamed = streams.entry(id).or_insert_with(|| Streamed::new(id, HOLD));
            match served {
                Some(served) if served == id => streamed.note_yes(open.signed.0),
                _ if open.signed.0 > streamed.answered => _ = streamed.unanswered.insert(open.signed.0),
                _ => {}
            }
        }
    }
    streams.into_values().collect()
}

/// What an agent was told of its purchases.
#[derive(Debug, Default)]
pub(super) struct Bought {
    /// Those that were served.
    pub(super) served: Vec<Hex32>,
    /// Those that were charged, and whose answer got lost.
    pub(super) charged: Vec<Hex32>,
}

/// Buys one thing after the other, each under a key of its own, until it is known what became of it.
pub(super) fn buy_until(closing: &AtomicBool, session_file: &Path, url: &str) -> Bought {
    let (agent, runtime) = (agent(session_file, QUOTE), runtime());
    let mut bought = Bought::default();
    for number in 0.. {
        if closing.load(Ordering::Relaxed) {
            break;
        }
        pause(&mut rand::rng());
        let request = Request::get(url).keyed(&format!("quote {number}"));
        runtime.block_on(insist(&agent, &request, &mut bought));
    }
    bought
}

async fn insist(agent: &AgentClient, request: &Request, bought: &mut Bought) {
    let key = request.key.as_deref().unwrap();
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if let Some(id) = ask(agent, request).await {
            return bought.served.push(id);
        }
        // An answer that got lost comes no second time: the verifier knows what was paid.
        let Some(found) = agent.lookup(key).await.unwrap() else { continue };
        if found.purchase.is_finished() {
            let id = found.purchase.payment_id().parse().unwrap();
            return match found.purchase.state {
                Purchase::Charged => bought.charged.push(id),
                Purchase::Over => {}
                state => panic!("{key} is {}", state.as_str()),
            };
        }
    }
    panic!("it is not known what became of {key}: {:?}", agent.lookup(key).await);
}

/// The payment that was served, if one was, after a pause if none was.
async fn buy(agent: &AgentClient, url: &str) -> Option<Hex32> {
    ask(agent, &Request::get(url)).await
}

/// Of a voucher that arrived shortly before its hold's deadline: it takes none any more, and the next request opens another.
const TOO_LATE: &str = "invalid_auth_capture_svm_voucher_too_late";

/// The same of any request; nothing may be refused but that it should be asked again.
async fn ask(agent: &AgentClient, request: &Request) -> Option<Hex32> {
    match agent.fetch(request).await {
        Ok(Outcome::Served(fetched)) => return Some(fetched.payment.unwrap().payment_id),
        Ok(Outcome::Unknown { .. }) => {}
        Ok(refused @ Outcome::Refused { .. }) => {
            // The merchant says 503 for its verifier, and the load balancer 502 for the merchant.
            let is_away = refused.response().is_some_and(|response| matches!(response.status, 502 | 503));
            let come_again = is_away
                || refused.reason().is_some_and(|reason| COME_AGAIN.contains(&reason) || reason == TOO_LATE);
            assert!(come_again, "{refused:?}");
        }
        Err(
            FetchError::Unreachable { .. } | FetchError::NoDraft { .. } | FetchError::AlreadyBought { .. },
        ) => {}
        // A validator whose slots take too long falls behind with its time.
        Err(FetchError::Draft(error)) if error.field == "payload.authorizeBy" => {}
        Err(error) => panic!("failed for another reason than a dead process: {error}"),
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    None
}
