mod answer;
mod problem;
mod streamed;

use std::{io::Read, path::PathBuf};

use anyhow::{Context, Result};
use x402_escrow_agent::{AgentClient, Limits, Request, SessionFile, StateFiles};

use crate::{command::tokens, problem::Exit};
use answer::Answer;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// What to fetch
    url: String,
    /// The session file from the owner; FILE.nonces beside it counts nonces for all that use it
    #[arg(long, env = "X402_SESSION", value_name = "FILE")]
    session: PathBuf,
    /// The method [default: GET, or POST with --data]
    #[arg(short = 'X', long, value_name = "METHOD")]
    method: Option<String>,
    /// A header to send, as `name: value`; may be repeated
    #[arg(short = 'H', long, value_name = "HEADER")]
    header: Vec<String>,
    /// The body to send; @FILE for a file's content, @- for standard input
    #[arg(short, long, value_name = "DATA")]
    data: Option<String>,
    /// The most that this request may cost, in tokens (0.25); 0 pays nothing
    #[arg(long, env = "X402_MAX_AMOUNT", value_name = "AMOUNT", default_value = "0.10")]
    max_amount: String,
    /// The most that all requests with this session file may cost together, counted in FILE.spent: what was paid or is
    /// still promised
    #[arg(long, env = "X402_SPENDING_LIMIT", value_name = "AMOUNT")]
    spending_limit: Option<String>,
    /// The most that may be locked at once: held or to be held, and not spent [default: ten times the larger of
    /// --max-amount and --stream]
    #[arg(long, env = "X402_MAX_LOCKED", value_name = "AMOUNT")]
    max_locked: Option<String>,
    /// Your own name for this purchase: it buys once
    ///
    /// The same command with the same key resumes the purchase, even after a crash: it sends the same payment
    /// again, and a new one only when the first can't be charged any more. FILE.journal keeps it; `agent purchase
    /// lookup KEY` shows it.
    #[arg(long, value_name = "KEY", conflicts_with = "count")]
    key: Option<String>,
    /// Allow plain HTTP to other machines: anybody in between can change receiver and price
    #[arg(long)]
    allow_http: bool,
    /// Pay only out of one hold for many requests, of at most this many tokens (2.5)
    ///
    /// The first request waits a second for the hold. Each later request is paid by a signature alone, without a
    /// transaction or a wait. The hold stays open in FILE.streams, and the next `agent fetch --stream` at the same
    /// server uses it. Nothing needs to be closed: after the last request the server captures what was used, and the
    /// rest goes back, at the latest after the capture deadline. --spending-limit counts a hold in full until it ends.
    #[arg(long, value_name = "AMOUNT")]
    stream: Option<String>,
    /// How often to send the request, in sequence; stops at the first that is not served, or whose answer is cut off
    #[arg(long, value_name = "N", default_value_t = 1, requires = "stream")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
}

pub(super) async fn run(arguments: Arguments, json: bool) -> Result<Exit> {
    let session = SessionFile::read(&arguments.session)?;
    let decimals = session.decimals;
    let limit = |flag, text: &str| tokens(flag, text, decimals);
    let optional = |name, text: &Option<String>| text.as_deref().map(|text| limit(name, text)).transpose();
    let maximum_amount = limit("--max-amount", &arguments.max_amount)?;
    let hold = optional("--stream", &arguments.stream)?;
    let ten_times = maximum_amount.max(hold.unwrap_or(0)).saturating_mul(10);
    let limits = Limits {
        maximum_amount,
        spending_limit: optional("--spending-limit", &arguments.spending_limit)?,
        maximum_locked: Some(optional("--max-locked", &arguments.max_locked)?.unwrap_or(ten_times)),
    };
    let files = StateFiles::beside(&arguments.session);
    let mut agent = AgentClient::new(session, limits, files.clone())?;
    if arguments.allow_http {
        agent = agent.allowing_http();
    }
    let request = request(&arguments)?;
    let Some(hold) = hold else {
        let fetched = agent.fetch(&request).await;
        let answer = Answer::new(fetched.map_err(|error| problem::problem(error, decimals))?);
        answer.print(decimals, json)?;
        return Ok(answer.exit());
    };
    let output = streamed::Output { json, decimals, file: files.streams };
    streamed::run(&agent.only_streaming(hold), &request, arguments.count, &output).await
}

fn request(arguments: &Arguments) -> Result<Request> {
    let body = arguments.data.as_deref().map(data).transpose()?;
    let method = match (&arguments.method, &body) {
        (Some(method), _) => method.to_ascii_uppercase(),
        (None, Some(_)) => "POST".into(),
        (None, None) => "GET".into(),
    };
    let headers = arguments.header.iter().map(|header| {
        let (name, value) = header
            .split_once(':')
            .with_context(|| format!("{header:?} is not a header: write it as name: value"))?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    });
    Ok(Request {
        method,
        url: arguments.url.clone(),
        headers: headers.collect::<Result<_>>()?,
        body: body.unwrap_or_default(),
        key: arguments.key.clone(),
    })
}

fn data(data: &str) -> Result<Vec<u8>> {
    match data.strip_prefix('@') {
        None => Ok(data.as_bytes().to_vec()),
        Some("-") => {
            let mut body = Vec::new();
            std::io::stdin().read_to_end(&mut body).context("reading standard input")?;
            Ok(body)
        }
        Some(path) => std::fs::read(path).with_context(|| format!("reading {path}")),
    }
}
