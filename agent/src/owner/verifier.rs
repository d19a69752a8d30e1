//! A verifier, as an owner asks it.

use std::time::Duration;

use anyhow::Result;
use reqwest::{RequestBuilder, Url, redirect};
use serde_json::Value;
use x402_escrow_interface::Address;
use x402_escrow_wire::{auth_capture::SCHEME, facilitator::SupportedResponse};

use crate::{
    chain::source_of,
    problem::{Code, Problem},
};

/// It may wait until a transaction is confirmed.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A verifier, and the flag that named it.
pub(crate) struct Verifier {
    http: reqwest::Client,
    url: Url,
    flag: &'static str,
}

impl Verifier {
    pub(crate) fn new(url: &str, flag: &'static str) -> Result<Self> {
        let url: Url = url.parse().map_err(|error| {
            Problem::argument(flag, format!("{url:?} is no URL: {error}"))
                .remedy("write it as https://verifier.example.com")
        })?;
        let http = reqwest::Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none()).build()?;
        Ok(Self { http, url, flag })
    }

    /// Checks that it drafts and settles payments of this program and mint on this network.
    pub(crate) async fn check(&self, network: &str, program: &Address, mint: &Address) -> Result<()> {
        let answer = self.ask(self.http.get(self.path("supported"))).await?;
        let supported: SupportedResponse = serde_json::from_value(answer)
            .map_err(|error| self.refused(format!("is no verifier: its answer to /supported has {error}")))?;
        let mut offers = supported.kinds.into_iter().filter(|kind| kind.scheme == SCHEME);
        let Some(offer) = offers.find(|kind| kind.network == network) else {
            return Err(self.refused(format!("does not settle {SCHEME} on {network}")).into());
        };
        if offer.extra.get("program") != Some(&Value::String(program.to_string())) {
            let other = offer.extra.get("program").and_then(Value::as_str).unwrap_or("none");
            return Err(self.refused(format!("settles with the program {other}, not {program}")).into());
        }
        let tokens = offer.extra.get("tokens").and_then(Value::as_object);
        if !tokens.is_some_and(|tokens| tokens.contains_key(&mint.to_string())) {
            return Err(self.refused(format!("does not serve the token {mint}")).into());
        }
        Ok(())
    }

    /// Has it relay a signed revocation, and returns the transaction.
    pub(crate) async fn relay(&self, revocation: &Value) -> Result<Value> {
        self.ask(self.http.post(self.path("revocations")).json(revocation)).await
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.url.as_str().trim_end_matches('/'))
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Value> {
        let silent = |error: reqwest::Error| {
            let reason = source_of(&error);
            Problem::new(Code::VerifierUnreachable, format!("{} did not answer: {reason}", self.url))
                .of(self.flag)
                .remedy(format!("try again, or name another verifier with {}", self.flag))
        };
        let response = request.send().await.map_err(silent)?;
        let status = response.status();
        let text = response.text().await.map_err(silent)?;
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        let error = &answer["error"];
        let message = error["message"].as_str().map_or_else(|| status.to_string(), str::to_owned);
        let refused = self.refused(format!("answered: {message}"));
        let refused = match error["code"].as_str() {
            Some(code) => refused.named(code),
            None => refused,
        };
        Err(refused.retry(status.as_u16() == 429 || status.is_server_error()).into())
    }

    fn refused(&self, message: String) -> Problem {
        Problem::new(Code::VerifierRefused, format!("{} {message}", self.url))
            .of(self.flag)
            .remedy(format!("name another verifier with {}", self.flag))
    }
}
