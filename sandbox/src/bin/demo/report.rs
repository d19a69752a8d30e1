//! Prints what happened, for people or for machines.

use std::{
    io::{self, Write},
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::json;
use x402_escrow_sandbox::ONE_TOKEN;

use crate::{
    balances::Balances,
    finality::{Measured, PUBLISHED, Published},
    purchases::{Purchase, Refusal},
    streaming::Streaming,
};

/// All that happened.
pub(crate) struct Report<'a> {
    pub(crate) purchases: &'a [Purchase],
    pub(crate) streaming: &'a Streaming,
    pub(crate) measured: &'a Measured,
    pub(crate) refusals: &'a [Refusal],
    pub(crate) before: &'a Balances,
    pub(crate) after: &'a Balances,
    pub(crate) elapsed: Duration,
}

impl Report<'_> {
    pub(crate) fn print(&self, json: bool) -> Result<()> {
        let mut output = io::stdout().lock();
        let written = if json { writeln!(output, "{}", object(self)) } else { tables(&mut output, self) };
        written.context("writing the report")
    }
}

fn tables(output: &mut impl Write, report: &Report<'_>) -> io::Result<()> {
    let Report { purchases, streaming, measured, refusals, before, after, elapsed } = *report;
    writeln!(
        output,
        "\n{:<26}{:>9}{:>9}{:>9}{:>9}{:>10}  to",
        "bought", "signed", "paid", "back", "refunded", "served"
    )?;
    for purchase in purchases {
        writeln!(
            output,
            "{:<26}{:>9}{:>9}{:>9}{:>9}{:>10}  {}",
            purchase.label,
            tokens(purchase.signed),
            tokens(purchase.captured),
            tokens(purchase.released),
            tokens(purchase.refunded),
            seconds(purchase.duration),
            purchase.receiver,
        )?;
    }
    writeln!(output, "\n{:<26}{:<11}{:>7}  {:<11}signature", "transactions", "", "slot", "status")?;
    for purchase in purchases {
        for transaction in &purchase.transactions {
            let (kind, slot, status) = (&transaction.kind, transaction.slot, &transaction.status);
            writeln!(
                output,
                "{:<26}{kind:<11}{slot:>7}  {status:<11}{}",
                purchase.label, transaction.signature
            )?;
        }
    }
    times(output, measured)?;
    writeln!(
        output,
        "\nstreamed: {} requests on one hold, {:.0} a second, {:.0} lamports of fees for each",
        streaming.requests,
        streaming.requests_per_second(),
        streaming.lamports_per_request(),
    )?;
    writeln!(output)?;
    for refusal in refusals {
        writeln!(output, "refused: {}: {}", refusal.label, refusal.reason)?;
    }
    writeln!(output, "\n{:<26}{:>14}{:>14}{:>14}", "tokens", "before", "after", "difference")?;
    for (place, before, after) in places(before, after) {
        let difference = i128::from(after) - i128::from(before);
        let sign = if difference < 0 { "-" } else { "+" };
        let difference = u64::try_from(difference.unsigned_abs()).unwrap_or(u64::MAX);
        let (before, after) = (tokens(before), tokens(after));
        writeln!(
            output,
            "{place:<26}{before:>14}{after:>14}{:>14}",
            format!("{sign}{}", tokens(difference))
        )?;
    }
    writeln!(output, "\ndone in {}", seconds(elapsed))
}

/// How long it took until what was answered was final, beside what is published.
fn times(output: &mut impl Write, measured: &Measured) -> io::Result<()> {
    writeln!(
        output,
        "\n{:<26}{:>9}{:>10}{:>10}{:>10}",
        "from answer to final", "times", "least", "median", "most"
    )?;
    for (name, took) in &measured.steps {
        let [least, median, most] =
            [0, took.len() / 2, took.len() - 1].map(|place| format!("{:.2} s", took[place].as_secs_f64()));
        writeln!(output, "{name:<26}{:>9}{least:>10}{median:>10}{most:>10}", took.len())?;
    }
    let (slot, consensus) = (measured.slot.as_secs_f64(), &measured.consensus);
    writeln!(
        output,
        "measured on this cluster: a slot took {slot:.2} s; its node says of its consensus: {consensus}"
    )?;
    writeln!(output, "published for mainnet, and not measured here:")?;
    for Published { what, seconds, source } in PUBLISHED {
        writeln!(output, "  {what:<24}{:>9}  {source}", format!("{seconds} s"))?;
    }
    Ok(())
}

fn object(report: &Report<'_>) -> serde_json::Value {
    let Report { purchases, streaming, measured, refusals, before, after, elapsed } = *report;
    let purchases: Vec<_> = purchases
        .iter()
        .map(|purchase| {
            let transactions: Vec<_> = purchase
                .transactions
                .iter()
                .map(|one| json!({"kind": one.kind, "signature": one.signature, "slot": one.slot, "status": one.status}))
                .collect();
            json!({
                "resource": purchase.label,
                "paymentId": purchase.payment_id,
                "receiver": purchase.receiver.to_string(),
                "signed": purchase.signed.to_string(),
                "captured": purchase.captured.to_string(),
                "released": purchase.released.to_string(),
                "refunded": purchase.refunded.to_string(),
                "servedSeconds": purchase.duration.as_secs_f64(),
                "transactions": transactions,
            })
        })
        .collect();
    let refused: Vec<_> =
        refusals.iter().map(|refusal| json!({"resource": refusal.label, "reason": refusal.reason})).collect();
    let balances: serde_json::Map<_, _> = places(before, after)
        .into_iter()
        .map(|(place, before, after)| {
            (place, json!({"before": before.to_string(), "after": after.to_string()}))
        })
        .collect();
    json!({
        "purchases": purchases,
        "streamed": {
            "requests": streaming.requests,
            "requestsPerSecond": streaming.requests_per_second(),
            "feeLamports": streaming.fees,
        },
        "finality": measured.object(),
        "refused": refused,
        "balances": balances,
        "seconds": elapsed.as_secs_f64(),
    })
}

fn places(before: &Balances, after: &Balances) -> [(String, u64, u64); 5] {
    let [(_, north_before), (_, south_before)] = before.merchants;
    let [(_, north_after), (_, south_after)] = after.merchants;
    [
        ("owner".into(), before.owner, after.owner),
        ("escrow's vault".into(), before.vault, after.vault),
        ("merchant north".into(), north_before, north_after),
        ("merchant south".into(), south_before, south_after),
        ("sum".into(), before.sum(), after.sum()),
    ]
}

fn tokens(base_units: u64) -> String {
    format!("{}.{:06}", base_units / ONE_TOKEN, base_units % ONE_TOKEN)
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
