//! Why a request came to nothing.

use solana_rpc_client_api::{
    client_error::{Error as ClientError, ErrorKind as ClientErrorKind},
    custom_error::JSON_RPC_SERVER_ERROR_MIN_CONTEXT_SLOT_NOT_REACHED,
    request::RpcError,
};
use solana_sdk::transaction::TransactionError;
use x402_escrow_domain::failure::OF_LOOKUP_TABLES;

use crate::chain::{ChainError, agreement::MAXIMUM_SLOTS_APART};

/// What is wrong with a node whose time is over.
pub(super) const LATE: &str = "it did not answer in time";

/// What is wrong with the lookup tables of a transaction that a node refused. It says so in words: it can't simulate a
/// transaction whose accounts it does not find.
pub(super) fn of_lookup_table(error: &ClientError) -> Option<TransactionError> {
    let ClientErrorKind::RpcError(RpcError::RpcResponseError { message, .. }) = error.kind() else {
        return None;
    };
    OF_LOOKUP_TABLES.iter().find(|reason| message.contains(&reason.to_string())).cloned()
}

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

#[cfg(test)]
mod tests {
    use solana_rpc_client_api::request::RpcResponseErrorData;

    use super::*;

    #[test]
    fn a_node_that_misses_a_lookup_table_is_understood() {
        let told = |message: &str| {
            let (message, data) = (message.to_owned(), RpcResponseErrorData::Empty);
            let error = RpcError::RpcResponseError { code: -32602, message, data };
            of_lookup_table(&ClientErrorKind::RpcError(error).into())
        };
        assert_eq!(
            told("invalid transaction: Transaction loads an address table account that doesn't exist"),
            Some(TransactionError::AddressLookupTableNotFound)
        );
        assert_eq!(
            told("invalid transaction: Transaction address table lookup uses an invalid index"),
            Some(TransactionError::InvalidAddressLookupTableIndex)
        );
        assert_eq!(told("invalid transaction: Transaction did not pass signature verification"), None);
    }
}
