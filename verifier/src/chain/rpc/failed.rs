//! Why a request came to nothing.

use solana_rpc_client_api::{
    client_error::{Error as ClientError, ErrorKind as ClientErrorKind},
    custom_error::JSON_RPC_SERVER_ERROR_MIN_CONTEXT_SLOT_NOT_REACHED,
    request::RpcError,
};

use crate::chain::{ChainError, agreement::MAXIMUM_SLOTS_APART};

/// What is wrong with a node whose time is over.
pub(super) const LATE: &str = "it did not answer in time";

pub(super) fn failed(request: &'static str, error: &ClientError) -> ChainError {
    let error = match error.kind() {
        ClientErrorKind::RpcError(RpcError::RpcResponseError { code, message, .. }) => {
            let told = format!("{message} ({code})");
            let message = match *code {
                JSON_RPC_SERVER_ERROR_MIN_CONTEXT_SLOT_NOT_REACHED => format!(
                    "{told}: it is more than {MAXIMUM_SLOTS_APART} slots behind what it told before, so it still \
                     reads its ledger, or the cluster was wound back"
                ),
                _ => told,
            };
            return ChainError::answer(request, message);
        }
        ClientErrorKind::Reqwest(error) => error,
        ClientErrorKind::Io(error) => return ChainError::silence(request, error.to_string()),
        other => return ChainError::answer(request, other.to_string()),
    };
    // An URL can hold an API key.
    let message = match error.status() {
        _ if error.is_timeout() => LATE.to_owned(),
        _ if error.is_connect() => "it can't be reached".to_owned(),
        Some(status) => format!("HTTP status {status}"),
        None => "the connection broke".to_owned(),
    };
    ChainError::silence(request, message)
}
