//! The configuration of the verifier under test.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use solana_sdk::signer::Signer;
use x402_escrow_domain::{
    budget::Budgets,
    cluster::Consensus,
    gather::GatherSettings,
    policy::{Defaults, FeeBounds, Finality, Policies, Policy, Tier},
    tokens::Tokens,
    webhook::Webhook,
};
use x402_escrow_verifier::{
    chain::Chain,
    engine::{
        app::{App, Deployment, Settings},
        deny_list::{DenyListSettings, OnFailure, Source},
        limits::{AtOnce, LimitSettings, PaymentRates},
        reach::Reach,
    },
    store::{Database, Store},
};
use x402_escrow_wire::auth_capture::{Commitment, Level};

use super::{FEE_PAYER, HOST, WEBHOOK_SECRET, keypair, program};

/// What the tests change of the verifier's configuration.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    pub(crate) commitment: Commitment,
    /// What the cluster runs.
    pub(crate) consensus: Consensus,
    /// How far its clock is ahead of this machine's, in seconds, whatever passes; `None` for a machine with the real time.
    pub(crate) cluster_ahead_seconds: Option<i64>,
    /// Up to which amount a capture is only reserved on a confirmed hold; above, and if `None`, it is confirmed.
    pub(crate) on_confirmed_hold: Option<u64>,
    /// How sure a capture is on a finalized hold.
    pub(crate) on_finalized_hold: Level,
    pub(crate) settle_timeout: Duration,
    pub(crate) voucher_margin_seconds: i64,
    /// The port at which a node announces its blocks.
    pub(crate) announced_at: Option<u16>,
    /// Where payments' news go.
    pub(crate) webhook: Option<SocketAddr>,
    /// The least price of a compute unit, in millionths of a lamport.
    pub(crate) compute_unit_price: u64,
    /// How often to look for holds that nobody ended.
    pub(crate) review_interval: Duration,
    /// How long operations wait for others.
    pub(crate) gather: GatherSettings,
    /// How many lookup tables there may be.
    pub(crate) lookup_tables: usize,
    /// Seeds of the fee payer's key, and of those before it.
    pub(crate) fee_payer: u8,
    pub(crate) retiring: &'static [u8],
    pub(crate) cut_off: &'static [u8],
    /// Seeds of the mints that are served.
    pub(crate) mints: &'static [u8],
    pub(crate) budgets: Budgets,
    /// A file or an address, and what becomes of payments while it fails.
    pub(crate) deny_list: Option<(&'static str, OnFailure)>,
    pub(crate) deny_list_timeout: Duration,
    pub(crate) exact_memo_once: bool,
    pub(crate) minimum_hold_amount: u64,
    pub(crate) maximum_open_holds_per_escrow: u64,
    pub(crate) maximum_operations_per_payment: u64,
    pub(crate) cors_allowed_origin: &'static str,
    /// What a test changes of how much may be asked.
    pub(crate) limit: fn(&mut LimitSettings),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            commitment: Commitment::Processed,
            consensus: Consensus::Unknown,
            cluster_ahead_seconds: None,
            on_confirmed_hold: None,
            on_finalized_hold: Level::Confirmed,
            // Longer than a busy machine needs for what an idle one does at once.
            settle_timeout: Duration::from_secs(20),
            voucher_margin_seconds: 60,
            announced_at: None,
            webhook: None,
            compute_unit_price: 10,
            review_interval: Duration::from_millis(50),
            gather: GatherSettings { seconds: 0, value: 0 },
            lookup_tables: 0,
            fee_payer: FEE_PAYER,
            retiring: &[],
            cut_off: &[],
            mints: &[9],
            budgets: Budgets::default(),
            deny_list: None,
            deny_list_timeout: Duration::from_secs(30),
            exact_memo_once: false,
            minimum_hold_amount: 0,
            maximum_open_holds_per_escrow: u64::MAX,
            maximum_operations_per_payment: u64::MAX,
            cors_allowed_origin: "*",
            limit: |_| {},
        }
    }
}

/// Limits that a test does not reach unless it means to.
fn limits(options: Options) -> LimitSettings {
    let many = AtOnce { per_client: 4096, overall: 4096 };
    let mut limits = LimitSettings {
        maximum_concurrent_requests: 1024,
        requests_per_minute_per_client: None,
        health_per_minute_per_client: None,
        requests_per_minute_per_merchant: None,
        intents_per_minute_per_session: None,
        payments_per_minute: PaymentRates::default(),
        bodies: many,
        body_timeout: Duration::from_secs(10),
        waiting: many,
        waiting_per_payment: 4096,
        followers: many,
        trusted_proxies: Vec::new(),
    };
    (options.limit)(&mut limits);
    limits
}

fn always<L: Copy + Ord>(commitment: L) -> Finality<L> {
    Finality::new(vec![Tier { up_to: None, commitment }]).unwrap()
}

/// The parts of a verifier over `database`.
pub(super) async fn app(chain: Arc<dyn Chain>, database: &Database, options: Options) -> Arc<App> {
    let store = Store::open(database).await.unwrap();
    let policy = Policy {
        finality: always(options.commitment),
        finality_on_confirmed_hold: options.on_confirmed_hold.map_or(always(Level::Confirmed), |up_to| {
            let tiers = [(Some(up_to), Level::Reserved), (None, Level::Confirmed)];
            Finality::new(tiers.map(|(up_to, commitment)| Tier { up_to, commitment }).to_vec()).unwrap()
        }),
        finality_on_finalized_hold: always(options.on_finalized_hold),
        lasting: Commitment::Confirmed,
        minimum_authorize_seconds: 5,
        maximum_authorize_seconds: 120,
        minimum_capture_seconds: 30,
        maximum_capture_seconds: 86_400,
        voucher_margin_seconds: options.voucher_margin_seconds,
        exact_fee_bounds: FeeBounds { maximum_compute_units: 400_000, priority_fee_lamports: 5_000 },
        exact_memo_once: options.exact_memo_once,
        minimum_hold_amount: options.minimum_hold_amount,
        maximum_open_holds_per_escrow: options.maximum_open_holds_per_escrow,
        maximum_operations_per_payment: options.maximum_operations_per_payment,
    };
    let levels = Defaults::of(Consensus::Alpenglow);
    let policies = Policies {
        alpenglow: Policy {
            finality: levels.on_balance,
            finality_on_confirmed_hold: levels.on_confirmed_hold,
            finality_on_finalized_hold: levels.on_finalized_hold,
            lasting: levels.lasting,
            ..policy.clone()
        },
        otherwise: policy,
    };
    let webhook = |address| Webhook { url: format!("http://{address}/"), secret: WEBHOOK_SECRET.to_vec() };
    let settings = Settings {
        webhook: options.webhook.map(webhook),
        websocket_urls: options
            .announced_at
            .map(|port| format!("ws://127.0.0.1:{port}"))
            .into_iter()
            .collect(),
        settle_timeout: options.settle_timeout,
        request_timeout: Duration::from_secs(30),
        status_poll_interval: Duration::from_millis(20),
        review_interval: options.review_interval,
        gather: options.gather,
        lookup_tables: options.lookup_tables,
        compute_unit_prices_micro_lamports: options.compute_unit_price..=100 * options.compute_unit_price,
        maximum_body_bytes: 64 * 1024,
        limits: limits(options),
        budgets: options.budgets,
        deny_list: options.deny_list.map(|(source, on_failure)| DenyListSettings {
            source: match source.starts_with("http") {
                true => Source::Url(source.to_owned()),
                false => Source::File(source.into()),
            },
            timeout: options.deny_list_timeout,
            on_failure,
        }),
        maximum_resources: 10,
        merchant_webhooks: Reach::Any,
        public_hosts: vec![HOST.to_owned()],
        cors_allowed_origins: vec![options.cors_allowed_origin.to_owned()],
        minimum_fee_payer_lamports: 50_000_000,
        maximum_slot_age_seconds: 60,
    };
    let tokens = Tokens::new(options.mints.iter().map(|seed| (keypair(*seed).pubkey(), 1))).unwrap();
    let deployment = Deployment { network: None, program: Some(program()), tokens: Some(tokens) };
    let fee_payer = keypair(options.fee_payer);
    let retiring = options.retiring.iter().copied().map(keypair).collect();
    let cut_off = options.cut_off.iter().map(|seed| keypair(*seed).pubkey()).collect();
    let app = App::new(chain, deployment, store, fee_payer, policies, settings).await.unwrap();
    Arc::new(app.with_former_fee_payers(retiring, cut_off))
}
