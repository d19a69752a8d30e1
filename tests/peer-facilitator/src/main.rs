//! Serves `x402-facilitator-local` with `x402-chain-solana`, each with its defaults. It reads a line that says how, and
//! writes one that says where it listens: `cargo xtask bench load` starts it.

use std::{collections::HashMap, error::Error, io, sync::Arc};

use anyhow::{Context, Result, anyhow};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use x402_chain_solana::{
    V2SolanaExact,
    chain::{
        SolanaChainProvider, SolanaChainReference,
        config::{SolanaChainConfig, SolanaChainConfigInner},
    },
};
use x402_facilitator_local::{FacilitatorLocal, handlers};
use x402_types::{
    chain::{ChainProviderOps, ChainRegistry, FromConfig},
    scheme::{
        SchemeBlueprints, SchemeConfig, SchemeRegistry, X402SchemeFacilitator, X402SchemeFacilitatorBuilder,
        X402SchemeId,
    },
};

/// How it is to serve.
#[derive(Deserialize)]
struct Told {
    /// The network without its namespace.
    network: SolanaChainReference,
    /// As its configuration file has it: `signer`, `rpc`, `pubsub`.
    chain: SolanaChainConfigInner,
}

type Provider = Arc<SolanaChainProvider>;

/// [`V2SolanaExact`] for a registry, which lends its providers instead of sharing them.
struct Exact;

impl X402SchemeId for Exact {
    fn namespace(&self) -> &str {
        V2SolanaExact.namespace()
    }

    fn scheme(&self) -> &str {
        V2SolanaExact.scheme()
    }
}

impl X402SchemeFacilitatorBuilder<&Provider> for Exact {
    fn build(
        &self,
        provider: &Provider,
        config: Option<Value>,
    ) -> Result<Box<dyn X402SchemeFacilitator>, Box<dyn Error>> {
        V2SolanaExact.build(Arc::clone(provider), config)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut line = String::new();
    io::stdin().read_line(&mut line).context("reading how to serve")?;
    let Told { network, chain } = serde_json::from_str(&line).context("how to serve")?;
    // Its client of a node brings two, of which neither is chosen.
    _ = rustls::crypto::ring::default_provider().install_default();
    let config = SolanaChainConfig { chain_reference: network, inner: chain };
    let provider = SolanaChainProvider::from_config(&config).await.map_err(|error| anyhow!("{error}"))?;
    let chains = ChainRegistry::new(HashMap::from([(provider.chain_id(), Arc::new(provider))]));
    let schemes: Vec<SchemeConfig> =
        serde_json::from_value(json!([{ "id": Exact.id(), "chains": "solana:*" }]))?;
    let registry = SchemeRegistry::build(chains, SchemeBlueprints::new().and_register(Exact), &schemes);
    let router = handlers::routes().with_state(Arc::new(FacilitatorLocal::new(registry)));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", serde_json::to_string(&listener.local_addr()?)?);
    axum::serve(listener, router).await.context("serving")
}
