//! What a relay asks of a node.

use anyhow::{Context, Result, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use solana_sdk::{hash::Hash, signer::keypair::Keypair};
use x402_escrow_domain::{
    cluster::Blockhash,
    payment::HoldTerms,
    transaction::{self, Signed, Terms, Version},
};

use crate::connection::Connection;

/// What a verifier offers where nobody competes, in millionths of a lamport for each compute unit.
const COMPUTE_UNIT_PRICE_MICRO_LAMPORTS: u64 = 1_000;

pub(crate) struct Node(Connection);

impl Node {
    pub(crate) async fn connect(to: &str) -> Result<Self> {
        Ok(Self(Connection::open(to).await?))
    }

    pub(crate) async fn blockhash(&mut self) -> Result<[u8; 32]> {
        let answer = self.ask("getLatestBlockhash", &json!([{ "commitment": "confirmed" }])).await?;
        let hash: Hash = answer["value"]["blockhash"].as_str().context("no blockhash")?.parse()?;
        Ok(hash.to_bytes())
    }

    /// Sends an authorization in a transaction of its own, and returns its signature.
    pub(crate) async fn authorize(
        &mut self,
        relay: &Keypair,
        blockhash: [u8; 32],
        hold: &HoldTerms,
    ) -> Result<String> {
        use solana_sdk::signer::Signer;
        let terms = Terms {
            fee_payer: relay,
            compute_unit_price_micro_lamports: COMPUTE_UNIT_PRICE_MICRO_LAMPORTS,
            blockhash: Blockhash { hash: blockhash, last_valid_block_height: 0 },
        };
        let part = transaction::authorize(&relay.pubkey(), hold);
        let Signed { bytes, .. } = transaction::sign(Version::Legacy, terms, &[&part])?;
        let config = json!({ "encoding": "base64", "preflightCommitment": "processed", "maxRetries": 0 });
        let sent = self.ask("sendTransaction", &json!([STANDARD.encode(bytes), config])).await?;
        Ok(sent.as_str().context("no signature")?.to_owned())
    }

    /// Whether each is confirmed, and if it is, whether it succeeded.
    pub(crate) async fn confirmed(&mut self, signatures: &[String]) -> Result<Vec<Option<bool>>> {
        let statuses = self.ask("getSignatureStatuses", &json!([signatures])).await?;
        let statuses = statuses["value"].as_array().context("no statuses")?;
        let confirmed = |status: &Value| {
            let is_confirmed =
                matches!(status["confirmationStatus"].as_str(), Some("confirmed" | "finalized"));
            is_confirmed.then(|| status["err"].is_null())
        };
        Ok(statuses.iter().map(confirmed).collect())
    }

    async fn ask(&mut self, method: &str, parameters: &Value) -> Result<Value> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters });
        let answer = self.0.post("/", request.to_string().into()).await?;
        let mut answer: Value = serde_json::from_slice(&answer)?;
        match answer["error"].is_null() {
            true => Ok(answer["result"].take()),
            false => bail!("{method}: {}", answer["error"]),
        }
    }
}
