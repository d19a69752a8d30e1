//! Whom the operator does not serve: a file of addresses, or a server that is asked. Consulted before a payment is
//! accepted, and never about what follows from one.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use reqwest::{Client, redirect};
use serde::{Deserialize, Serialize};
use x402_escrow_domain::verify::Rejection;
use x402_escrow_interface::Address;
use x402_escrow_wire::{error_code::ErrorCode, text::Key};

use crate::engine::{metrics::Metrics, not_accepted::NotAccepted};

/// The longest answer that is read of a server, in bytes.
const MAXIMUM_ANSWER_BYTES: usize = 4096;

/// Where the list is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file with an address a line, read again when it changes.
    File(PathBuf),
    /// A server.
    Url(String),
}

/// What becomes of payments while the list can't be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// They are refused for the time being.
    Refuse,
    /// They are accepted.
    Accept,
}

/// Which list, and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenyListSettings {
    /// Where it is.
    pub source: Source,
    /// How long a server may take.
    pub timeout: Duration,
    /// What becomes of payments while it can't be asked.
    pub on_failure: OnFailure,
}

/// A payment that is to be accepted: what a server is sent, as JSON.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Parties {
    /// Who pays.
    pub payer: Key,
    /// Who is paid.
    pub receiver: Key,
    /// In which token.
    pub mint: Key,
}

/// A server's answer.
#[derive(Deserialize)]
struct Answer {
    denied: bool,
}

/// The operator's list.
#[derive(Debug)]
pub struct DenyList {
    settings: Option<DenyListSettings>,
    client: Client,
    /// What the file was when it was last read.
    file: Mutex<Option<ReadFile>>,
}

#[derive(Clone, Debug)]
struct ReadFile {
    modified: SystemTime,
    length: u64,
    addresses: Arc<HashSet<Address>>,
}

impl DenyList {
    /// Denies what `settings` say; nobody without any.
    pub fn new(settings: Option<DenyListSettings>) -> Self {
        let timeout = settings.as_ref().map_or(Duration::ZERO, |settings| settings.timeout);
        let client = Client::builder().timeout(timeout).redirect(redirect::Policy::none()).build();
        let client = client.unwrap_or_else(|error| unreachable!("these settings are sound: {error}"));
        Self { settings, client, file: Mutex::default() }
    }

    /// Refuses a payment that the list denies.
    ///
    /// # Errors
    /// If the list denies it, or can't be asked and nothing is accepted then.
    pub async fn check(
        &self,
        metrics: &Metrics,
        payer: Address,
        receiver: Address,
        mint: Address,
    ) -> Result<(), NotAccepted> {
        let Some(DenyListSettings { source, on_failure, .. }) = &self.settings else { return Ok(()) };
        let parties = Parties { payer: payer.into(), receiver: receiver.into(), mint: mint.into() };
        match self.denies(source, &parties).await {
            Ok(false) => {
                metrics.count_deny_list("allowed");
                Ok(())
            }
            Ok(true) => {
                metrics.count_deny_list("denied");
                let message = "the operator of this facilitator does not serve it";
                Err(Rejection::new(ErrorCode::PaymentDenied, message).into())
            }
            Err(reason) => {
                metrics.count_deny_list("failed");
                tracing::error!(reason, ?on_failure, "the deny list can't be asked");
                match on_failure {
                    OnFailure::Accept => Ok(()),
                    OnFailure::Refuse => Err(NotAccepted::DenyListFailed),
                }
            }
        }
    }

    async fn denies(&self, source: &Source, parties: &Parties) -> Result<bool, String> {
        match source {
            Source::File(path) => {
                let addresses = self.addresses(path)?;
                let Parties { payer, receiver, mint } = *parties;
                Ok([payer, receiver, mint].iter().any(|key| addresses.contains(&Address::from(*key))))
            }
            Source::Url(url) => self.ask(url, parties).await,
        }
    }

    fn addresses(&self, path: &Path) -> Result<Arc<HashSet<Address>>, String> {
        let stat = || -> std::io::Result<_> {
            let metadata = fs::metadata(path)?;
            Ok((metadata.modified()?, metadata.len()))
        };
        let (modified, length) = stat().map_err(|error| format!("{}: {error}", path.display()))?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        match &*file {
            Some(read) if (read.modified, read.length) == (modified, length) => {
                Ok(Arc::clone(&read.addresses))
            }
            _ => {
                let addresses = Arc::new(read(path)?);
                *file = Some(ReadFile { modified, length, addresses: Arc::clone(&addresses) });
                Ok(addresses)
            }
        }
    }

    async fn ask(&self, url: &str, parties: &Parties) -> Result<bool, String> {
        // Without the address, which can have a secret.
        let failed = |error: reqwest::Error| error.without_url().to_string();
        let mut response = self.client.post(url).json(parties).send().await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(format!("the server answered with status {}", response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAXIMUM_ANSWER_BYTES {
                return Err(format!("the server answered with more than {MAXIMUM_ANSWER_BYTES} bytes"));
            }
        }
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|error| format!("the server's answer is not {{\"denied\": true or false}}: {error}"))?;
        Ok(answer.denied)
    }
}

/// Reads a list: an address a line, empty lines and what follows a `#` left out.
///
/// # Errors
/// If the file can't be read, or a line is no address.
pub fn read(path: &Path) -> Result<HashSet<Address>, String> {
    let shown = path.display();
    // A device or a pipe might have no end.
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(format!("{shown}: is no regular file"));
    }
    let text = fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    let lines = text.lines().zip(1..).map(|(line, number)| {
        let line = line.split('#').next().unwrap_or_default().trim();
        (line, number)
    });
    let address = |(line, number): (&str, usize)| -> Result<Address, String> {
        line.parse::<Key>().map(Address::from).map_err(|error| format!("{shown}: line {number}: {error}"))
    };
    lines.filter(|(line, _)| !line.is_empty()).map(address).collect()
}
