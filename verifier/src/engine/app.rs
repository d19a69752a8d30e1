//! What every part of the service shares.

use std::{
    ops::RangeInclusive,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};

use solana_sdk::signer::{Signer, keypair::Keypair};
use tokio::sync::{Notify, watch};
use x402_escrow_domain::{
    books::SessionKey,
    budget::{Budgets, Ledger},
    gather::GatherSettings,
    policy::{Policies, Policy},
    tokens::{NoTokens, Tokens},
    verify::{self, FormerFeePayers, NoProgram, Rules},
    webhook::Webhook,
};
use x402_escrow_interface::Address;
use x402_escrow_wire::clock::unix_now;

use crate::{
    chain::{Chain, ChainError, live::Blocks, recent::Recent, together::Together},
    engine::{
        changes::Changes,
        deny_list::{DenyList, DenyListSettings},
        heartbeat::Heartbeat,
        limits::{LimitSettings, Limits},
        metrics::{Measured, Metrics},
        reach::Reach,
        recent_offers::RecentOffers,
        suspects::Suspects,
        told::Told,
        unreadable::UnreadableRows,
        usable_tables::UsableTables,
    },
    store::{Store, StoreError},
};

/// Returns the time in unix seconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The service's parts.
pub struct App {
    /// The cluster.
    pub chain: Arc<dyn Chain>,
    /// The cluster's accounts, for those of whom many read them at the same time.
    pub together: Together,
    /// A blockhash and prices for everyone.
    pub recent: Recent,
    /// What must not be lost.
    pub store: Store,
    /// What was counted.
    pub metrics: Arc<Metrics>,
    /// What the pure checks need to know; how final operations must be depends on the consensus: [`App::policy`].
    pub rules: Rules,
    /// What is accepted under each consensus.
    policies: Policies,
    /// What the cluster's nodes told last.
    pub cluster: Told,
    /// Pays fees and rent.
    pub fee_payer: Keypair,
    /// Makes codes for the pages of merchants.
    pub session_key: SessionKey,
    /// Sign what names them, and are not announced any more.
    retiring_fee_payers: Vec<Keypair>,
    /// How it runs.
    pub settings: Settings,
    /// This machine's time.
    pub clock: Clock,
    /// What was asked lately.
    pub limits: Limits,
    /// Whom the operator does not serve.
    pub deny_list: DenyList,
    /// Which resources were offered to the catalogue lately.
    pub recent_offers: RecentOffers,
    /// What this process has of the budgets.
    pub ledger: Mutex<Ledger>,
    /// Who asks the store for more of the budgets.
    pub leasing: tokio::sync::Mutex<()>,
    /// The rent of a hold in lamports, as it was last read; 0 before.
    pub hold_rent: AtomicU64,
    /// Wakes the tracker when there is something to send.
    pub to_send: Notify,
    /// Has the tracker look at once: somebody wants to know more, or another verifier did something.
    pub to_follow: Notify,
    /// Tells the tracker that whoever accepted a transaction has sent it: it is looked for from the next block on.
    pub sent: Notify,
    /// What is heard of blocks: a reason for the tracker to look, if it follows anything.
    pub blocks: Arc<Blocks>,
    /// The lookup tables of this verifier's transactions.
    pub tables: UsableTables,
    /// Whether this verifier is the one that follows transactions and sends them.
    pub is_leading: AtomicBool,
    /// Whether transactions can't be followed now.
    pub is_stalled: AtomicBool,
    /// Whether nothing new is accepted.
    pub is_paused: AtomicBool,
    /// When the tracker last got further.
    pub heartbeat: Heartbeat,
    /// What can't be read in the store.
    pub unreadable: UnreadableRows,
    /// Tells whenever an operation may have got further.
    pub changes: Changes,
    /// Whose authorizations and charges go alone.
    pub suspects: Suspects,
    /// Whether the store took no write when that was last tried.
    pub is_unwritable: AtomicBool,
    /// Whether the service is stopping: followers must go.
    pub is_stopping: watch::Sender<bool>,
}

/// Which escrow program and tokens, on which cluster; `None` is what the node says, and what is known of its cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deployment {
    /// The cluster, as a CAIP-2 id.
    pub network: Option<String>,
    /// The escrow program.
    pub program: Option<Address>,
    /// What is served.
    pub tokens: Option<Tokens>,
}

/// Why the parts can't be put together.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The node doesn't answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The escrow program is not known.
    #[error("program_id (or X402_PROGRAM_ID): {0}")]
    NoProgram(#[from] NoProgram),
    /// Nothing says what is served.
    #[error("tokens (or X402_TOKENS): {0}")]
    NoTokens(#[from] NoTokens),
}

/// How the service runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long `/settle` waits before it answers `settlement_pending`.
    pub settle_timeout: Duration,
    /// How long any request may take.
    pub request_timeout: Duration,
    /// Where nodes announce their blocks.
    pub websocket_urls: Vec<String>,
    /// How often the cluster is asked about transactions that are not final, while no node announces its blocks.
    pub status_poll_interval: Duration,
    /// How often to look for holds that nobody ended.
    pub review_interval: Duration,
    /// How long operations wait for others, to be sent with them.
    pub gather: GatherSettings,
    /// The most lookup tables at a time, where the cluster takes no transactions of version 1; 0 for none.
    pub lookup_tables: usize,
    /// The least and the most priority fee, in millionths of a lamport for each compute unit.
    pub compute_unit_prices_micro_lamports: RangeInclusive<u64>,
    /// Who is told of payments' news.
    pub webhook: Option<Webhook>,
    /// Largest request body.
    pub maximum_body_bytes: usize,
    /// How much may be asked.
    pub limits: LimitSettings,
    /// Whom the operator does not serve.
    pub deny_list: Option<DenyListSettings>,
    /// What accepted payments may cost.
    pub budgets: Budgets,
    /// How many resources the catalogue may list; 0 for no catalogue.
    pub maximum_resources: u64,
    /// How far webhooks of merchants may reach.
    pub merchant_webhooks: Reach,
    /// What merchants call this verifier, as in the header `Host`; without any it is called by names of this machine.
    pub public_hosts: Vec<String>,
    /// Whose pages browsers let ask; `*` for anybody's.
    pub cors_allowed_origins: Vec<String>,
    /// Below this the service is not ready: it would soon be unable to pay fees and rent.
    pub minimum_fee_payer_lamports: u64,
    /// Above this the service is not ready: the node is behind or the cluster stands still.
    pub maximum_slot_age_seconds: i64,
}

impl App {
    /// Puts the parts together, and asks the node which cluster it is.
    ///
    /// # Errors
    /// If the node doesn't answer, or nothing says which program the escrow program is, or which tokens are served.
    pub async fn new(
        chain: Arc<dyn Chain>,
        deployment: Deployment,
        store: Store,
        fee_payer: Keypair,
        policies: impl Into<Policies>,
        settings: Settings,
    ) -> Result<Self, StartError> {
        let policies = policies.into();
        let metrics = Arc::new(Metrics::default());
        let chain: Arc<dyn Chain> = Arc::new(Measured::new(chain, Arc::clone(&metrics)));
        let node_network = x402_escrow_wire::network_id(&chain.genesis_hash().await?);
        let network = match deployment.network {
            Some(network) => {
                tracing::warn!(
                    network,
                    node = node_network,
                    "the configuration names the network, not the node"
                );
                network
            }
            None => node_network,
        };
        let program = verify::program(&network, deployment.program)?;
        let is_paused = AtomicBool::new(store.is_paused().await?);
        let tokens = deployment.tokens.map_or_else(|| Tokens::known(&network), Ok)?;
        let app = Self {
            rules: Rules {
                network,
                program,
                fee_payer: fee_payer.pubkey(),
                former_fee_payers: FormerFeePayers::default(),
                tokens,
                policy: policies.otherwise.clone(),
            },
            policies,
            cluster: Told::default(),
            together: Together::new(Arc::clone(&chain)),
            recent: Recent::default(),
            chain,
            store,
            limits: Limits::new(&settings.limits, Arc::clone(&metrics)),
            metrics,
            session_key: SessionKey::of(&fee_payer.to_bytes()),
            fee_payer,
            retiring_fee_payers: Vec::new(),
            deny_list: DenyList::new(settings.deny_list.clone()),
            recent_offers: RecentOffers::default(),
            ledger: Mutex::new(Ledger::new(settings.budgets)),
            leasing: tokio::sync::Mutex::default(),
            hold_rent: AtomicU64::new(0),
            settings,
            clock: Arc::new(unix_now),
            to_send: Notify::new(),
            to_follow: Notify::new(),
            sent: Notify::new(),
            blocks: Arc::default(),
            tables: UsableTables::default(),
            is_leading: AtomicBool::new(false),
            is_stalled: AtomicBool::new(false),
            is_paused,
            heartbeat: Heartbeat::default(),
            unreadable: UnreadableRows::default(),
            changes: Changes::default(),
            suspects: Suspects::default(),
            is_unwritable: AtomicBool::new(false),
            is_stopping: watch::Sender::new(false),
        };
        app.cluster.ask(app.chain.as_ref()).await;
        Ok(app)
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The same with fee payers that are not announced any more.
    #[must_use]
    pub fn with_former_fee_payers(mut self, retiring: Vec<Keypair>, cut_off: Vec<Address>) -> Self {
        let addresses = retiring.iter().map(Signer::pubkey).collect();
        self.rules.former_fee_payers = FormerFeePayers { retiring: addresses, cut_off };
        self.retiring_fee_payers = retiring;
        self
    }

    /// The key of a fee payer that a new payment may name.
    pub fn fee_payer_with(&self, address: &Address) -> Option<&Keypair> {
        let mut served = std::iter::once(&self.fee_payer).chain(&self.retiring_fee_payers);
        served.find(|key| key.pubkey() == *address)
    }

    /// What is accepted, and how final it must be, under the consensus that the cluster runs.
    pub fn policy(&self) -> &Policy {
        self.policies.of(self.cluster.consensus())
    }

    /// This machine's time, unix seconds.
    pub fn now(&self) -> i64 {
        (self.clock)()
    }
}
