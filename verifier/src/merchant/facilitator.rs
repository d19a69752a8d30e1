//! Asks the facilitator over HTTP.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use x402_escrow_wire::facilitator::{FacilitatorRequest, SettleResponse, SupportedResponse};

/// The facilitator itself waits up to a minute for a payment to become final.
const TIMEOUT: Duration = Duration::from_secs(75);

/// The facilitator gave no verdict.
#[derive(Debug, thiserror::Error)]
pub enum FacilitatorError {
    /// It doesn't answer, or not with what belongs there.
    #[error("the facilitator {url}: {source}")]
    NoAnswer {
        /// Its base URL.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// It answered with an error.
    #[error("the facilitator {url} answered with status {status}: {body:.300}")]
    Status {
        /// Its base URL.
        url: String,
        /// The status.
        status: StatusCode,
        /// What it said.
        body: String,
    },
}

#[derive(Debug)]
pub(super) struct Facilitator {
    url: String,
    http: Client,
}

impl Facilitator {
    pub(super) fn new(url: &str) -> Result<Self, FacilitatorError> {
        let url = url.trim_end_matches('/').to_owned();
        match Client::builder().timeout(TIMEOUT).build() {
            Ok(http) => Ok(Self { url, http }),
            Err(source) => Err(FacilitatorError::NoAnswer { url, source }),
        }
    }

    pub(super) async fn supported(&self) -> Result<SupportedResponse, FacilitatorError> {
        self.ask(self.http.get(format!("{}/supported", self.url))).await
    }

    pub(super) async fn settle(
        &self,
        request: &FacilitatorRequest,
    ) -> Result<SettleResponse, FacilitatorError> {
        self.ask(self.http.post(format!("{}/settle", self.url)).json(request)).await
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, FacilitatorError> {
        let no_answer = |source| FacilitatorError::NoAnswer { url: self.url.clone(), source };
        let response = request.send().await.map_err(no_answer)?;
        let status = response.status();
        if status != StatusCode::OK {
            let body = response.text().await.map_err(no_answer)?;
            return Err(FacilitatorError::Status { url: self.url.clone(), status, body });
        }
        response.json().await.map_err(no_answer)
    }
}
