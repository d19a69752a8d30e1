//! An agent that streams from a merchant with the client of this project, and never gives up asking.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::runtime::Builder;
use x402_escrow_agent::{AgentClient, FetchError, Limits, Outcome, Request, SessionFile, StateFiles};
use x402_escrow_wire::text::Hex32;

use super::streamer::Streamed;
use x402_escrow_tests::local::parties::COME_AGAIN;

/// What /ticks asks for, in base units.
pub(super) const PRICE: u64 = 1_000;
const HOLD: u64 = 250_000;

/// Buys again and again, and returns all holds by payment.
pub(super) fn shop_until(closing: &AtomicBool, session_file: &Path, url: &str) -> Vec<Streamed> {
    let files = StateFiles::beside(session_file);
    let file = files.streams.clone();
    let limits = Limits { maximum_amount: PRICE, spending_limit: None, maximum_locked: None };
    let session = SessionFile::read(session_file).unwrap();
    let agent = AgentClient::new(session, limits, files).unwrap().streaming(HOLD);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let mut streams = BTreeMap::new();
    while !closing.load(Ordering::Relaxed) {
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

/// The payment that was served, if one was; nothing may be refused but that it should be asked again.
async fn buy(agent: &AgentClient, url: &str) -> Option<Hex32> {
    match agent.fetch(&Request::get(url)).await {
        Ok(Outcome::Served(fetched)) => return Some(fetched.payment.unwrap().payment_id),
        Ok(Outcome::Unknown { .. }) => {}
        Ok(refused @ Outcome::Refused { .. }) => {
            let is_away = refused.response().is_some_and(|response| response.status == 503);
            let come_again = is_away || refused.reason().is_some_and(|reason| COME_AGAIN.contains(&reason));
            assert!(come_again, "{refused:?}");
        }
        Err(FetchError::Unreachable { .. } | FetchError::NoDraft { .. }) => {}
        Err(error) => panic!("failed for another reason than a dead process: {error}"),
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    None
}
