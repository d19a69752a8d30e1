mod streamed;

use std::{
    io::{Read, Write},
    path::PathBuf,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use x402_escrow_agent::{
    AgentClient, Fetched, Limits, Receipt, Request, SessionFile, nonces::NoncesFile, spending::SpendingFile,
    stream::StreamsFile,
};

use crate::amount;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// What to fetch
    url: String,
    /// The session file that the owner made; FILE.nonces beside it counts its payments, for all that use it
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
    /// The most that all requests with this session file may cost together, counted in FILE.spent
    #[arg(long, env = "X402_SPENDING_LIMIT", value_name = "AMOUNT")]
    spending_limit: Option<String>,
    /// Take URLs of plain HTTP that are not of this machine: anybody on the way can change what is asked for
    #[arg(long)]
    allow_http: bool,
    /// Pay out of one hold of at most this many tokens (2.5), as servers offer for many requests, and in no other way
    ///
    /// The first request has the server's hold put on the escrow, which takes a second. Each after it is paid by a
    /// signature alone: no transaction, no wait. The hold stays open in FILE.streams, and the next `agent fetch --stream`
    /// under the same server goes on with it. Nothing needs to be closed: once nobody asks any more the server captures
    /// what was used and the rest goes back to the escrow, at the latest after the hold's capture deadline. The limit of
    /// --spending-limit counts a hold in full.
    #[arg(long, value_name = "AMOUNT")]
    stream: Option<String>,
    /// How often to send the request, one after the other; ends at the first that is not served
    #[arg(long, value_name = "N", default_value_t = 1, requires = "stream")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
}

pub(super) async fn run(arguments: Arguments, json: bool) -> Result<()> {
    let session = SessionFile::read(&arguments.session)?;
    let decimals = session.decimals;
    let limit = |name, text: &str| amount::parse(text, decimals).context(name);
    let limits = Limits {
        maximum_amount: limit("--max-amount", &arguments.max_amount)?,
        spending_limit: arguments
            .spending_limit
            .as_deref()
            .map(|text| limit("--spending-limit", text))
            .transpose()?,
    };
    let (nonces, spending) =
        (NoncesFile::beside(&arguments.session), SpendingFile::beside(&arguments.session));
    let mut agent = AgentClient::with_spending(session, limits, &nonces, spending)?;
    if arguments.allow_http {
        agent = agent.allowing_http();
    }
    let Some(hold) = &arguments.stream else {
        let fetched = agent.fetch(&request(&arguments)?).await?;
        print(&fetched, decimals, json)?;
        return outcome(&fetched);
    };
    let file = StreamsFile::beside(&arguments.session);
    let agent = agent.only_streaming(file.clone(), limit("--stream", hold)?);
    let output = streamed::Output { json, decimals, file };
    streamed::run(&agent, &request(&arguments)?, arguments.count, &output).await
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

fn print(fetched: &Fetched, decimals: u8, json: bool) -> Result<()> {
    let mut output = std::io::stdout().lock();
    if json {
        let object = object(fetched);
        return writeln!(output, "{object}").context("writing the output");
    }
    // The body alone goes to standard output, so that it can be piped on.
    output.write_all(&fetched.body).context("writing the output")?;
    if let Some(receipt) = &fetched.payment {
        eprintln!("{}", describe(receipt, decimals));
    }
    Ok(())
}

/// For machines.
fn object(fetched: &Fetched) -> Value {
    let text = String::from_utf8_lossy(&fetched.body);
    let body = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.into_owned()));
    let payment = fetched.payment.as_ref().map(|receipt| {
        json!({
            "paymentId": receipt.payment_id,
            "amount": receipt.amount.to_string(),
            "payTo": receipt.pay_to,
            "settlement": receipt.settlement,
        })
    });
    json!({ "status": fetched.status, "body": body, "payment": payment })
}

fn describe(receipt: &Receipt, decimals: u8) -> String {
    let signed_for = amount::format(receipt.amount, decimals);
    let mut line = format!("signed for {signed_for} to {}, payment {}", receipt.pay_to, receipt.payment_id);
    if let Some(settlement) = &receipt.settlement {
        if settlement.success {
            let amount = settlement.amount.map_or(receipt.amount, |amount| amount.0);
            line += &format!(": settled {} in {}", amount::format(amount, decimals), settlement.transaction);
        } else {
            let reason = settlement.error_reason.as_deref().unwrap_or("no reason given");
            line += &format!(": not settled: {reason}");
        }
    }
    line
}

/// Success only if the server served, and all of it arrived.
fn outcome(fetched: &Fetched) -> Result<()> {
    if fetched.truncated {
        bail!("the response is longer than 32 MiB and was cut off");
    }
    if (200..300).contains(&fetched.status) {
        return Ok(());
    }
    let settlement = fetched.payment.as_ref().and_then(|receipt| receipt.settlement.as_ref());
    if fetched.status == 402 && fetched.payment.is_some() {
        let reason =
            settlement.and_then(|settlement| settlement.error_reason.as_deref()).unwrap_or("no reason given");
        let message =
            settlement.and_then(|settlement| settlement.error_message.as_deref()).unwrap_or_default();
        bail!("the server refused the payment: {reason} {message}");
    }
    bail!("the server answered with HTTP status {}", fetched.status)
}
