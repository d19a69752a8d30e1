use std::{
    collections::BTreeMap,
    io::Write,
    time::{Duration, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use serde_json::json;
use x402_escrow_agent::{
    AgentClient, FetchError, Fetched, Request,
    stream::{Stream, StreamsFile},
};
use x402_escrow_wire::text::Hex32;

use super::{object, outcome};
use crate::amount;

/// How to say what came of it.
pub(super) struct Output {
    pub(super) json: bool,
    pub(super) decimals: u8,
    /// The open holds.
    pub(super) file: StreamsFile,
}

/// Sends the request `count` times, one after the other, paid out of one hold.
pub(super) async fn run(agent: &AgentClient, request: &Request, count: u64, output: &Output) -> Result<()> {
    let mut served_of = BTreeMap::new();
    for number in 1..=count {
        let answered = send(agent, request, number < count, output).await;
        let used = answered.with_context(|| format!("request {number} of {count}"));
        if used.is_err() {
            output.tell(&served_of)?;
        }
        if let Some(payment_id) = used? {
            *served_of.entry(payment_id).or_insert(0) += 1;
        }
    }
    output.tell(&served_of)
}

/// Returns the payment whose hold the request was served out of; a server may also ask for nothing.
async fn send(
    agent: &AgentClient,
    request: &Request,
    more_follow: bool,
    output: &Output,
) -> Result<Option<Hex32>> {
    let fetched = agent.fetch(request).await.map_err(|error| {
        let advice = match error {
            FetchError::NotStreamed { .. } => {
                "leave --stream out to pay for each request by itself, or raise --max-amount"
            }
            FetchError::NoDraft { .. } => {
                "nothing was signed; --stream must be at least what the server wants to hold"
            }
            FetchError::NoAnswerAfterPayment { .. } => {
                "the same command goes on with the hold: a voucher that bought nothing is used again"
            }
            _ => return error.into(),
        };
        anyhow::Error::new(error).context(advice)
    })?;
    output.print(&fetched, more_follow)?;
    outcome(&fetched)?;
    Ok(fetched.payment.map(|receipt| receipt.payment_id))
}

impl Output {
    fn print(&self, fetched: &Fetched, more_follow: bool) -> Result<()> {
        let mut output = std::io::stdout().lock();
        if self.json {
            let mut object = object(fetched);
            if let Some(receipt) = &fetched.payment
                && let Some(stream) = self.open(receipt.payment_id)?
            {
                object["payment"]["stream"] = json!({
                    "hold": stream.hold,
                    "signed": stream.signed,
                    "captureDeadline": stream.capture_deadline,
                });
            }
            return writeln!(output, "{object}").context("writing the output");
        }
        output.write_all(&fetched.body).context("writing the output")?;
        if more_follow && !fetched.body.ends_with(b"\n") {
            output.write_all(b"\n").context("writing the output")?;
        }
        Ok(())
    }

    /// Tells people what was served out of which hold, and what becomes of the rest.
    fn tell(&self, served_of: &BTreeMap<Hex32, u64>) -> Result<()> {
        if self.json {
            return Ok(());
        }
        for (payment_id, served) in served_of {
            let Some(stream) = self.open(*payment_id)? else {
                eprintln!("{served} served out of payment {payment_id}, which is used up");
                continue;
            };
            let deadline = Duration::from_secs(stream.capture_deadline.try_into().unwrap_or_default());
            let deadline = UNIX_EPOCH + deadline;
            let tokens = |base_units| amount::format(base_units, self.decimals);
            eprintln!(
                "{served} served out of payment {payment_id}: signed for {} of {} held for {}; the rest goes back once \
                 the server captures, at the latest after {}",
                tokens(stream.signed.0),
                tokens(stream.hold.0),
                stream.pay_to,
                humantime::format_rfc3339_seconds(deadline),
            );
        }
        Ok(())
    }

    fn open(&self, payment_id: Hex32) -> Result<Option<Stream>> {
        let open = self.file.read()?;
        Ok(open.into_iter().find(|stream| stream.payment_id == payment_id))
    }
}
