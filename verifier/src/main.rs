//! Runs the verifier: reads the configuration, connects, listens.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use clap::{Parser, Subcommand};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::{sleep, timeout},
};
use x402_escrow_verifier::{
    chain::{Chain, ChainError, RpcChain, Several},
    config::{self, Config},
    engine::app::App,
    operator::reconcile::reconcile,
    serve,
    store::{Leader, Store, StoreError},
    telemetry,
};

/// How long to wait until no other verifier leads.
const LEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// How often a repair says that it still leads.
const RENEW_INTERVAL: Duration = Duration::from_secs(1);

/// Turns HTTP 402 challenges into payment intents, verifies them, settles them on Solana and says how final they are.
#[derive(Parser)]
#[command(version, after_help = HELP)]
struct Arguments {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "X402_CONFIG")]
    config: Option<PathBuf>,

    /// Check the configuration and stop: exit status 0 if the service would start with it
    #[arg(long)]
    check_config: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

/// Commands other than serving.
#[derive(Clone, Copy, Subcommand)]
enum Command {
    /// Make all verifiers over the database refuse new payments; accepted ones go on
    Pause,
    /// End the pause
    Resume,
    /// Compare the database's holds with the chain: exit status 1 if they differ
    Reconcile {
        /// Record what the database lacks; stop the verifiers first
        #[arg(long)]
        repair: bool,
        /// Include payments that are over
        #[arg(long)]
        all: bool,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

const HELP: &str = "\
Each key can be in the file, or in the environment as X402_ and its name in capitals; the environment wins.
Required (program_id only on public clusters, tokens except on mainnet and devnet):

  rpc_url     the Solana node, like http://127.0.0.1:8899; or three or more, separated by commas: the majority
              counts
  fee_payer   keypair file (solana-keygen's JSON, mode 600) of the account that pays fees and the rent of holds
  program_id  the escrow program's address on the cluster
  tokens      accepted tokens, like [{ mint = \"…\", minimum = \"1000\" }]; USDC on mainnet and devnet

The others, with their defaults, are in docs/http-api.md. The most used:

  listen           127.0.0.1:4020
  operator_listen  127.0.0.1:4022, for /status and /metrics
  database         verifier.sqlite
  finality         how final a payment must be, by amount in base units: under Alpenglow
                   [{ commitment = \"finalized\" }]

Example:

  solana-keygen new --no-bip39-passphrase --outfile fee-payer.json   # then send it some SOL
  export X402_RPC_URL=https://api.devnet.solana.com X402_FEE_PAYER=fee-payer.json X402_PROGRAM_ID=…
  verifier
  curl http://127.0.0.1:4020/health                                  # and in a browser: http://127.0.0.1:4022/status";

/// Small blocks of many threads at once, which is what requests take: faster than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = match config::read(arguments.config.as_deref(), std::env::vars_os()) {
        Ok(config) => config,
        Err(error) => {
            for problem in error.problems {
                eprintln!("error in the configuration: {problem}");
            }
            eprintln!("See `verifier --help`.");
            return ExitCode::from(2);
        }
    };
    if arguments.check_config {
        for warning in &config.warnings {
            eprintln!("warning: {warning}");
        }
        print!("{}", config.effective);
        println!("# The configuration is sound.");
        return ExitCode::SUCCESS;
    }
    let done = match arguments.command {
        None => run(config).await.map(|()| true),
        Some(Command::Pause) => set_paused(&config, true).await.map(|()| true),
        Some(Command::Resume) => set_paused(&config, false).await.map(|()| true),
        Some(Command::Reconcile { repair, all, json }) => compare_books(config, repair, all, json).await,
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn connect(urls: &[String], timeout: Duration) -> Result<Arc<dyn Chain>, ChainError> {
    let node = |url: &String| -> Arc<dyn Chain> { Arc::new(RpcChain::new(url.clone(), timeout)) };
    if let [url] = urls {
        return Ok(node(url));
    }
    // The path and the query of an URL can be a secret.
    let host = |url: &str| {
        url.split('/').nth(2).unwrap_or_default().rsplit('@').next().unwrap_or_default().to_owned()
    };
    let nodes =
        urls.iter().enumerate().map(|(index, url)| (format!("{}#{}", host(url), index + 1), node(url)));
    Ok(Arc::new(Several::connect(nodes.collect()).await?))
}

async fn listen(key: &str, address: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| format!("{key}: can't listen on {address}: {error}"))
}

async fn set_paused(config: &Config, paused: bool) -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::open(&config.database).await?;
    store.set_paused(paused).await?;
    store.close().await;
    let told = if paused { "accept nothing new" } else { "accept payments again" };
    println!("The verifiers over {} {told}, from at most two seconds from now.", config.database);
    Ok(())
}

/// Whether books and chain say the same, at last.
async fn compare_books(
    config: Config,
    repair: bool,
    all: bool,
    json: bool,
) -> Result<bool, Box<dyn std::error::Error>> {
    let app = app(config).await?;
    let mut leader = match repair {
        true => Some(timeout(LEAD_TIMEOUT, app.store.lead()).await.map_err(
            |_| "another verifier over the database leads: stop it, its books change while they are repaired",
        )??),
        false => None,
    };
    let result = tokio::select! {
        result = reconcile(&app, all, repair) => result?,
        lost = keep_leading(leader.as_mut()) => return Err(lost.into()),
    };
    if json {
        println!("{}", serde_json::to_string(&result)?);
    } else {
        print!("{result}");
    }
    Ok(result.is_equal())
}

/// Keeps other verifiers from leading, and returns why it can't any more: a repair takes longer than a lease.
async fn keep_leading(leader: Option<&mut Leader>) -> StoreError {
    let Some(leader) = leader.filter(|leader| leader.is_lease()) else { return std::future::pending().await };
    loop {
        sleep(RENEW_INTERVAL).await;
        // Any other failure may pass before the lease is over.
        if let Err(lost @ StoreError::NotLeading) = leader.renew().await {
            return lost;
        }
    }
}

async fn app(config: Config) -> Result<App, Box<dyn std::error::Error>> {
    let store = Store::open(&config.database).await?;
    let chain = connect(&config.rpc_urls, config.rpc_timeout).await?;
    let Config { deployment, fee_payer, policies, settings, .. } = config;
    Ok(App::new(chain, deployment, store, fee_payer, policies, settings)
        .await?
        .with_former_fee_payers(config.fee_payers_retiring, config.fee_payers_cut_off))
}

async fn run(mut config: Config) -> Result<(), Box<dyn std::error::Error>> {
    telemetry::init(config.log_format, std::mem::take(&mut config.log_filter));
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let (address, operator_address) = (config.listen.clone(), config.operator_listen.clone());
    let app = app(config).await?;
    app.store.check_alone()?;
    let listener = listen("listen", &address).await?;
    let operator_listener = match &operator_address {
        Some(address) => Some(listen("operator_listen", address).await?),
        None => None,
    };
    tracing::info!(
        address = %listener.local_addr()?,
        operator_address = operator_listener.as_ref().map(TcpListener::local_addr).transpose()?.map(display),
        network = app.rules.network,
        program = %app.rules.program,
        fee_payer = %app.rules.fee_payer,
        "listening"
    );
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stopped = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping: answering what was asked, taking no more");
    };
    serve(listener, operator_listener, app, stopped).await?;
    Ok(())
}
