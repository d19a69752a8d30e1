//! A sandbox to develop against: everything that a payment passes through, until Ctrl-C.

mod payments;
mod ready;

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use clap::Parser;
use payments::Payments;
use ready::Ready;
use serde_json::Value;
use x402_escrow_sandbox::{self as sandbox, Ports, Sandbox, Settings};

/// How often to look whether every part still runs.
const LOOK_INTERVAL: Duration = Duration::from_millis(300);

/// How long to wait at most for news of what the merchant captured last.
const LAST_NEWS: Duration = Duration::from_secs(10);

/// Starts solana-test-validator with the escrow program, a token like USDC, an owner with an escrow, a session for an
/// agent, a verifier, and a merchant; leaves them running; shows payments as they happen; ends everything on Ctrl-C.
#[derive(Parser)]
#[command(name = "cargo xtask sandbox")]
struct Arguments {
    /// Print one JSON object on standard output once everything is up, and payments on standard error
    #[arg(long)]
    json: bool,
    /// Listen on any free ports instead of 8899, 8900, 4020, 4021 and 4022, so that several sandboxes can run
    #[arg(long)]
    free_ports: bool,
    /// Where keys, the session file and logs are; removed at the end [default: target/sandbox, and with --free-ports
    /// among temporary files]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// What the program waits for.
pub(crate) enum Event {
    /// Somebody asks it to end.
    Stop,
    /// A payment got further.
    Payment(Value),
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
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
    let (events, happened) = channel();
    let is_up = Arc::new(AtomicBool::new(false));
    heed_interruptions(events.clone(), Arc::clone(&is_up))?;
    let webhook = payments::receive(events)?;

    let own = sandbox::checkout().join("target/sandbox");
    let folder = arguments.folder.as_deref().or((!arguments.free_ports).then_some(&own));
    let folder = folder.map(std::path::absolute).transpose()?;
    let mut sandbox = Sandbox::start(
        &Settings {
            folder: folder.as_deref(),
            ports: if arguments.free_ports { Ports::Free } else { Ports::Usual },
            verifier: &webhook.settings(),
            ..Settings::default()
        },
        &tell,
    )?;
    let ready = Ready::read(&sandbox)?;
    is_up.store(true, Ordering::SeqCst);
    tell("everything is up");
    if arguments.json {
        println!("{}", ready.json());
    } else {
        println!("{}", ready.text());
    }

    let mut payments = Payments::default();
    let show = |payments: &mut Payments, report: &Value| {
        let Some(line) = payments.line(report) else { return };
        let line = format!("{:>6.1} s  {line}", started.elapsed().as_secs_f64());
        if arguments.json { eprintln!("{line}") } else { println!("{line}") }
    };
    loop {
        match happened.recv_timeout(LOOK_INTERVAL) {
            Ok(Event::Stop) => break,
            Ok(Event::Payment(report)) => show(&mut payments, &report),
            Err(RecvTimeoutError::Timeout) => {
                if let Some(death) = sandbox.death()? {
                    bail!("{death}\neverything else is ended too");
                }
            }
            Err(RecvTimeoutError::Disconnected) => bail!("nobody waits for signals"),
        }
    }
    eprintln!();
    tell("stopping: the merchant captures what is still to be paid");
    sandbox.merchant.stop();
    let until = Instant::now() + LAST_NEWS;
    while !payments.are_over()
        && let Ok(event) = happened.recv_timeout(until.saturating_duration_since(Instant::now()))
    {
        if let Event::Payment(report) = event {
            show(&mut payments, &report);
        }
    }
    sandbox.stop();
    tell("everything is ended, and nothing is left");
    Ok(())
}

/// Ends everything in order at the first signal, and at once if it is not up yet or at the second.
fn heed_interruptions(events: Sender<Event>, is_up: Arc<AtomicBool>) -> Result<()> {
    const INTERRUPTED: i32 = 130;
    let interruptions = sandbox::interruptions()?;
    thread::spawn(move || {
        let mut is_first = true;
        for () in interruptions {
            if is_first && is_up.load(Ordering::SeqCst) && events.send(Event::Stop).is_ok() {
                is_first = false;
                continue;
            }
            sandbox::end_everything();
            eprintln!("interrupted: everything that was started is ended");
            std::process::exit(INTERRUPTED);
        }
    });
    Ok(())
}
