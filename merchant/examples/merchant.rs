//! A merchant: an HTTP API with prices, as a server of its own. The demo and the end-to-end tests
//! run two of them.

use std::{
    error::Error,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use clap::Parser;
use ed25519_dalek::SigningKey;
use serde::Deserialize;
use serde_json::{Value, json};
use solana_keypair::read_keypair_file;
use tokio::net::TcpListener;
use x402_escrow_merchant::{CaptureAmount, Merchant, MerchantConfig, Price};
use x402_escrow_wire::{
    auth_capture::Commitment::{Confirmed, Processed},
    text::{Decimal, Hex32, Key},
};

/// What one unit of /metered costs, in base units; a request holds ten.
const UNIT_PRICE: u64 = 10_000;
const HELD_UNITS: u64 = 10;

/// What one request for /ticks costs, and what is held for many of them, in base units.
const TICK_PRICE: u64 = 1_000;
const TICKS_HOLD: u64 = 250_000;
/// How long after the capture deadline refunds of ticks are promised.
const TICKS_REFUND_SECONDS: u32 = 3600;
/// How long nobody must ask for ticks before what they paid is captured.
const STREAM_IDLE_SECONDS: u64 = 2;

/// Sells a few things for USDC.
#[derive(Parser)]
struct Arguments {
    /// Name of the shop
    #[arg(long)]
    name: String,
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:4030")]
    listen: String,
    /// Where to listen for the owner's refunds; not for clients
    #[arg(long)]
    admin_listen: Option<String>,
    /// Base URL under which clients reach this server
    #[arg(long)]
    public_url: String,
    /// Base URL of the verifier
    #[arg(long, default_value = "http://127.0.0.1:4020")]
    facilitator: String,
    /// Keypair file of the receiver, which also signs captures
    #[arg(long)]
    key: PathBuf,
    /// The token's mint
    #[arg(long)]
    asset: Key,
    /// Other instances sell with the same key, so none of them closes streams
    #[arg(long)]
    one_of_several: bool,
    /// Hold every price first and capture it after [default: only for work that may cost less, or takes long]
    #[arg(long)]
    held: bool,
    /// Seconds from an offer to its capture deadline
    #[arg(long, default_value_t = 3600)]
    capture_window: i64,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // It says what prevents a sale, and what to do.
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let keypair = read_keypair_file(&arguments.key)?;
    let config = MerchantConfig::new(
        arguments.facilitator,
        arguments.public_url,
        arguments.asset,
        SigningKey::from_bytes(keypair.secret_bytes()),
        arguments.key.with_extension("state"),
    );
    let merchant = Merchant::connect(MerchantConfig {
        stream_idle_seconds: STREAM_IDLE_SECONDS,
        capture_window_seconds: arguments.capture_window,
        closes_streams: !arguments.one_of_several,
        ..config
    })
    .await?;
    if let Some(address) = arguments.admin_listen {
        let admin = Router::new().route("/refunds", post(refund)).with_state(merchant.clone());
        let listener = TcpListener::bind(address).await?;
        tokio::spawn(async move { axum::serve(listener, admin).await });
    }
    let listener = TcpListener::bind(&arguments.listen).await?;
    eprintln!("{} sells at http://{}", arguments.name, listener.local_addr()?);
    let shop = shop(&merchant, arguments.name, arguments.held);
    axum::serve(listener, shop).with_graceful_shutdown(stopped()).await?;
    // What streams have paid is captured now, and the rest goes back to its payers.
    let left = merchant.close_streams().await;
    eprintln!("stopped; {left} streams are left to the verifier");
    Ok(())
}

/// Waits until the process is told to stop: by SIGTERM, or by ctrl-C.
async fn stopped() {
    let interrupted = async { _ = tokio::signal::ctrl_c().await };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                () = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    interrupted.await;
}

/// Every route with its price in base units, and how final the charge or the hold must be.
fn shop(merchant: &Merchant, name: String, all_held: bool) -> Router {
    let price =
        |amount, commitment, description| Price::new(amount).at_least(commitment).describe(description);
    let sold = |price: Price| merchant.price(if all_held { price.held() } else { price });
    let weather_price = price(1_000, Processed, "The weather in a city").example(json!({ "city": "Oslo" }));
    let quote_price = price(10_000, Processed, "The price of a token").example(json!({ "symbol": "SOL" }));
    let translation_price =
        price(50_000, Processed, "A translation into Pig Latin").example(json!({ "text": "good morning" }));
    let report_price = price(250_000, Confirmed, "A market report").example(json!({ "topic": "wheat" }));
    let metered_price = price(UNIT_PRICE * HELD_UNITS, Processed, "Work by the unit").held();
    let ticks_price = price(TICK_PRICE, Processed, "A price, again and again").streamed(TICKS_HOLD);
    let slow_price = price(5_000, Processed, "Takes its time").held();
    let broken_price = price(20_000, Processed, "Fails, and is not paid for").held();
    Router::new()
        .route("/weather", get(weather).layer(sold(weather_price)))
        .route("/quote", get(quote).layer(sold(quote_price)))
        .route("/translate", post(translate).layer(sold(translation_price)))
        .route("/report", get(report).layer(sold(report_price)))
        .route("/archive", get(archive).layer(sold(price(400_000, Confirmed, "All reports of a year"))))
        .route("/metered", get(metered).layer(sold(metered_price.example(json!({ "units": 3 })))))
        .route("/ticks", get(ticks).layer(sold(ticks_price.refundable(TICKS_REFUND_SECONDS))))
        .route("/slow", get(slow).layer(sold(slow_price.unlisted())))
        .route("/broken", get(broken).layer(sold(broken_price.unlisted())))
        .with_state(name)
}

async fn ticks(State(shop): State<String>, Query(query): Query<Quote>) -> Json<Value> {
    let cents = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_micros() % 1000;
    Json(json!({ "shop": shop, "symbol": query.symbol, "cents": cents }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refund {
    payment_id: Hex32,
    amount: Decimal,
}

/// Refunds what the owner says.
async fn refund(State(merchant): State<Merchant>, Json(wanted): Json<Refund>) -> Response {
    match merchant.refund(wanted.payment_id, wanted.amount.0).await {
        Ok(settled) => Json(settled).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

#[derive(Deserialize)]
struct Weather {
    city: String,
}

async fn weather(State(shop): State<String>, Query(query): Query<Weather>) -> Json<Value> {
    // The same city, the same weather.
    let degrees = query.city.bytes().map(i32::from).sum::<i32>() % 35;
    Json(json!({ "shop": shop, "city": query.city, "celsius": degrees }))
}

#[derive(Deserialize)]
struct Quote {
    symbol: String,
}

async fn quote(State(shop): State<String>, Query(query): Query<Quote>) -> Json<Value> {
    let cents = query.symbol.bytes().map(u32::from).product::<u32>() % 100_000;
    Json(json!({ "shop": shop, "symbol": query.symbol, "cents": cents }))
}

#[derive(Deserialize)]
struct Translate {
    text: String,
}

async fn translate(State(shop): State<String>, Json(body): Json<Translate>) -> Json<Value> {
    let words = body.text.split_whitespace().map(|word| match word.char_indices().nth(1) {
        Some((second, _)) => format!("{}{}ay", &word[second..], &word[..second]),
        None => format!("{word}ay"),
    });
    Json(json!({ "shop": shop, "text": words.collect::<Vec<_>>().join(" ") }))
}

#[derive(Deserialize)]
struct Report {
    #[serde(default = "the_world")]
    topic: String,
}

fn the_world() -> String {
    "the world".to_owned()
}

async fn report(State(shop): State<String>, Query(query): Query<Report>) -> Json<Value> {
    let text = format!("All there is to say about {}, in one sentence.", query.topic);
    Json(json!({ "shop": shop, "topic": query.topic, "text": text }))
}

async fn archive(State(shop): State<String>) -> Json<Value> {
    Json(json!({ "shop": shop, "reports": 365 }))
}

#[derive(Deserialize)]
struct Slow {
    milliseconds: u64,
}

async fn slow(State(shop): State<String>, Query(query): Query<Slow>) -> Json<Value> {
    tokio::time::sleep(Duration::from_millis(query.milliseconds.min(10_000))).await;
    Json(json!({ "shop": shop, "milliseconds": query.milliseconds }))
}

async fn broken() -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}

#[derive(Deserialize)]
struct Metered {
    units: u64,
}

/// Holds ten units and takes what was used.
async fn metered(State(shop): State<String>, Query(query): Query<Metered>) -> Response {
    let units = query.units.min(HELD_UNITS);
    let mut response = Json(json!({ "shop": shop, "units": units })).into_response();
    response.extensions_mut().insert(CaptureAmount(units * UNIT_PRICE));
    response
}
