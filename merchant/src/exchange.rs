//! Sends requests to the facilitator and reads its answers, within a time and a size. Uses the
//! network, which no other module does.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use reqwest::{Client, Response, header::CONTENT_TYPE};

/// The facilitator itself waits up to a minute for a payment to become final.
const TIMEOUT: Duration = Duration::from_secs(75);

/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// A path below the facilitator's URL, and the JSON to post there; without it, it is a `GET`.
pub(crate) type Asked = (&'static str, Option<Vec<u8>>);

/// The status and the body of an answer, or why there is none.
pub(crate) type Answered = Result<(u16, Vec<u8>), String>;

/// Carries a request to the facilitator and its answer back.
pub(crate) type Exchange = Arc<dyn Fn(Asked) -> BoxFuture<'static, Answered> + Send + Sync>;

/// An exchange over HTTP with the facilitator at `url`.
///
/// # Errors
/// If the HTTP client can't be set up.
pub(crate) fn over_http(url: String) -> Result<Exchange, reqwest::Error> {
    let http = Client::builder().timeout(TIMEOUT).build()?;
    Ok(Arc::new(move |(path, body)| {
        let url = format!("{url}{path}");
        let request = match body {
            Some(body) => http.post(url).header(CONTENT_TYPE, "application/json").body(body),
            None => http.get(url),
        };
        Box::pin(async move {
            let answer = request.send().await.map_err(|error| cause(&error))?;
            let status = answer.status().as_u16();
            Ok((status, read(answer).await?))
        })
    }))
}

async fn read(mut answer: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| cause(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST_ANSWER {
            return Err(format!("its answer is longer than {LONGEST_ANSWER} bytes"));
        }
    }
    Ok(body)
}

/// An error with what caused it: reqwest's own text leaves that out.
fn cause(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
