//! What the agent buys, and what became of it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use x402_escrow_interface::Address;
use x402_escrow_sandbox::{Agent, Local, Merchant, Verifier};
use x402_escrow_wire::text::{Decimal, Key};

use crate::finality::Finality;

/// Something to buy.
pub(crate) struct Wanted<'a> {
    pub(crate) merchant: &'a Merchant,
    pub(crate) path: &'static str,
    pub(crate) body: Option<&'static str>,
}

impl Wanted<'_> {
    pub(crate) fn label(&self) -> String {
        format!("{}{}", self.merchant.name, self.path)
    }
}

/// Ten different resources of two merchants.
pub(crate) fn ten(merchants: &[Merchant; 2]) -> Vec<Wanted<'_>> {
    const RESOURCES: [(usize, &str, Option<&str>); 10] = [
        (0, "/weather?city=Oslo", None),
        (1, "/weather?city=Lagos", None),
        (0, "/quote?symbol=SOL", None),
        (1, "/quote?symbol=BTC", None),
        (0, "/translate", Some(r#"{"text":"good morning"}"#)),
        (1, "/translate", Some(r#"{"text":"good night"}"#)),
        (0, "/report?topic=wheat", None),
        (1, "/report?topic=copper", None),
        // Metered: the merchant captures a part of what it held and lets the rest go.
        (0, "/metered?units=3", None),
        (1, "/metered?units=7", None),
    ];
    RESOURCES.map(|(index, path, body)| Wanted { merchant: &merchants[index], path, body }).into()
}

/// A payment that was made.
pub(crate) struct Purchase {
    pub(crate) label: String,
    pub(crate) payment_id: String,
    pub(crate) receiver: Address,
    /// Request, payment and response, as the agent sees it.
    pub(crate) duration: Duration,
    /// What was signed for: held, or charged at once. Base units, as what follows.
    pub(crate) signed: u64,
    pub(crate) captured: u64,
    pub(crate) released: u64,
    pub(crate) refunded: u64,
    /// What the verifier knows of each transaction, once all are final.
    pub(crate) transactions: Vec<Transaction>,
}

/// A transaction as the verifier reports it.
pub(crate) struct Transaction {
    pub(crate) kind: String,
    pub(crate) signature: String,
    pub(crate) slot: u64,
    pub(crate) status: String,
}

impl Purchase {
    /// Has the agent buy it. Fails unless the merchant served and says that the payment settled.
    pub(crate) fn make(agent: &Agent, finality: &Finality, wanted: &Wanted<'_>) -> Result<Self> {
        let url = format!("{}{}", wanted.merchant.url, wanted.path);
        let mut arguments = vec!["fetch", &url, "--max-amount", "1"];
        if let Some(body) = wanted.body {
            arguments.extend(["--header", "content-type: application/json", "--data", body]);
        }
        let started = Instant::now();
        let fetched = agent.run(&arguments).with_context(|| wanted.label())?;
        let duration = started.elapsed();
        let payment = &fetched["payment"];
        ensure!(payment["settlement"]["success"] == true, "{} was served unpaid: {payment}", wanted.label());
        let payment_id = text(payment, "paymentId")?;
        match payment["settlement"]["extra"]["state"] == "paid" {
            true => finality.answered("charge", "charge", &payment_id),
            false => finality.answered("capture of a hold", "capture", &payment_id),
        }
        let receiver = text(payment, "payTo")?.parse::<Key>().map_err(anyhow::Error::msg)?;
        Ok(Self { duration, ..Self::since(started, wanted.label(), payment_id, receiver.into()) })
    }

    /// What began at `started` and was served now; what it came to is not known yet. A stream is many requests on one
    /// hold, of which the first was made at `started`.
    pub(crate) fn since(started: Instant, label: String, payment_id: String, receiver: Address) -> Self {
        Self {
            label,
            payment_id,
            receiver,
            duration: started.elapsed(),
            signed: 0,
            captured: 0,
            released: 0,
            refunded: 0,
            transactions: Vec::new(),
        }
    }

    /// What the merchant earned, in base units.
    pub(crate) fn earned(&self) -> u64 {
        self.captured - self.refunded
    }

    /// Waits until the verifier reports every transaction of the payment as final, and takes its figures.
    pub(crate) fn wait_until_final(
        &mut self,
        local: &Local,
        verifier: &Verifier,
        timeout: Duration,
    ) -> Result<()> {
        let is_final = |report: &Value| {
            let transactions = report["transactions"].as_array();
            transactions
                .is_some_and(|all| !all.is_empty() && all.iter().all(|one| one["status"] == "finalized"))
                && (report["state"] == "ended" || report["state"] == "paid")
        };
        local.chain.wait_until(&format!("{} to become final", self.label), timeout, || {
            Ok(is_final(&verifier.payment(&self.payment_id)?))
        })?;
        let report = verifier.payment(&self.payment_id)?;
        self.signed = base_units(&report, "amount")?;
        self.captured = base_units(&report, "captured")?;
        self.released = base_units(&report, "released")?;
        self.refunded = base_units(&report, "refunded")?;
        let transactions = report["transactions"].as_array().into_iter().flatten();
        self.transactions = transactions.map(Transaction::read).collect::<Result<_>>()?;
        Ok(())
    }
}

impl Transaction {
    fn read(report: &Value) -> Result<Self> {
        Ok(Self {
            kind: text(report, "kind")?,
            signature: text(report, "signature")?,
            slot: report["slot"].as_u64().context("a final transaction without a slot")?,
            status: text(report, "status")?,
        })
    }
}

/// A purchase that the session did not allow.
pub(crate) struct Refusal {
    pub(crate) label: String,
    pub(crate) reason: String,
}

impl Refusal {
    /// Has the agent try; fails if it succeeds, or is refused for another reason than the one that says `expected`.
    pub(crate) fn provoke(agent: &Agent, merchant: &Merchant, path: &str, expected: &str) -> Result<Self> {
        let label = format!("{}{path}", merchant.name);
        let url = format!("{}{path}", merchant.url);
        let Err(error) = agent.run(&["fetch", &url, "--max-amount", "1"]) else {
            bail!("{label} was sold to a session that must not buy it");
        };
        let reason = format!("{error:#}");
        ensure!(reason.contains(expected), "{label} was refused for another reason: {reason}");
        Ok(Self { label, reason })
    }
}

fn text(object: &Value, name: &str) -> Result<String> {
    Ok(object[name].as_str().with_context(|| format!("{name} is missing in {object}"))?.to_owned())
}

fn base_units(object: &Value, name: &str) -> Result<u64> {
    Ok(text(object, name)?.parse::<Decimal>().map_err(anyhow::Error::msg)?.0)
}
