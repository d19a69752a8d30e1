//! The keys of the configuration, as they are written, and what holds where one isn't.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use x402_escrow_interface::message::MAXIMUM_CAPTURE_SECONDS;
use x402_escrow_wire::{
    auth_capture::{Commitment, Level},
    text::{Decimal, Key},
};

use super::{proxies::Proxies, source::Source};
use crate::{
    engine::{deny_list::OnFailure, reach::Reach},
    telemetry::LogFormat,
};

/// A level of finality and the amounts it is for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FinalityKey<L> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) up_to: Option<Decimal>,
    pub(super) commitment: L,
}

/// A budget of lamports.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitKey {
    pub(super) hour: u64,
    pub(super) day: u64,
}

const fn sol(hour: f64, day: f64) -> LimitKey {
    LimitKey { hour: (hour * 1e9) as u64, day: (day * 1e9) as u64 }
}

/// A token that is served.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenKey {
    pub(super) mint: Key,
    pub(super) minimum: Decimal,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) symbol: Option<String>,
}

/// Makes of one list the struct, the names, and what reads them: a key that is in one is in all.
macro_rules! keys {
    ($($name:ident: $type:ty $(= $default:expr)?;)+) => {
        /// The values that hold.
        #[derive(Debug, Serialize)]
        pub(super) struct Keys {
            $(pub(super) $name: $type,)+
        }

        /// The name of every key.
        pub const KEYS: &[&str] = &[$(stringify!($name)),+];

        impl Keys {
            /// Reads every key. `None` if one is wrong or missing; `source` has noted all of them.
            pub(super) fn read(source: &mut Source) -> Option<Self> {
                $(let $name = source.take::<$type>(stringify!($name), None$(.or(Some($default)))?);)+
                Some(Self { $($name: $name?,)+ })
            }
        }
    };
}

keys! {
    listen: String = "127.0.0.1:4020".to_owned();
    public_hosts: Vec<String> = Vec::new();
    operator_listen: String = "127.0.0.1:4022".to_owned();
    rpc_url: String;
    ws_url: String = "auto".to_owned();
    rpc_timeout_seconds: u64 = 10;
    network: Option<String> = None;
    program_id: Option<Key> = None;
    database: String = "verifier.sqlite".to_owned();
    fee_payer: PathBuf;
    fee_payers_retiring: Vec<PathBuf> = Vec::new();
    fee_payers_cut_off: Vec<Key> = Vec::new();
    finality: Option<Vec<FinalityKey<Commitment>>> = None;
    finality_on_confirmed_hold: Option<Vec<FinalityKey<Level>>> = None;
    finality_on_finalized_hold: Option<Vec<FinalityKey<Level>>> = None;
    minimum_authorize_seconds: i64 = 5;
    maximum_authorize_seconds: i64 = 120;
    minimum_capture_seconds: i64 = 30;
    maximum_capture_seconds: i64 = MAXIMUM_CAPTURE_SECONDS;
    voucher_margin_seconds: i64 = 300;
    tokens: Option<Vec<TokenKey>> = None;
    exact_maximum_compute_units: u32 = 400_000;
    exact_priority_fee_lamports: u64 = 5_000;
    exact_memo_once: bool = false;
    settle_timeout_seconds: u64 = 45;
    status_poll_milliseconds: u64 = 200;
    review_seconds: u64 = 30;
    gather_seconds: i64 = 5;
    gather_value: u64 = 10_000_000;
    lookup_tables: usize = 4;
    compute_unit_price_micro_lamports: u64 = 1_000;
    maximum_compute_unit_price_micro_lamports: u64 = 500_000;
    maximum_body_bytes: usize = 64 * 1024;
    minimum_fee_payer_lamports: u64 = 50_000_000;
    maximum_slot_age_seconds: i64 = 60;
    webhook_url: Option<String> = None;
    webhook_secret: Option<PathBuf> = None;
    merchant_webhooks: Reach = Reach::Public;
    minimum_hold_amount: u64 = 100;
    maximum_open_holds_per_escrow: u64 = 1000;
    deny_list: Option<String> = None;
    deny_list_timeout_milliseconds: u64 = 2000;
    deny_list_on_failure: OnFailure = OnFailure::Refuse;
    fee_budget_per_payer: LimitKey = sol(0.2, 1.0);
    fee_budget_per_receiver: LimitKey = sol(1.0, 5.0);
    fee_budget: LimitKey = sol(2.0, 10.0);
    rent_budget_per_payer: LimitKey = sol(4.0, 8.0);
    rent_budget_per_receiver: LimitKey = sol(20.0, 60.0);
    rent_budget: LimitKey = sol(50.0, 150.0);
    maximum_concurrent_requests: usize = 1024;
    requests_per_minute_per_client: u32 = 12_000;
    health_per_minute_per_client: u32 = 600;
    requests_per_minute_per_merchant: u32 = 120;
    intents_per_minute_per_session: u32 = 1200;
    payments_per_minute_per_session: u32 = 1200;
    payments_per_minute_per_payer: u32 = 6000;
    payments_per_minute_per_receiver: u32 = 12_000;
    payments_per_minute: u32 = 60_000;
    maximum_operations_per_payment: u64 = 256;
    maximum_bodies_per_client: usize = 512;
    maximum_bodies: usize = 4096;
    body_timeout_seconds: u64 = 10;
    maximum_waiting_per_payment: usize = 16;
    maximum_waiting_per_client: usize = 2048;
    maximum_waiting: usize = 16_384;
    maximum_followers_per_client: usize = 256;
    maximum_followers: usize = 4096;
    maximum_resources: u64 = 10_000;
    trusted_proxies: Vec<Proxies> = Vec::new();
    cors_allowed_origins: Vec<String> = vec!["*".to_owned()];
    log_format: LogFormat = LogFormat::Text;
    log: String = "info".to_owned();
}
