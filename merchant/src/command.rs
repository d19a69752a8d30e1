//! What the command line can do. Answers go to standard output as the verifier gave them.

use std::{error::Error, path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};
use ed25519_dalek::SigningKey;
use reqwest::{Client, Method};
use serde_json::Value;
use solana_keypair::read_keypair_file;
use x402_escrow_merchant::{refund_payment, signed::Asker};
use x402_escrow_wire::{
    clock::unix_now,
    text::{Base58, Hex32, Key},
};

/// Timeout of a request to the verifier.
const TIMEOUT: Duration = Duration::from_secs(75);

/// Lists, sums up, shows and refunds a merchant's own payments on any verifier, and sets its webhook.
#[derive(Debug, Parser)]
#[command(name = "merchant", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The verifier's URL.
    #[arg(long, env = "X402_VERIFIER", default_value = "http://127.0.0.1:4020")]
    verifier: String,
    /// Keypair file of the receiver or the receiver authorizer.
    #[arg(long, env = "X402_MERCHANT_KEY", value_name = "FILE")]
    key: PathBuf,
    /// The receiver, if not the owner of the key.
    #[arg(long, value_name = "ADDRESS")]
    receiver: Option<Key>,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  merchant --key merchant.json link
  merchant --key merchant.json payments --outcome partly_paid --csv
  merchant --key merchant.json webhook set https://shop.example/news
  merchant --key merchant.json refund 5f0c… 250000";

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a link that opens the merchant's page in a browser, for five minutes.
    Link,
    /// List payments, newest first.
    Payments(Payments),
    /// Sum up captures by token and UTC day.
    Totals {
        /// Any second of the first day, in unix seconds [default: 30 days ago].
        #[arg(long)]
        from: Option<i64>,
        /// Any second of the last day, in unix seconds [default: today].
        #[arg(long)]
        to: Option<i64>,
    },
    /// Set, show or remove the URL that changes of payments are posted to.
    #[command(subcommand)]
    Webhook(Webhook),
    /// Return captured money to the payer. Only the receiver's own key can.
    Refund {
        /// The payment's id.
        payment: Hex32,
        /// The sum of the payment's refunds, in base units: the same command again is refused.
        amount: u64,
    },
}

#[derive(Debug, clap::Args)]
struct Payments {
    /// Only these: paid, partly_paid, refunded, partly_refunded, void, held, unsettled or failed.
    #[arg(long)]
    outcome: Option<String>,
    /// Accepted at or after this, in unix seconds.
    #[arg(long)]
    from: Option<i64>,
    /// Accepted before this, in unix seconds.
    #[arg(long)]
    to: Option<i64>,
    /// The token's mint.
    #[arg(long)]
    asset: Option<Key>,
    /// Who paid.
    #[arg(long)]
    payer: Option<Key>,
    /// Start of the URL that was paid for.
    #[arg(long)]
    url: Option<String>,
    /// Where to go on: `next` of the last page.
    #[arg(long)]
    before: Option<String>,
    /// How many: at most 100, as CSV at most 1000.
    #[arg(long)]
    limit: Option<u32>,
    /// Print CSV.
    #[arg(long)]
    csv: bool,
}

#[derive(Debug, Subcommand)]
enum Webhook {
    /// Set the URL, and print the secret that signs the messages.
    Set {
        /// An https URL.
        url: String,
    },
    /// Show the URL, and since when it fails.
    Show,
    /// Stop the messages.
    Remove,
}

/// Runs the command.
///
/// # Errors
/// If the key can't be read, or the verifier does not answer or says no.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { verifier, key: file, receiver, command } = arguments;
    let keypair = read_keypair_file(&file).map_err(|error| format!("--key {}: {error}", file.display()))?;
    let key = SigningKey::from_keypair_bytes(&keypair.to_bytes())?;
    let own = Base58(key.verifying_key().to_bytes());
    let asker = Asker { verifier: verifier.clone(), receiver: receiver.unwrap_or(own), key: key.clone() };
    match command {
        Command::Link => println!("{}", asker.url("GET", "", &[], unix_now())?),
        Command::Payments(payments) => {
            ask(&asker, Method::GET, "/payments", &payments.parameters()).await?;
        }
        Command::Totals { from, to } => {
            let parameters = [("from", from), ("to", to)];
            let parameters: Vec<_> =
                parameters.into_iter().filter_map(|(name, value)| Some((name, value?.to_string()))).collect();
            ask(&asker, Method::GET, "/totals", &parameters).await?;
        }
        Command::Webhook(Webhook::Set { url }) => {
            ask(&asker, Method::PUT, "/webhook", &[("url", url)]).await?;
        }
        Command::Webhook(Webhook::Show) => ask(&asker, Method::GET, "/webhook", &[]).await?,
        Command::Webhook(Webhook::Remove) => ask(&asker, Method::DELETE, "/webhook", &[]).await?,
        Command::Refund { payment, amount } => refund(&verifier, &key, payment, amount).await?,
    }
    Ok(())
}

impl Payments {
    fn parameters(self) -> Vec<(&'static str, String)> {
        let text = |value: Option<i64>| value.map(|value| value.to_string());
        let key = |value: Option<Key>| value.map(|value| value.to_string());
        let parameters = [
            ("outcome", self.outcome),
            ("from", text(self.from)),
            ("to", text(self.to)),
            ("asset", key(self.asset)),
            ("payer", key(self.payer)),
            ("url", self.url),
            ("before", self.before),
            ("limit", self.limit.map(|limit| limit.to_string())),
            ("format", self.csv.then(|| "csv".to_owned())),
        ];
        parameters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// Asks, and prints the answer.
async fn ask(
    asker: &Asker,
    method: Method,
    rest: &str,
    parameters: &[(&str, String)],
) -> Result<(), Box<dyn Error>> {
    let url = asker.url(method.as_str(), rest, parameters, unix_now())?;
    let http = Client::builder().timeout(TIMEOUT).build()?;
    let answer = http.request(method, url).send().await.map_err(reqwest::Error::without_url)?;
    let (status, next) = (answer.status(), answer.headers().get("x402-next").cloned());
    let text = answer.text().await.map_err(reqwest::Error::without_url)?;
    if !status.is_success() {
        let told = serde_json::from_str::<Value>(&text).ok();
        let message = told.as_ref().and_then(|told| told.pointer("/error/message")?.as_str());
        return Err(
            format!("the verifier answered with status {status}: {}", message.unwrap_or(&text)).into()
        );
    }
    println!("{}", text.trim_end());
    if let Some(next) = next.as_ref().and_then(|next| next.to_str().ok()) {
        eprintln!("there are more: --before {next}");
    }
    Ok(())
}

async fn refund(verifier: &str, key: &SigningKey, payment: Hex32, amount: u64) -> Result<(), Box<dyn Error>> {
    let base = verifier.trim_end_matches('/');
    let http = Client::builder().timeout(TIMEOUT).build()?;
    let known = http.get(format!("{base}/payments/{payment}")).send().await?.error_for_status()?;
    let known: Value = known.json().await?;
    let member = |name: &str| known.get(name).and_then(Value::as_str).unwrap_or_default().parse::<Key>();
    let (asset, receiver) = (member("asset")?, member("receiver")?);
    if receiver != Base58(key.verifying_key().to_bytes()) {
        return Err(format!("only {receiver}, who was paid, can refund: give its key with --key").into());
    }
    let answer = refund_payment(base, key, asset, payment, amount).await?;
    println!("{}", serde_json::to_string_pretty(&answer)?);
    match answer.error_message {
        None => Ok(()),
        Some(message) => Err(message.into()),
    }
}
