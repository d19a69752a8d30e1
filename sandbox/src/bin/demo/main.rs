//! The whole of it on a local validator: an owner funds an escrow and gives an agent a session with limits; the agent
//! buys from two merchants, streams from one of them, and is refunded. Another session may pay one merchant only, until
//! a guardian without SOL revokes it. Every step runs the real programs as processes of their own.

mod balances;
mod finality;
mod purchases;
mod report;
mod revoking;
mod streaming;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use balances::Balances;
use clap::Parser;
use finality::Finality;
use purchases::{Purchase, Refusal};
use report::Report;
use solana_sdk::signature::Signer;
use streaming::Streaming;
use x402_escrow_sandbox::{self as sandbox, Agent, Local, Merchant, ONE_TOKEN, Verifier};

/// Finality takes 32 slots, about 13 seconds; the payments before the last are ahead of it.
const FINALITY_TIMEOUT: Duration = Duration::from_secs(90);

/// What the owner has, and what it deposits.
const OWNED: u64 = 100 * ONE_TOKEN;
const DEPOSITED: &str = "20";

/// The session's limit per payment: below the price of /archive, which the agent must not get.
const LIMIT_PER_PAYMENT: &str = "0.25";

/// Shows an agent buy from two merchants' HTTP APIs out of a prefunded escrow, on a local validator.
#[derive(Parser)]
#[command(name = "demo")]
struct Arguments {
    /// Print one JSON object on standard output instead of tables
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let started = Instant::now();
    let tell = |text: &str| eprintln!("{:>6.1} s  {text}", started.elapsed().as_secs_f64());

    sandbox::clean_up_when_interrupted()?;
    let local = Local::start(&tell)?;
    tell("starting the verifier");
    let verifier = Verifier::start(&local)?;
    tell("starting two merchants");
    let merchants =
        [Merchant::start(&local, &verifier, "north")?, Merchant::start(&local, &verifier, "south")?];

    let (owner_key, owner_file) = local.key_file("owner")?;
    local.chain.give_sol(&owner_key.pubkey(), 1_000_000_000)?;
    local.chain.give_tokens(&owner_key.pubkey(), &local.mint, OWNED)?;
    let owner = Agent::owner(&local, &owner_file, &verifier);
    let before = Balances::read(&local, &owner_key.pubkey(), &merchants)?;

    tell(&format!("the owner opens an escrow with {DEPOSITED} tokens"));
    owner.run(&["escrow", "open", "--amount", DEPOSITED])?;
    tell(&format!("the owner opens a session: at most {LIMIT_PER_PAYMENT} a payment, 2 an hour, 5 in all"));
    let session_file = local.folder().join("session.json");
    let out = session_file.display().to_string();
    owner.run(
        &[
            ["session", "open", "--max-payment", LIMIT_PER_PAYMENT],
            ["--max-per-period", "2", "--period", "1h"],
            ["--max-total", "5", "--out", &out],
        ]
        .concat(),
    )?;

    let agent = Agent::with_session(&local, &session_file);
    let finality = Finality::follow(&local, &verifier)?;
    let mut purchases = Vec::new();
    for wanted in purchases::ten(&merchants) {
        tell(&format!("the agent buys {}", wanted.label()));
        purchases.push(Purchase::make(&agent, &finality, &wanted)?);
    }
    tell("the agent tries to buy /archive, which costs more than its session allows");
    let mut refusals = vec![Refusal::provoke(&agent, &merchants[1], "/archive", "limit per payment")?];
    let (bought, refused) = revoking::show(&local, &owner, &verifier, &merchants, &finality, &tell)?;
    purchases.push(bought);
    refusals.extend(refused);

    tell("the agent asks for /ticks, again and again, on one hold");
    let (mut streaming, streamed) = Streaming::make(&session_file, &merchants[0], &finality)?;
    tell("waiting until the merchant has captured it all at once");
    streaming.wait_until_closed(&streamed, &local, &verifier, FINALITY_TIMEOUT)?;
    tell("the merchant refunds a part of it");
    merchants[0].refund(&streamed.payment_id, streaming::REFUNDED)?;
    finality.answered("refund", "refund", &streamed.payment_id);
    purchases.push(streamed);

    tell("waiting until every payment is final");
    for purchase in &mut purchases {
        purchase.wait_until_final(&local, &verifier, FINALITY_TIMEOUT)?;
    }
    let measured = finality.finish(&local, &verifier, FINALITY_TIMEOUT)?;
    tell("the owner withdraws what is left");
    owner.run(&["escrow", "withdraw"]).context("withdrawing")?;
    let after = Balances::read(&local, &owner_key.pubkey(), &merchants)?;

    let report = Report {
        purchases: &purchases,
        streaming: &streaming,
        measured: &measured,
        refusals: &refusals,
        before: &before,
        after: &after,
        elapsed: started.elapsed(),
    };
    report.print(arguments.json)?;
    let mut problems = balances::problems(&before, &after, &purchases);
    problems.extend(streaming.problems(&purchases));
    ensure!(problems.is_empty(), "the balances don't add up: {}", problems.join("; "));
    Ok(())
}
