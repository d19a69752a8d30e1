//! Reads an account's history: its transactions, and the program's events in them.

use anyhow::Result;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::json;
use solana_rpc_client_api::request::RpcRequest;
use x402_escrow_interface::{
    Address,
    event::{Event, data_lines},
};

use super::Chain;

/// The most that nodes list at once.
const PAGE: usize = 1000;

/// One transaction.
pub(crate) struct Entry {
    pub(crate) signature: String,
    pub(crate) slot: u64,
    /// Unix seconds.
    pub(crate) time: Option<i64>,
    /// The escrow program's, in their order.
    pub(crate) events: Vec<Event>,
    /// The node cut the transaction's logs off: events may be missing.
    pub(crate) is_cut_off: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    signature: String,
    slot: u64,
    err: Option<serde_json::Value>,
    block_time: Option<i64>,
}

#[derive(Deserialize)]
struct Found {
    meta: Option<Meta>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    log_messages: Option<Vec<String>>,
}

impl Chain {
    /// The latest `limit` transactions that succeeded and named `address`, the newest first; those before the transaction
    /// `before`, where one is named.
    pub(crate) async fn history(
        &self,
        program: &Address,
        address: &Address,
        limit: usize,
        before: Option<String>,
    ) -> Result<Vec<Entry>> {
        let (mut entries, mut before) = (Vec::new(), before);
        while entries.len() < limit {
            let listed = self.listed(address, before).await?;
            let is_last = listed.len() < PAGE;
            before = listed.last().map(|last| last.signature.clone());
            for listed in listed.into_iter().filter(|listed| listed.err.is_none()) {
                if entries.len() == limit {
                    break;
                }
                entries.push(self.entry(program, listed).await?);
            }
            if is_last {
                break;
            }
        }
        Ok(entries)
    }

    async fn listed(&self, address: &Address, before: Option<String>) -> Result<Vec<Listed>> {
        let mut options = json!({ "limit": PAGE, "commitment": "confirmed" });
        if let Some(before) = before {
            options["before"] = before.into();
        }
        let parameters = json!([address.to_string(), options]);
        let listed = self.rpc.send(RpcRequest::GetSignaturesForAddress, parameters).await;
        Ok(listed.map_err(|error| self.failed(&format!("for the transactions of {address}"), error))?)
    }

    async fn entry(&self, program: &Address, listed: Listed) -> Result<Entry> {
        let options =
            json!({ "encoding": "base64", "commitment": "confirmed", "maxSupportedTransactionVersion": 1 });
        let parameters = json!([listed.signature, options]);
        let found: Option<Found> = self
            .rpc
            .send(RpcRequest::GetTransaction, parameters)
            .await
            .map_err(|error| self.failed(&format!("for the transaction {}", listed.signature), error))?;
        let logs = found.and_then(|found| found.meta).and_then(|meta| meta.log_messages);
        let is_cut_off = logs.as_ref().is_none_or(|logs| logs.iter().any(|line| line == "Log truncated"));
        let logs = logs.unwrap_or_default();
        let lines = data_lines(program, logs.iter().map(String::as_str));
        let events = lines.into_iter().filter_map(|line| Event::decode(&BASE64_STANDARD.decode(line).ok()?));
        let events = events.collect();
        let Listed { signature, slot, block_time: time, .. } = listed;
        Ok(Entry { signature, slot, time, events, is_cut_off })
    }
}
