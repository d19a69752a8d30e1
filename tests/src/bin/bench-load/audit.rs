//! Whether every payment that was answered yes is on chain once, as it was answered, and the books say the same.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, ensure};
use x402_escrow_interface::Address;
use x402_escrow_load::spreading::Settled;
use x402_escrow_tests::local::{Local, Verifier};

use crate::market::{AMOUNT, DEPOSIT, Market};

/// Captures that were answered before they were sent go together, and wait for that.
const CAPTURED_WITHIN: Duration = Duration::from_secs(120);

/// All payments that were answered yes so far.
#[derive(Default)]
pub(crate) struct Audit {
    ids: BTreeSet<String>,
    captured: u64,
}

impl Audit {
    /// Looks at these payments, and at all tokens.
    pub(crate) fn look(&mut self, local: &Local, market: &Market, settled: Vec<Settled>) -> Result<()> {
        for one in &settled {
            ensure!(
                self.ids.insert(one.payment_id.to_string()),
                "audit: {} was answered as two payments",
                one.payment_id
            );
            self.captured += u64::from(one.is_captured);
        }
        let held = self.ids.len() as u64 - self.captured;
        let is_over = || Ok(market.open_holds(local)? == held);
        let what = format!("audit: {held} payments to be held, and {} to be captured", self.captured);
        let waited = local.chain.wait_until(&what, CAPTURED_WITHIN, is_over);
        waited.with_context(|| match market.open_holds(local) {
            Ok(open) => format!("audit: {open} payments are held"),
            Err(error) => format!("audit: {error}"),
        })?;
        let addresses: Vec<_> = settled.iter().map(|one| Address::from(one.hold)).collect();
        for (one, hold) in settled.iter().zip(local.chain.holds(&addresses)?) {
            let id = one.payment_id;
            match hold {
                None => ensure!(one.is_captured, "audit: {id} was answered yes, and nothing is held"),
                Some(hold) => {
                    ensure!(!one.is_captured, "audit: {id} was captured, and its hold is still there");
                    let found = (hold.intent_digest, hold.amount, hold.captured);
                    ensure!(found == (id.0, AMOUNT, 0), "audit: the hold of {id} is another's: {hold:?}");
                }
            }
        }
        self.count_tokens(local, market)
    }

    /// The merchant has what was captured, once, and the vaults have the rest.
    fn count_tokens(&self, local: &Local, market: &Market) -> Result<()> {
        let tokens = |owner: Address| local.chain.tokens(&owner, &local.mint);
        let earned = tokens(market.accepted.pay_to.into())?;
        let due = AMOUNT * self.captured;
        ensure!(earned == due, "audit: the merchant has {earned}, and {due} was captured (in base units)");
        let vaults =
            market.payers.iter().try_fold(0, |sum, payer| anyhow::Ok(sum + tokens(payer.escrow.into())?))?;
        let left = DEPOSIT * market.payers.len() as u64 - due;
        ensure!(vaults == left, "audit: the vaults have {vaults} instead of {left} (in base units)");
        eprintln!(
            "  audit: {} payments so far, {} of them captured: each is on chain once",
            self.ids.len(),
            self.captured
        );
        Ok(())
    }

    /// Looks whether the books say the same as final blocks, and know of no other payments; and whether final blocks have
    /// each payment once.
    pub(crate) fn compare_books(&self, local: &Local, market: &Market, verifier: &Verifier) -> Result<()> {
        local.chain.wait_until_final()?;
        self.count_tokens(local, market)?;
        let is_final = || Ok(verifier.reconcile()?["underWay"] == 0);
        local.chain.wait_until("audit: the books to be final", CAPTURED_WITHIN, is_final)?;
        let holds = verifier.reconcile()?["holds"].as_u64().context("how many holds were compared")?;
        ensure!(
            holds == self.ids.len() as u64,
            "audit: the books have {holds} payments, and {} were answered yes",
            self.ids.len()
        );
        eprintln!("  audit: the books say the same of all {holds} payments");
        Ok(())
    }
}
