//! Many requests out of one hold, and a refund of a part of them.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use x402_escrow_agent::{AgentClient, Limits, Outcome, Receipt, Request, SessionFile, StateFiles};
use x402_escrow_sandbox::{Chain, Local, Merchant, Verifier};

use crate::{finality::Finality, purchases::Purchase};

/// How many requests the agent makes.
const REQUESTS: u32 = 200;
/// What each costs, and what is held for them, in base units: as /ticks asks.
const PRICE: u64 = 1_000;
const HOLD: u64 = 250_000;
/// What the merchant refunds in the end: 25 requests, in base units.
pub(crate) const REFUNDED: u64 = 25 * PRICE;

/// What came of the requests.
pub(crate) struct Streaming {
    pub(crate) requests: u32,
    /// For all requests after the one that opened the hold.
    pub(crate) elapsed: Duration,
    /// What holding and capturing cost the verifier, in lamports.
    pub(crate) fees: u64,
}

impl Streaming {
    /// Has an agent, in this process, make all requests one after another.
    pub(crate) fn make(
        session_file: &Path,
        merchant: &Merchant,
        finality: &Finality,
    ) -> Result<(Self, Purchase)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(request_all(session_file, finality, &format!("{}/ticks?symbol=SOL", merchant.url)))
    }

    pub(crate) fn requests_per_second(&self) -> f64 {
        f64::from(self.requests - 1) / self.elapsed.as_secs_f64()
    }

    pub(crate) fn lamports_per_request(&self) -> f64 {
        self.fees as f64 / f64::from(self.requests)
    }

    /// What the streamed payment came to, where that is not what was asked for.
    pub(crate) fn problems(&self, purchases: &[Purchase]) -> Option<String> {
        let paid = u64::from(self.requests) * PRICE;
        let expected = (HOLD, paid, HOLD - paid, REFUNDED);
        let streamed = purchases.last()?;
        let found = (streamed.signed, streamed.captured, streamed.released, streamed.refunded);
        (found != expected).then(|| format!("{}: expected {expected:?}, found {found:?}", streamed.label))
    }

    /// Waits until the merchant has closed the hold, checks that this took two transactions, and asks what they cost.
    pub(crate) fn wait_until_closed(
        &mut self,
        purchase: &Purchase,
        local: &Local,
        verifier: &Verifier,
        timeout: Duration,
    ) -> Result<()> {
        let id = &purchase.payment_id;
        local.chain.wait_until("the hold to be closed", timeout, || verifier.has_ended(id))?;
        let report = verifier.payment(id)?;
        let transactions = report["transactions"].as_array().context("a report without transactions")?;
        ensure!(
            transactions.len() == 2,
            "{} requests took {} transactions",
            self.requests,
            transactions.len()
        );
        let signatures = transactions.iter().filter_map(|one| one["signature"].as_str());
        self.fees = signatures.map(|signature| fee(&local.chain, signature)).sum::<Result<u64>>()?;
        Ok(())
    }
}

fn fee(chain: &Chain, signature: &str) -> Result<u64> {
    chain.fee(&signature.parse().context("a transaction without a signature")?)
}

async fn request_all(session_file: &Path, finality: &Finality, url: &str) -> Result<(Streaming, Purchase)> {
    let limits = Limits { maximum_amount: PRICE, spending_limit: None, maximum_locked: Some(HOLD) };
    let (session, files) = (SessionFile::read(session_file)?, StateFiles::beside(session_file));
    let agent = AgentClient::new(session, limits, files)?.streaming(HOLD);
    let started = Instant::now();
    let first = request_one(&agent, url).await?;
    finality.answered("hold for many requests", "authorize", &first.payment_id.to_string());
    let opened = Instant::now();
    for _ in 1..REQUESTS {
        let receipt = request_one(&agent, url).await?;
        ensure!(receipt.payment_id == first.payment_id, "a second hold was opened");
    }
    let elapsed = opened.elapsed();
    let label = format!("north/ticks, {REQUESTS} times");
    let purchase = Purchase::since(started, label, first.payment_id.to_string(), first.pay_to.into());
    Ok((Streaming { requests: REQUESTS, elapsed, fees: 0 }, purchase))
}

async fn request_one(agent: &AgentClient, url: &str) -> Result<Receipt> {
    match agent.fetch(&Request::get(url)).await? {
        Outcome::Served(fetched) => fetched.payment.context("/ticks was served unpaid"),
        other => bail!("/ticks was not served: {other:?}"),
    }
}
