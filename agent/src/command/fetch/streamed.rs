use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::json;
use x402_escrow_agent::{
    AgentClient, FetchError, Outcome, Request,
    stream::{Stream, StreamsFile},
};
use x402_escrow_wire::{amount, text::Hex32};

use super::{answer::Answer, problem::streamed_problem};
use crate::{
    command::terminal::{self, time, write_body},
    problem::Exit,
};

/// How to say what came of it.
pub(super) struct Output {
    pub(super) json: bool,
    pub(super) decimals: u8,
    /// The open holds.
    pub(super) file: StreamsFile,
}

/// Sends the request `count` times, one after the other, paid out of one hold. Ends at the first that is not served, or
/// whose answer is cut off.
pub(super) async fn run(agent: &AgentClient, request: &Request, count: u64, output: &Output) -> Result<Exit> {
    let mut served_of = BTreeMap::new();
    for number in 1..=count {
        let sent = send(agent, request, output.decimals)
            .await
            .with_context(|| format!("request {number} of {count}"));
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) => {
                output.tell(&served_of)?;
                return Err(error);
            }
        };
        output.print(&answer, number < count)?;
        if !matches!(answer.outcome, Outcome::Served(_)) {
            output.tell(&served_of)?;
            eprintln!("request {number} of {count} was not served");
            answer.complain();
            return Ok(answer.exit());
        }
        if let Some(receipt) = answer.outcome.payment() {
            *served_of.entry(receipt.payment_id).or_insert(0) += 1;
        }
        if answer.exit() != Exit::Done {
            output.tell(&served_of)?;
            answer.complain();
            return Ok(answer.exit());
        }
    }
    output.tell(&served_of)?;
    Ok(Exit::Done)
}

async fn send(agent: &AgentClient, request: &Request, decimals: u8) -> Result<Answer> {
    let outcome = agent.fetch(request).await.map_err(|error| {
        let advice = match error {
            FetchError::NotStreamed { .. } | FetchError::NoOffer { .. } => {
                "leave --stream out to pay for each request by itself, or raise --max-amount"
            }
            _ => return streamed_problem(error, decimals),
        };
        streamed_problem(error, decimals).context(advice)
    })?;
    Ok(Answer::new(outcome))
}

impl Output {
    fn print(&self, answer: &Answer, more_follow: bool) -> Result<()> {
        if self.json {
            let mut object = answer.object();
            if let Some(receipt) = answer.outcome.payment()
                && let Some(stream) = self.open(receipt.payment_id)?
            {
                object["payment"]["stream"] = json!({
                    "hold": stream.hold,
                    "signed": stream.signed,
                    "captureDeadline": stream.capture_deadline,
                });
            }
            println!("{}", terminal::json(&object));
            return Ok(());
        }
        let Some(response) = answer.outcome.response() else { return Ok(()) };
        write_body(&response.body, more_follow).context("writing the output")
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
            let tokens = |base_units| amount::format(base_units, self.decimals);
            eprintln!(
                "{served} served out of payment {payment_id}: signed for {} of {} held for {}; the rest goes back once \
                 the server captures, at the latest after {}",
                tokens(stream.signed.0),
                tokens(stream.hold.0),
                stream.pay_to,
                time(stream.capture_deadline),
            );
        }
        Ok(())
    }

    fn open(&self, payment_id: Hex32) -> Result<Option<Stream>> {
        let open = self.file.read()?;
        Ok(open.into_iter().find(|stream| stream.payment_id == payment_id))
    }
}
